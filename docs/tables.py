"""Writes the tables in the documents that follow from the code.

    python docs/tables.py     the options, recipes and losses in docs/training.md

Between `<!-- options -->` and `<!-- /options -->`, and so on; a test compares them.
"""

import dataclasses
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))

from cyclegan_tf.config import LOSS_TERMS, RECIPES, RECOMMENDED, TrainConfig, flag
from cyclegan_tf.config.losses import TEACHER_TERMS

DOCUMENT = pathlib.Path(__file__).resolve().parent / "training.md"


def options_table() -> str:
    """The options of a training run."""
    rows = ["| flag | default | what it is |", "|-|-|-|"]
    for field in dataclasses.fields(TrainConfig):
        if heading := field.metadata["heading"]:
            rows.append(f"| **{heading}** | | |")
        default = "" if field.default is None else f"`{field.default}`"
        text = field.metadata["help"]
        rows.append(f"| `{flag(field.name)}` | {default} | {text} |")
    return "\n".join(rows)


def recipes_table() -> str:
    """What recipes, and the settings of the embedded datasets, set."""
    named = {name: values for name, values in RECIPES.items() if values} | RECOMMENDED
    defaults = vars(TrainConfig()).items()
    columns = {"default": {x: value for x, value in defaults if value is not None}}
    columns |= {f"`{name}`": values for name, values in named.items()}
    rows = [f"| flag | {' | '.join(columns)} |", "|-" * (1 + len(columns)) + "|"]
    for field in dataclasses.fields(TrainConfig):
        values = [column.get(field.name, "") for column in columns.values()]
        if any(value != "" for value in values[1:]):
            shown = ["" if v == "" else f"`{v}`" for v in values]
            rows.append(f"| `{flag(field.name)}` | {' | '.join(shown)} |")
    return "\n".join(rows)


def losses_table() -> str:
    """The losses, each with the option that is its weight."""
    rows = ["| name | what it is, mean over the batch | weight |", "|-|-|-|"]
    for term in LOSS_TERMS + TEACHER_TERMS:
        weight = f"`{flag(term.weight)}`" if term.weight else "1"
        rows.append(f"| `{term.name}` | {term.formula} | {weight} |")
    return "\n".join(rows)


def with_tables(text: str) -> str:
    """The document with its tables as the code has them."""
    tables = {
        "options": options_table(),
        "recipes": recipes_table(),
        "losses": losses_table(),
    }
    for name, table in tables.items():
        start, end = f"<!-- {name} -->\n", f"\n<!-- /{name} -->"
        before, _, rest = text.partition(start)
        text = before + start + table + end + rest.partition(end)[2]
    return text


if __name__ == "__main__":
    DOCUMENT.write_text(with_tables(DOCUMENT.read_text("utf-8")), "utf-8")

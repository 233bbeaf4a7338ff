import dataclasses

from cyclegan_tf.config import TrainConfig, flag
from tests.helpers import ROOT

README = (ROOT / "README.md").read_text(encoding="utf-8")


def options_table():
    rows = ["| flag | default | what it is |", "|-|-|-|"]
    for field in dataclasses.fields(TrainConfig):
        default = "" if field.default is None else f"`{field.default}`"
        text = field.metadata["custom_args"]["help"]
        rows.append(f"| `{flag(field.name)}` | {default} | {text} |")
    return "\n".join(rows)


def test_readme_has_the_table_of_options():
    assert options_table() in README, f"paste this:\n{options_table()}"


def test_readme_names_every_loss():
    from cyclegan_tf.config.losses import LOSSES

    for name in LOSSES:
        assert f"`{name}`" in README

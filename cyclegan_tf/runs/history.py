"""The history of a run, `metrics.csv`: one row per epoch. Its reader and writer."""

import csv
import io
import pathlib

from cyclegan_tf.common.console import say
from cyclegan_tf.common.files import write_text
from cyclegan_tf.config.losses import LOSSES

METRICS = "metrics.csv"
COLUMNS = ("epoch", "step", *LOSSES, "learning_rate", "images_per_s", "input_wait")


def read_history(path: pathlib.Path) -> list[dict[str, float]]:
    """The rows of a run's `metrics.csv` as numbers; none if there is no such file.

    A row has the columns that it had when it was written: a loss of another version, or
    scores of some epochs only. `epoch` and `step` are int, and always there. Rows that
    cannot be read are left out, which is said: the file only tells of the run.
    """
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return []
    rows, num_damaged = [], 0
    for cells in csv.DictReader(io.StringIO(text.replace("\0", ""), newline="")):
        try:
            rows.append(_numbers(cells))
        except (ValueError, TypeError, KeyError):
            num_damaged += 1
    if num_damaged:
        say(f"{path} is damaged: going on without {num_damaged} of its rows")
    return rows


def _numbers(cells):
    row = {"epoch": int(cells.pop("epoch")), "step": int(cells.pop("step"))}
    return row | {name: float(cell) for name, cell in cells.items() if cell}


def write_history(path: pathlib.Path, rows: list[dict[str, float]]) -> None:
    """Rewrites the file; cells that a row does not have stay empty."""
    columns = dict.fromkeys([*COLUMNS, *(name for row in rows for name in row)])
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, restval="", lineterminator="\n")
    writer.writeheader()
    for row in rows:
        writer.writerow({name: _cell(value) for name, value in row.items()})
    write_text(path, text.getvalue())


def _cell(value):
    return value if isinstance(value, int) else f"{value:.6g}"

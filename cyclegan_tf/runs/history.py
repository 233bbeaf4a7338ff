"""Reading `metrics.csv`, one row per epoch, which a bad disk may have hurt."""

import csv
import io
import pathlib

from cyclegan_tf.common.console import say
from cyclegan_tf.config.losses import LOSSES

COLUMNS = ("epoch", "step", *LOSSES, "learning_rate", "images_per_s", "input_wait")


def read_rows(path: pathlib.Path) -> list[dict[str, str]]:
    """The rows of a run's `metrics.csv`; none if there is no such file.

    What cannot be read is left out, which is said: the file only tells of the run.
    """
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return []
    rows, num_damaged = [], 0
    reader = csv.DictReader(io.StringIO(text, newline=""))
    while True:
        try:
            row = next(reader)
            _require_numbers(row)
        except StopIteration:
            break
        except (ValueError, TypeError, KeyError, csv.Error):
            num_damaged += 1
        else:
            rows.append(row)
    if num_damaged:
        say(f"{path} is damaged: going on without {num_damaged} of its rows")
    return rows


def _require_numbers(row):
    int(row["epoch"]), int(row["step"])
    for name in COLUMNS:
        float(row[name])
    for name, value in row.items():
        if name is None:
            raise ValueError("more cells than columns")
        float(value or 0)


def read(path: pathlib.Path) -> list[dict[str, float]]:
    """The same as numbers; empty cells are left out."""
    return [
        {name: float(value) for name, value in row.items() if value}
        for row in read_rows(path)
    ]

"""The options of an evaluation."""

import dataclasses
import pathlib
from typing import Literal

from cyclegan_tf.config.options import (
    Nature,
    option,
    require,
    require_at_least,
    require_checkpoint,
)
from cyclegan_tf.config.recommended import DEFAULT_RUN

# More would fit neither a screen nor the size of a report.
MAX_COMPARED_RUNS = 8


@dataclasses.dataclass(frozen=True)
class EvaluateConfig:
    """Which run is scored, on which images; of a report, which runs."""

    run_dir: list[str] = option(
        help="directory of a run; with --report of several, to be compared",
        nature=Nature.PLACE,
        default_factory=lambda: [DEFAULT_RUN],
        nargs="+",
        required=False,
        metavar="RUN",
    )
    report: bool = option(
        False, "also write report.html, to be opened in a browser, into the first"
    )
    checkpoint: str = option("last", "last, best, or the step of a checkpoint")
    split: Literal["test", "train"] = option("test", "images to score on")
    limit: int | None = option(None, "the most images of each domain; default: all")
    paired: bool = option(
        False,
        "both domains show the same scenes, in files of one name (maps, facades); "
        "of the embedded dataset that is known",
    )
    data_dir: str | None = option(
        None,
        "where the dataset's shards are; default: where the run had them",
        Nature.PLACE,
    )
    inception_weights: str | None = option(
        None,
        "file .h5 of weights for kid and fid; default: of keras.applications",
        Nature.PLACE,
    )

    def __post_init__(self):
        require_checkpoint(self.checkpoint)
        number = len(self.run_dir)
        require(
            self.report or number == 1,
            "--run-dir",
            f"takes one run, got {number}; to compare runs, add --report",
        )
        require(
            number <= MAX_COMPARED_RUNS,
            "--run-dir",
            f"takes at most {MAX_COMPARED_RUNS} runs, got {number}",
        )
        paths = [path.resolve() for path in self.run_dirs]
        require(len(set(paths)) == len(paths), "--run-dir", "names a run twice")
        require_at_least(self, 2, "limit")

    @property
    def run_dirs(self) -> list[pathlib.Path]:
        """The directories of the runs."""
        return [pathlib.Path(run_dir).expanduser() for run_dir in self.run_dir]

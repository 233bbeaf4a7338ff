"""Which discriminator and which upsampling? Scores of each choice over some seeds.

    python benchmarks/defaults.py --output runs/defaults

Trains the embedded dataset with its own settings, once per choice and seed, by
train.py; a run that is there already is continued, or only read. Prints one JSON line
per choice: mean and standard deviation over the seeds, by score and direction. Errors
are in grey levels; lower is better except for psnr.
"""

import dataclasses
import itertools
import json
import pathlib
import statistics
import subprocess
import sys

from common import ROOT, field, report, script

from cyclegan_tf.evaluation.results import DOMAINS

SCORES = ("coat_distance", "background_error", "swd", "truth_psnr", "cycle_mae")


@dataclasses.dataclass(frozen=True)
class Options:
    """What to compare."""

    output: str = field("runs/defaults", help="where the runs live")
    data_dir: str = field("tfrecords", help="where datasets live as TFRecord shards")
    discriminators: list[str] = field(
        default_factory=lambda: ["patch46", "patch70"], help="to compare"
    )
    upsamplings: list[str] = field(
        default_factory=lambda: ["transpose", "resize"], help="to compare"
    )
    seeds: list[int] = field(default_factory=lambda: [0, 1, 2], help="of each choice")


def main(options):
    """Trains what is not there yet, and compares."""
    for choice in itertools.product(options.discriminators, options.upsamplings):
        scores = [final_scores(*choice, seed, options) for seed in options.seeds]
        report(choice="-".join(choice), **summary(scores))


def final_scores(discriminator, upsampling, seed, options):
    """Scores of the last epoch of a run, by direction; trains it first."""
    run_dir = pathlib.Path(options.output, f"{discriminator}-{upsampling}-seed{seed}")
    subprocess.run(
        [
            *(sys.executable, str(ROOT / "train.py")),
            *("--data-dir", options.data_dir, "--run-dir", str(run_dir)),
            *("--discriminator", discriminator, "--upsampling", upsampling),
            *("--seed", str(seed)),
        ],
        check=True,
        stdout=subprocess.DEVNULL,
    )
    evaluations = json.loads((run_dir / "scores.json").read_text())["evaluations"]
    last = max(evaluations, key=lambda evaluation: evaluation["step"])
    return {entry["direction"]: entry["scores"] for entry in last["scores"]}


def summary(scores):
    """Mean and standard deviation over the seeds, by score and direction."""
    figures = {}
    for name, direction in itertools.product(SCORES, DOMAINS):
        values = [of_seed[direction][name] for of_seed in scores]
        spread = statistics.stdev(values) if len(values) > 1 else 0.0
        mean = statistics.mean(values)
        figures[f"{name}_{direction}"] = f"{mean:.2f} +- {spread:.2f}"
    return figures


if __name__ == "__main__":
    script(main, Options, __doc__)

"""Does a run take what `train.py --dry-run` says that it will?

    python benchmarks/plan.py
    python benchmarks/plan.py --repeats 1 --configurations small

Of each configuration a plan, then the run as a user starts it, as often as `--repeats`
says: the machine may be slower at one of the two. One JSON line per figure with the
medians: predicted, measured, and predicted by measured, of the seconds per step,
the seconds in all, the peak of the host's memory and the bytes of the run on the disk.
"""

import csv
import dataclasses
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

from common import ROOT, field, report, script

from cyclegan_tf.config import TrainConfig, flag
from cyclegan_tf.training.plan import plan

CONFIGURATIONS = {
    "small": {"image_size": 64, "batch_size": 1, "steps_per_epoch": 400},
    "batches": {"image_size": 64, "batch_size": 4, "steps_per_epoch": 150},
    "large": {"image_size": 128, "batch_size": 1, "steps_per_epoch": 150},
}
ALL = {
    "filters": 16,
    "residual_blocks": 3,
    "epochs": 2,
    "evaluate_every": 1,
    "jit": "off",
}


@dataclasses.dataclass(frozen=True)
class Options:
    """What to compare."""

    configurations: list[str] = field(
        default_factory=lambda: list(CONFIGURATIONS), help="some of small batches large"
    )
    repeats: int = field(3, help="plans and runs of each")


def main(options):
    """Compares one configuration after the other."""
    with tempfile.TemporaryDirectory() as folder:
        for name in options.configurations:
            compare(name, CONFIGURATIONS[name] | ALL, pathlib.Path(folder), options)


def compare(name, settings, folder, options):
    """Plans and runs, in turn."""
    predicted, measured = [], []
    for turn in range(options.repeats):
        places = {"data_dir": str(folder), "run_dir": str(folder / f"{name}-{turn}")}
        config = TrainConfig(**settings, **places)
        predicted.append(figures_of_plan(config))
        measured.append(figures_of_run(config, settings | places))
    for figure in predicted[0]:
        plans, runs = ([x[figure] for x in each] for each in (predicted, measured))
        ratio = statistics.median(plans) / statistics.median(runs)
        report(
            configuration=name,
            figure=figure,
            predicted=statistics.median(plans),
            measured=statistics.median(runs),
            ratio=round(ratio, 3),
            all_predicted=plans,
            all_measured=runs,
        )


def figures_of_plan(config):
    """What the plan says; what else would fit is not asked."""
    planned = plan(config, tried_seconds=0)
    return {
        "seconds_per_step": round(planned["seconds"]["step"], 4),
        "seconds": round(planned["seconds"]["total"], 1),
        "peak_mib": planned["memory"]["host_bytes"] // 2**20,
        "run_mib": round(planned["disk"]["run_bytes"] / 2**20, 1),
    }


def figures_of_run(config, settings):
    """What the run takes, from its command to its end."""
    arguments = [x for name, value in settings.items() for x in (flag(name), value)]
    command = [sys.executable, str(ROOT / "train.py"), *map(str, arguments)]
    started = time.monotonic()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.monotonic() - started
    if status:
        raise RuntimeError(f"train.py ended with {os.waitstatus_to_exitcode(status)}")
    with (config.resolved_run_dir / "metrics.csv").open(newline="") as file:
        rates = [float(row["images_per_s"]) for row in csv.DictReader(file)]
    files = [path for path in config.resolved_run_dir.rglob("*") if path.is_file()]
    return {
        "seconds_per_step": round(2 * config.batch_size / statistics.mean(rates), 4),
        "seconds": round(seconds, 1),
        "peak_mib": usage.ru_maxrss // 2**10,
        "run_mib": round(sum(path.stat().st_size for path in files) / 2**20, 1),
    }


if __name__ == "__main__":
    script(main, Options, __doc__)

"""Does a long run stay as small and as fast as it began?

    python benchmarks/long_run.py
    python benchmarks/long_run.py --steps 20000

Trains a tiny model by train.py, with tiny images of the embedded dataset, and looks at
the process twice a second. One JSON line: the slope of the memory in MiB per 1,000
steps over the last three quarters of the steps, its range there, the milliseconds per
step in the last quarter and their ratio to those in the first (medians over epochs,
without compiling and what an epoch ends with), and the bytes of the run directory.
"""

import csv
import dataclasses
import pathlib
import subprocess
import sys
import tempfile
import time

import numpy as np
import psutil
from common import ROOT, field, report, script

SAMPLE_SECONDS = 0.5


@dataclasses.dataclass(frozen=True)
class Options:
    """What to measure."""

    steps: int = field(2000, help="of the run, a multiple of 20")
    filters: int = field(4, help="of the networks")
    image_size: int = field(32, help="side of the training crop, in pixels")


def main(options):
    """Trains in a folder of its own, and prints one line."""
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        memory = train(options, folder)
        report(**figures(options, folder / "run", memory))


def train(options, folder):
    """Runs train.py; returns (share of the epochs done, MiB) twice a second."""
    epochs = 20
    command = [
        *(sys.executable, ROOT / "train.py", "--run-dir", folder / "run"),
        *("--data-dir", folder / "tfrecords", "--image-size", options.image_size),
        *("--filters", options.filters, "--residual-blocks", 1, "--epochs", epochs),
        *("--steps-per-epoch", options.steps // epochs, "--synthetic-images", 40),
        *("--evaluate-every", 5),
    ]
    with open(folder / "log", "w") as log:
        process = subprocess.Popen(list(map(str, command)), stdout=log, stderr=log)
    started = psutil.Process(process.pid)
    metrics, memory = folder / "run" / "metrics.csv", []
    while process.poll() is None:
        time.sleep(SAMPLE_SECONDS)
        try:
            used = started.memory_info().rss / 2**20
            done = len(rows_of(metrics))
        except (psutil.Error, OSError):
            continue  # it has just ended, or no epoch has yet
        if not used:
            break  # it is ending
        memory.append((done / epochs, used))
    if process.returncode:
        sys.exit((folder / "log").read_text())
    return np.array(memory)


def rows_of(metrics):
    """The rows of a run's metrics.csv."""
    with metrics.open(newline="") as file:
        return list(csv.DictReader(file))


def figures(options, run_dir, memory):
    """What is printed."""
    memory = memory[memory[:, 0] >= 0.25]  # before, caches and pools fill
    slope = np.polyfit(memory[:, 0] * options.steps / 1000, memory[:, 1], 1)[0]
    seconds = [
        2 / float(row["images_per_s"]) for row in rows_of(run_dir / "metrics.csv")
    ]
    quarter = len(seconds) // 4
    first, last = seconds[:quarter], seconds[-quarter:]
    return {
        "steps": options.steps,
        "mib_per_1000_steps": round(float(slope), 2),
        "mib": [round(float(x)) for x in (memory[:, 1].min(), memory[:, 1].max())],
        "ms_per_step": round(1000 * float(np.median(last)), 1),
        "last_to_first_quarter": round(float(np.median(last) / np.median(first)), 3),
        "bytes_at_end": sum(
            path.stat().st_size for path in run_dir.rglob("*") if path.is_file()
        ),
        "samples": len(memory),
    }


if __name__ == "__main__":
    script(main, Options, __doc__)

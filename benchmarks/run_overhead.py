"""What does a run cost beside its steps: until the first one, and around each?

    python benchmarks/run_overhead.py
    python benchmarks/run_overhead.py --jit on --filters 16 --residual-blocks 3

Runs `train.py` on the embedded dataset with everything that a run does, reads on its
console when the first step has ended, and in its metrics.csv how fast it was. The first
start of a run is the cold one, the start that continues it the warm one. Beside it, in
the same turn, the bare step: one compiled function on a batch that is there. One JSON
line with medians over the turns.
"""

import csv
import dataclasses
import fcntl
import os
import pathlib
import pty
import statistics
import struct
import subprocess
import sys
import tempfile
import termios
import time

from common import ROOT, field, report, script

from benchmarks import train_step

SHOWN_AFTER_THE_FIRST_STEP = b"epoch "  # the bar's text; before: "tracing and ..."


@dataclasses.dataclass(frozen=True)
class Options:
    """What to measure."""

    image_size: int = field(64, help="side of the images, in pixels")
    filters: int = field(64, help="of the networks")
    residual_blocks: int = field(9, help="of the generators")
    jit: str = field("auto", help="see train.py")
    steps: int = field(40, help="of an epoch")
    repeats: int = field(3, help="turns, each with two epochs and as many bare steps")


def main(options):
    """Takes the turns."""
    contestant = {"auto": "ours", "on": "ours-jit", "off": "ours"}[options.jit]
    alone = train_step.Options(
        image_size=options.image_size,
        filters=options.filters,
        residual_blocks=options.residual_blocks,
    )
    cold, warm, in_run, bare = [], [], [], []
    with tempfile.TemporaryDirectory() as folder:
        command = [
            *(sys.executable, str(ROOT / "train.py"), "--data-dir", folder),
            *("--image-size", str(options.image_size), "--cache", "memory"),
            *("--filters", str(options.filters), "--jit", options.jit),
            *("--residual-blocks", str(options.residual_blocks)),
            *("--steps-per-epoch", str(options.steps), "--synthetic-images", "60"),
            *("--evaluate-every", "1000", "--sample-every", "1000"),
        ]
        for turn in range(options.repeats):
            run_dir = pathlib.Path(folder, f"run-{turn}")
            one = [*command, "--run-dir", str(run_dir)]
            if not turn:  # converts the dataset
                seconds_to_first_step([*one, "--epochs", "1", "--steps-per-epoch", "1"])
                one.append("--restart")
            cold.append(seconds_to_first_step([*one, "--epochs", "1"]))
            one = [part for part in one if part != "--restart"]
            warm.append(seconds_to_first_step([*one, "--epochs", "2"]))
            with (run_dir / "metrics.csv").open(newline="") as file:
                rates = [float(row["images_per_s"]) for row in csv.DictReader(file)]
            in_run.append(2 / statistics.mean(rates))
            bare.append(bare_step(contestant, alone, options.steps))
    ratios = [a / b for a, b in zip(in_run, bare, strict=True)]
    line = {
        **dataclasses.asdict(options),
        "cold_start_s": round(statistics.median(cold), 1),
        "warm_start_s": round(statistics.median(warm), 1),
        "step_in_a_run_s": round(statistics.median(in_run), 4),
        "bare_step_s": round(statistics.median(bare), 4),
        "overhead": round(statistics.median(ratios) - 1, 4),
    }
    report(**line)


def seconds_to_first_step(command):
    """Runs to the end; from the command to what a terminal shows after one step."""
    ours, theirs = pty.openpty()
    # In a terminal without columns no bar is drawn.
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("4H", 40, 160, 0, 0))
    start = time.perf_counter()
    with subprocess.Popen(command, stdout=theirs, stderr=theirs) as process:
        os.close(theirs)
        shown, seconds = b"", None
        while part := read(ours):
            shown += part
            if seconds is None and SHOWN_AFTER_THE_FIRST_STEP in shown:
                seconds = time.perf_counter() - start
    os.close(ours)
    if process.returncode or seconds is None:
        raise RuntimeError(shown.decode(errors="replace"))
    return seconds


def read(terminal):
    """What has been written; nothing once the writer has closed it."""
    try:
        return os.read(terminal, 4096)
    except OSError:
        return b""


def bare_step(contestant, options, steps):
    """Seconds per step, after two that are not measured."""
    process = train_step.start(contestant, options)
    try:
        train_step.ask(process, 2)
        return train_step.ask(process, steps)["seconds"] / steps
    finally:
        process.kill()
        process.wait()


if __name__ == "__main__":
    script(main, Options, __doc__)

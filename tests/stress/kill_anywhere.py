"""Ends real processes at any moment, runs the same command again, and counts outcomes.

    python -m tests.stress.kill_anywhere 120

Each trial takes one of the commands below (training, conversion, export) and ends it
just before one of the things that it does to files, see `processes`. Writes of
TensorFlow's own are none of these; for them there are random times and a limit on the
size of files. "Disk full" is an error that all of Python's writes get from a moment on.
Then the same command runs once more, undisturbed.

What may come of it: everything is there, to the bit, as if nothing had been; what was
not is one line that says why, with status 2. A resumed run must begin at the last
checkpoint that had been renamed. All else is a failure, and its folder is kept.
"""

import collections
import dataclasses
import hashlib
import pathlib
import random
import re
import shutil
import signal
import sys
import tempfile
import time

import numpy as np
import tensorflow as tf

from tests.helpers import TINY, flags
from tests.stress.processes import SECONDS, Event, Failure, Fault, Process

TRAINING = TINY | {"steps_per_epoch": 6, "checkpoint_every": 2, "evaluate_every": 1}
DATASET = {k: TINY[k] for k in ("synthetic_images", "synthetic_size", "data_seed")}
CONVERT = ("tfrecords/build.py", *flags(DATASET), "--data-dir", "tfrecords")
COMMANDS = {
    "train": (
        *("train.py", *flags(TRAINING), "--data-dir", "../data", "--run-dir", "run"),
    ),
    "convert": CONVERT,
    "reconvert": CONVERT,  # over a dataset of other options
    "export": ("export.py", "--run-dir", "run"),
}
WEIGHTS = {"train": 6, "convert": 3, "reconvert": 4, "export": 2}
# How often each is drawn: the worst of all the most.
AT_EVENTS = {
    "SIGKILL": 8,
    "SIGTERM": 2,
    "SIGINT": 2,
    "SIGINT twice": 2,
    "SIGTERM twice": 1,
    "disk full": 4,
    "second process": 2,
    "second process, first killed": 1,
}
ELSEWHERE = {"SIGKILL at a time": 4, "SIGTERM at a time": 1, "file too large": 3}
KINDS = AT_EVENTS | ELSEWHERE
# Of a SavedModel; what is in them has another order each time.
UNSTABLE = (
    *("saved_model.pb", "fingerprint.pb", "variables.data-00000-of-00001"),
    "SHA256SUMS",  # of these
)
SPEED_COLUMNS = ("images_per_s", "input_wait")


@dataclasses.dataclass(frozen=True)
class Scenario:
    """A command, a folder to begin with a copy of, and what it does undisturbed."""

    name: str
    initial: pathlib.Path
    events: list[Event]
    expected: dict  # the `content` of the folder after it
    seconds: float


def main():
    """Runs so many trials and prints what came of them; status 1 after a failure."""
    count, seed = int(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 0
    work = pathlib.Path(tempfile.mkdtemp(prefix="kill-anywhere-"))
    scenarios = prepare(work)
    outcomes, num_failures = collections.Counter(), 0
    for number, (name, faults) in enumerate(draw(scenarios, count, seed), 1):
        folder, scenario = work / f"{number:04d}-{name}", scenarios[name]
        what = ", then ".join(describe(fault, scenario) for fault in faults)
        try:
            ended, after = run_trial(scenario, folder, faults)
        except Failure as failure:
            num_failures += 1
            print(f"{number} {name}: {what}: FAILURE: {failure}\n  {folder}")
            continue
        shutil.rmtree(folder)
        print(f"{number} {name}: {what}: {', '.join(ended)}; again: {after}")
        for fault, end in zip(faults, ended, strict=True):
            outcomes[name, fault.kind, end] += 1
    for (name, kind, end), number in sorted(outcomes.items()):
        print(f"{number:5}  {name:10} {kind:29} {end}")
    print(f"{count} trials, {num_failures} failures")
    if not num_failures:
        shutil.rmtree(work)
    sys.exit(bool(num_failures))


def prepare(work: pathlib.Path) -> dict[str, Scenario]:
    """Runs the commands undisturbed."""

    def run(command, folder):
        folder.mkdir(exist_ok=True)
        process = Process(command, folder)
        process.require_success()
        return process.events()

    run((*CONVERT[:-1], "../data"), work / "shared")
    scenarios = {}
    for name, command in COMMANDS.items():
        initial = work / f"initial-{name}"
        initial.mkdir()
        if name == "reconvert":
            run((*CONVERT, "--synthetic-size", "44"), initial)
        if name == "export":
            shutil.copytree(work / "whole-train" / "run", initial / "run")
        whole = shutil.copytree(initial, work / f"whole-{name}")
        start = time.monotonic()
        events = run(command, whole)
        seconds = time.monotonic() - start
        scenarios[name] = Scenario(name, initial, events, content(whole), seconds)
        print(f"{name}: {len(events)} events, {len({e.phase for e in events})} phases")
    return scenarios


def draw(scenarios, count, seed):
    """So many trials: a scenario's name, and the faults of the first processes."""
    rng = random.Random(seed)
    left = {name: [] for name in scenarios}

    def fault_of(name):
        events = scenarios[name].events
        kind = rng.choices(list(KINDS), list(KINDS.values()))[0]
        if kind in AT_EVENTS:
            # Every phase once before any comes twice; rare ones as often as frequent.
            if not left[name]:
                left[name] = sorted({event.phase for event in events})
                rng.shuffle(left[name])
            phase = left[name].pop()
            places = [i for i, event in enumerate(events) if event.phase == phase]
            return Fault(kind, event=rng.choice(places))
        if kind == "file too large":
            return Fault(kind, amount=int(2 ** rng.uniform(15.5, 20)))
        return Fault(kind, amount=rng.uniform(0, scenarios[name].seconds))

    for _ in range(count):
        name = rng.choices(list(WEIGHTS), list(WEIGHTS.values()))[0]
        yield name, [fault_of(name) for _ in range(rng.choice((1, 1, 1, 1, 2)))]


def describe(fault, scenario):
    """A fault in words."""
    if fault.event is not None:
        event = scenario.events[fault.event]
        return f"{fault.kind} before event {fault.event}, {event.phase}"
    unit = "s" if "time" in fault.kind else "bytes"
    return f"{fault.kind} ({fault.amount:.2f} {unit})"


def run_trial(scenario, folder, faults):
    """One command with faults, then without; returns what became of each.

    Raises:
        Failure: something was lost, is left over, or was not explained.
    """
    shutil.copytree(scenario.initial, folder)
    ended = [disturb(scenario, folder, fault) for fault in faults]
    newest = newest_checkpoint(folder)
    process = Process(COMMANDS[scenario.name], folder)
    process.require_success()
    compare(scenario, content(folder))
    after = "the same to the bit"
    if scenario.name == "train":
        if newest is not None:
            after += f", from step {newest}"
        # A run that was finished says only that.
        if (f"continuing after step {newest} " in process.output()) != bool(newest):
            raise Failure(f"checkpoint {newest}, but:\n{process.output()}")
    return ended, after


def disturb(scenario, folder, fault):
    """Runs the command with one fault; returns how it ended, in words."""
    process = Process(COMMANDS[scenario.name], folder, fault)
    if fault.kind.endswith("at a time"):
        time.sleep(fault.amount)
        process.send(signal.Signals[fault.kind.split()[0]])
    elif fault.kind.startswith("second process") and process.wait_until_stopped():
        start_second(scenario, folder, process, "killed" in fault.kind)
    process.wait()
    require_checkpoints(folder, process)
    return process.how_it_ended()


def start_second(scenario, folder, first, is_first_killed):
    """Runs the same command while the first process has been stopped by a signal."""
    second = Process(COMMANDS[scenario.name], folder)
    deadline = time.monotonic() + SECONDS
    while not (second.poll() or "waiting for another" in second.output()):
        if time.monotonic() > deadline:
            raise Failure(f"the second process hangs: {second.output()}")
        time.sleep(0.05)
    first.send(signal.SIGKILL if is_first_killed else signal.SIGCONT)
    second.wait()
    if "is in use by another process" in second.output():
        second.require_one_line()
    else:
        second.require_success()


def require_checkpoints(folder, process):
    """No checkpoint that had been renamed is missing, but for a newer one."""
    *done, _ = [*process.events(), None]
    if process.status < 0:
        done = done[:-1]  # of the last it is not known
    names = [event.path for event in done if event.action == "rename"]
    steps = [int(m[1]) for name in names if (m := re.search(r"step-(\d+)\.npz$", name))]
    # A rename that an error prevented is an event, too; the process then says so.
    if steps and process.status != 2 and (newest_checkpoint(folder) or 0) < steps[-1]:
        raise Failure(f"the checkpoint of step {steps[-1]} is gone")


def newest_checkpoint(folder):
    """The highest step that there is a checkpoint of, or None."""
    names = [path.stem for path in folder.glob("run/checkpoints/step-*.npz")]
    return max((int(name.removeprefix("step-")) for name in names), default=None)


def compare(scenario, found):
    """Raises a `Failure` unless a folder's content is that of an undisturbed run."""
    expected = dict(scenario.expected)
    if scenario.name == "export":
        # Each end after the rename has given one more version, all of them whole.
        versions = {n.split("/")[2] for n in found if n.startswith("exports/run/")}
        one = {n: c for n, c in expected.items() if n.startswith("exports/run/1/")}
        for version in filter(str.isdecimal, versions):
            for name, value in one.items():
                expected[name.replace("run/1/", f"run/{version}/", 1)] = value
    differing = [n for n in expected | found if expected.get(n) != found.get(n)]
    if differing or expected.keys() != found.keys():
        raise Failure(f"differs, is left over or missing: {differing}")


def content(folder: pathlib.Path) -> dict[str, object]:
    """What is in a folder by name, as digests; without times, speeds and logs."""
    found = {}
    for path in sorted(folder.rglob("*")):
        name = str(path.relative_to(folder))
        if path.is_dir() or "/tensorboard/" in name or name.endswith(".lock"):
            continue
        if path.suffix == ".npz":
            with np.load(path) as arrays:
                found[name] = {n: digest(arrays[n].tobytes()) for n in arrays.files}
        elif path.name == "metrics.csv":
            found[name] = rows_without_speed(path)
        elif path.name == "variables.index":
            reader = tf.train.load_checkpoint(str(path.with_suffix("")))
            names = [n for n in reader.get_variable_to_shape_map() if n[0] != "_"]
            found[name] = {n: digest(reader.get_tensor(n).tobytes()) for n in names}
        elif path.suffix == ".md" or path.name in UNSTABLE:
            found[name] = None
        else:
            found[name] = digest(path.read_bytes())
    return found


def rows_without_speed(path):
    """The lines of metrics.csv without what differs from time to time."""
    lines = [line.split(",") for line in path.read_text().splitlines()]
    kept = [i for i, name in enumerate(lines[0]) if name not in SPEED_COLUMNS]
    return [[line[i] for i in kept] for line in lines]


def digest(data):
    """Short, and enough to compare."""
    return hashlib.sha256(data).hexdigest()[:16]


if __name__ == "__main__":
    main()

"""Ends real processes at any moment, runs the same command again, and counts outcomes.

    python -m tests.stress.kill_anywhere 120
    python -m tests.stress.kill_anywhere few

Each trial takes one of the commands below (training, conversion, export) and ends it at
a moment drawn from all that an undisturbed run has: an audit hook counts what Python
does to files of the trial's folder, and acts just before the n-th of them. Writes of
TensorFlow's own have no such event; for them there are random times, a limit on the
size of files, and a small disk (which needs the right to mount). "Disk full" and
"read-only" are errors that all of Python's writes get from a moment on. Then
the same command runs once more, undisturbed.

What may come of it: everything is there, to the bit, as if nothing had been; what was
not is one line that says why, with status 2. A resumed run must begin at the last
checkpoint that had been renamed. All else is a failure, and its folder is kept.

A process is a fork of this one, which has imported TensorFlow but must not use it, so
that it starts at once; what is run in it are the scripts themselves.
"""

import collections
import contextlib
import dataclasses
import errno
import hashlib
import io
import json
import os
import pathlib
import random
import re
import resource
import runpy
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback
import zipfile
from collections.abc import Iterable

import h5py
import numpy as np
import tensorflow as tf

# What the scripts import is there already.
import cyclegan_tf.exporting.exporter
import cyclegan_tf.training  # noqa: F401
from tests.helpers import ROOT, TINY, flags

SEED = 0
SECONDS = 120  # of any process; they take about ten
TRAINING = TINY | {"steps_per_epoch": 6, "checkpoint_every": 2, "evaluate_every": 1}
DATASET = {k: TINY[k] for k in ("synthetic_images", "synthetic_size", "data_seed")}
COMMANDS = {
    "train": ("train.py", *flags(TRAINING), "--data-dir", "../data"),
    "convert": ("tfrecords/build.py", *flags(DATASET), "--data-dir", "tfrecords"),
    "export": ("export.py", "--run-dir", "run"),
}
COMMANDS["train"] += ("--run-dir", "run")
# Converts over a dataset of other options.
COMMANDS["reconvert"] = COMMANDS["convert"]
WEIGHTS = {"train": 6, "export": 2, "convert": 3, "reconvert": 4}
WRITING = ("open for writing", "rename", "make folder")
# Of a SavedModel; what is in them has another order each time.
UNSTABLE = (
    *("saved_model.pb", "fingerprint.pb", "variables.data-00000-of-00001"),
    "SHA256SUMS",  # of these
)
SPEED_COLUMNS = ("images_per_s", "input_wait")


class Failure(Exception):
    """An outcome that must not be."""


@dataclasses.dataclass(frozen=True)
class Event:
    """What a process is about to do to a file.

    Attributes:
        action: such as "rename".
        path: relative to the trial's folder; of a rename, the new name.
    """

    action: str
    path: str

    @property
    def phase(self) -> str:
        """What is being written, with numbers and temporary names left out."""
        path = re.sub(r"\d+", "N", self.path)
        return f"{self.action} {path}"


@dataclasses.dataclass(frozen=True)
class Fault:
    """What happens to a process, and when.

    Attributes:
        kind: one of `KINDS`.
        event: number of the event just before which it happens, or None.
        amount: else seconds after the start, or bytes, that `kind` needs.
    """

    kind: str
    event: int | None = None
    amount: float = 0


AT_EVENTS = (
    "SIGKILL",
    "SIGTERM",
    "SIGINT",
    "SIGINT twice",
    "SIGTERM twice",
    "disk full",
    "read-only",
    "second process",
    "second process, first killed",
)
ELSEWHERE = ("SIGKILL at a time", "SIGTERM at a time", "file too large", "small disk")
KINDS = AT_EVENTS + ELSEWHERE
# The worst of all is tried the most.
KIND_WEIGHTS = (8, 2, 2, 2, 1, 3, 2, 2, 1, 4, 1, 3, 3)


def main():
    """Runs so many trials and prints what came of them; status 1 after a failure."""
    count, seed = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else SEED
    start = time.monotonic()
    work = pathlib.Path(tempfile.mkdtemp(prefix="kill-anywhere-"))
    if count == "few":
        scenarios = prepare(work, {name for name, _ in FEW})
        trials = few(scenarios)
    else:
        scenarios = prepare(work, COMMANDS)
        trials = draw(scenarios, int(count), seed)
    trials = list(trials)
    for name, scenario in scenarios.items():
        phases = {event.phase for event in scenario.events}
        print(f"{name}: {len(scenario.events)} events of {len(phases)} phases")
    outcomes, seen, num_failures = collections.Counter(), set(), 0
    for number, (name, faults) in enumerate(trials, 1):
        folder = work / f"{number:04d}-{name}"
        scenario = scenarios[name]
        what = ", then ".join(describe(fault, scenario) for fault in faults)
        try:
            ended, after = run_trial(scenario, folder, faults)
        except Failure as failure:
            num_failures += 1
            print(f"{number} {name}: {what}: FAILURE: {failure}\n  {folder}")
            continue
        shutil.rmtree(folder)
        for log in work.glob(f"{folder.name}.*"):
            log.unlink()
        print(f"{number} {name}: {what}: {', '.join(ended)}; again: {after}")
        sys.stdout.flush()
        for fault, end in zip(faults, ended, strict=True):
            outcomes[name, fault.kind, end] += 1
        seen |= {scenario.events[f.event].phase for f in faults if f.event is not None}
    print()
    for (name, kind, end), number in sorted(outcomes.items()):
        print(f"{number:5}  {name:10} {kind:29} {end}")
    print(f"{len(seen)} phases drawn; {time.monotonic() - start:.0f} s")
    print(f"{len(trials)} trials, {num_failures} failures")
    if not num_failures:
        shutil.rmtree(work)
    sys.exit(1 if num_failures else 0)


@dataclasses.dataclass(frozen=True)
class Scenario:
    """A command, the folder that it starts from, and what it does undisturbed.

    Attributes:
        name: of the command.
        initial: folder that each trial begins with a copy of.
        events: of an undisturbed run.
        expected: the `content` of the folder after it.
        seconds: that it took.
    """

    name: str
    initial: pathlib.Path
    events: list[Event]
    expected: dict
    seconds: float


def prepare(work: pathlib.Path, names: Iterable[str]) -> dict[str, Scenario]:
    """Runs commands undisturbed."""
    shared = work / "shared"
    shared.mkdir()
    arguments = (*flags(DATASET), "--data-dir", "data")
    require_success(Process(("tfrecords/build.py", *arguments), shared))
    (shared / "data").rename(work / "data")
    scenarios = {}
    for name in (name for name in COMMANDS if name in names):
        initial = work / f"initial-{name}"
        initial.mkdir()
        if name == "reconvert":
            other = DATASET | {"synthetic_size": 44}
            arguments = (*flags(other), "--data-dir", "tfrecords")
            require_success(Process(("tfrecords/build.py", *arguments), initial))
        if name == "export":
            shutil.copytree(work / "whole-train" / "run", initial / "run")
        whole = shutil.copytree(initial, work / f"whole-{name}")
        start = time.monotonic()
        process = Process(COMMANDS[name], whole)
        require_success(process)
        seconds = time.monotonic() - start
        expected = content(whole)
        scenarios[name] = Scenario(name, initial, process.events(), expected, seconds)
    return scenarios


# What each kind of writing does, at its worst moment.
FEW = (
    ("convert", [("second process, first killed", "flush tfrecords/synthetic")]),
    ("reconvert", [("SIGKILL", "rename tfrecords/synthetic/horseNzebra")]),
    ("reconvert", [("disk full", "rename tfrecords/synthetic/horseNzebra")]),
    (
        "train",
        [
            ("SIGKILL", "rename run/config.json"),
            ("SIGKILL", "remove run/checkpoints/best.json"),
            ("SIGKILL", "rename run/model"),
            ("disk full", "rename run/checkpoints/step-N.npz"),
        ],
    ),
)


def few(scenarios):
    """The same trials each time; each fault comes at the first event of its phase."""
    for name, faults in FEW:
        phases = [event.phase for event in scenarios[name].events]
        yield name, [Fault(kind, phases.index(phase)) for kind, phase in faults]


def draw(scenarios, count, seed):
    """So many trials: a scenario's name, and the faults of the first processes."""
    rng = random.Random(seed)
    # Every phase once before any comes twice; rare ones as often as frequent ones.
    phases = {}
    for name, scenario in scenarios.items():
        by_phase = collections.defaultdict(list)
        for number, event in enumerate(scenario.events):
            by_phase[event.phase].append(number)
        phases[name] = by_phase
    left = {name: [] for name in scenarios}

    def fault_of(name):
        kind = rng.choices(KINDS, KIND_WEIGHTS)[0]
        if kind in AT_EVENTS:
            if not left[name]:
                left[name] = rng.sample(sorted(phases[name]), len(phases[name]))
            return Fault(kind, event=rng.choice(phases[name][left[name].pop()]))
        if kind == "file too large":
            return Fault(kind, amount=int(2 ** rng.uniform(15.5, 20)))
        if kind == "small disk":
            return Fault(kind, amount=rng.randrange(16, 1400) * 1024)
        return Fault(kind, amount=rng.uniform(0, scenarios[name].seconds))

    for _ in range(count):
        name = rng.choices(list(WEIGHTS), list(WEIGHTS.values()))[0]
        num_faults = rng.choice((1, 1, 1, 1, 2))
        yield name, [fault_of(name) for _ in range(num_faults)]


def describe(fault, scenario):
    """A fault in words."""
    if fault.event is not None:
        event = scenario.events[fault.event]
        return f"{fault.kind} before event {fault.event}, {event.phase}"
    unit = "s" if "time" in fault.kind else "bytes"
    return f"{fault.kind} ({fault.amount:.2f} {unit})"


def run_trial(scenario, folder, faults):
    """One command with faults, then without.

    Returns:
        How each disturbed process ended, and what the undisturbed one then did.

    Raises:
        Failure: something was lost, is left over, or was not explained.
    """
    needs_disk = any(fault.kind == "small disk" for fault in faults)
    if needs_disk and not can_mount():
        return ["skipped: cannot mount here"] * len(faults), "not run"
    with disk(folder) if needs_disk else contextlib.nullcontext():
        shutil.copytree(scenario.initial, folder, dirs_exist_ok=True)
        ended = []
        for fault in faults:
            ended.append(disturb(scenario, folder, fault))
        newest = newest_checkpoint(folder)
        process = Process(COMMANDS[scenario.name], folder)
        require_success(process)
        after = compare(scenario, content(folder))
        if scenario.name == "train":
            after = require_continued(process.output(), newest) or after
    return ended, after


def disturb(scenario, folder, fault):
    """Runs the command with one fault; returns how it ended, in words."""
    command = COMMANDS[scenario.name]
    if fault.kind == "small disk":
        used = sum(p.stat().st_size for p in folder.rglob("*") if p.is_file())
        remount(folder, used + int(fault.amount))
        process = Process(command, folder)
        process.wait()
        remount(folder, DISK_SIZE)
    elif fault.kind.endswith("at a time"):
        process = Process(command, folder)
        number = signal.Signals[fault.kind.split()[0]]
        time.sleep(fault.amount)
        process.send(number)
        process.wait()
    elif fault.kind.startswith("second process"):
        process = Process(command, folder, fault)
        if process.wait_until_stopped():
            start_second(scenario, folder, process, "killed" in fault.kind)
        process.wait()
    else:
        process = Process(command, folder, fault)
        process.wait()
    require_checkpoints(folder, process)
    return how_it_ended(process)


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
    is_refused = "is in use by another process" in second.output()
    if is_refused:
        require_one_line(second)
    else:
        require_success(second)


def how_it_ended(process):
    """The kind of end, or a failure."""
    output, status = process.output(), process.status
    if "Traceback" in output or "Exception ignored" in output:
        raise Failure(f"traceback, status {status}:\n{output}")
    if status == 0:
        return "finished all the same"
    if status < 0:
        return f"ended by {signal.Signals(-status).name}"
    if status == 2:
        require_one_line(process)
        return "one line that says why"
    if status in (130, 143) and "the same command continues" in output:
        return "stopped and saved"
    if status == 130 and "interrupted" in output:
        return "interrupted"
    raise Failure(f"status {status}:\n{output}")


def require_success(process):
    """Ends with status 0."""
    process.wait()
    if process.status != 0:
        raise Failure(f"status {process.status}:\n{process.output()}")


def require_one_line(process):
    """Ends with status 2 and a line on what is wrong."""
    lines = process.output().strip().splitlines()
    if process.status != 2 or ": error: " not in lines[-1]:
        raise Failure(f"status {process.status}:\n{process.output()}")


def require_checkpoints(folder, process):
    """No checkpoint that had been renamed is missing, but for a newer one."""
    *done, _ = [*process.events(), None]
    if process.status < 0:
        done = done[:-1]  # of the last it is not known
    steps = [
        int(match[1])
        for event in done
        if event.action == "rename"
        and (match := re.search(r"step-(\d+)\.npz$", event.path))
    ]
    # A rename that an error prevented is an event, too; the process then says so.
    if steps and process.status not in (2,):
        newest = newest_checkpoint(folder)
        if newest is None or newest < steps[-1]:
            raise Failure(f"the checkpoint of step {steps[-1]} is gone")


def newest_checkpoint(folder):
    """The highest step that there is a checkpoint of, or None."""
    names = [path.stem for path in folder.glob("run/checkpoints/step-*.npz")]
    return max((int(name.removeprefix("step-")) for name in names), default=None)


def require_continued(output, newest):
    """The run began where the newest checkpoint is; says where."""
    last = TRAINING["epochs"] * TRAINING["steps_per_epoch"]
    if newest is not None and f"continuing after step {newest} " not in output:
        raise Failure(f"did not continue after step {newest}:\n{output}")
    if newest is None and "continuing after" in output:
        raise Failure(f"continued from nowhere:\n{output}")
    if newest == last:
        return "the same to the bit, was finished"
    return "the same to the bit, " + (f"from step {newest}" if newest else "from 0")


def compare(scenario, found):
    """Raises a `Failure` unless a folder's content is that of an undisturbed run."""
    expected = dict(scenario.expected)
    if scenario.name == "export":
        # Each end after the rename has given one more version, all of them whole.
        versions = {n.split("/")[2] for n in found if n.startswith("exports/run/")}
        one = {n: c for n, c in expected.items() if n.startswith("exports/run/1/")}
        for version in versions:
            if not version.isdecimal():
                raise Failure(f"left over: exports/run/{version}")
            for name, value in one.items():
                expected[name.replace("run/1/", f"run/{version}/", 1)] = value
    left, missing = (
        sorted(set(found) - set(expected)),
        sorted(set(expected) - set(found)),
    )
    if left or missing:
        raise Failure(f"left over: {left}; missing: {missing}")
    differing = [name for name in expected if expected[name] != found[name]]
    if differing:
        raise Failure(f"differs: {differing}")
    return "the same to the bit"


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
        elif path.suffix == ".keras":
            found[name] = keras_content(path)
        elif path.name == "model.json":
            about = json.loads(path.read_text())
            # The files that they are of bear the time of saving.
            found[name] = about | {"checksums": None, "sha256": None}
        elif path.name == "metrics.csv":
            found[name] = path_without_speed(path)
        elif path.name == "variables.index":
            found[name] = variables_content(path.with_suffix(""))
        elif path.suffix == ".md" or path.name in UNSTABLE:
            found[name] = None
        else:
            found[name] = digest(path.read_bytes())
    return found


def keras_content(path):
    """Of a model: architecture and weights, without the time of saving."""
    with zipfile.ZipFile(path) as archive:
        found = {"config": digest(archive.read("config.json"))}
        weights = io.BytesIO(archive.read("model.weights.h5"))
    with h5py.File(weights) as file:
        file.visititems(
            lambda name, item: (
                found.update({name: digest(item[()].tobytes())})
                if isinstance(item, h5py.Dataset)
                else None
            )
        )
    return found


def variables_content(prefix):
    """Of a SavedModel: its weights."""
    reader = tf.train.load_checkpoint(str(prefix))
    names = reader.get_variable_to_shape_map()
    arrays = {n: reader.get_tensor(n) for n in names if not n.startswith("_")}
    return {n: digest(array.tobytes()) for n, array in arrays.items()}


def path_without_speed(path):
    """The lines of metrics.csv without what differs from time to time."""
    lines = [line.split(",") for line in path.read_text().splitlines()]
    kept = [i for i, name in enumerate(lines[0]) if name not in SPEED_COLUMNS]
    return [[line[i] for i in kept] for line in lines]


def digest(data):
    """Short, and enough to compare."""
    return hashlib.sha256(data).hexdigest()[:16]


class Process:
    """A fork of this process that runs a script in a folder.

    Args:
        command: the script's name and its arguments.
        folder: the working directory; log and events are written beside it.
        fault: that the process brings upon itself, or None.
    """

    count = 0

    def __init__(self, command, folder, fault=None):
        Process.count += 1
        self.log, self.event_log = (
            folder.with_name(f"{folder.name}.{kind}-{Process.count}")
            for kind in ("log", "events")
        )
        self.status = None
        sys.stdout.flush()
        self.pid = os.fork()
        if not self.pid:
            _run(command, folder, fault, self.log, self.event_log)

    def poll(self):
        """Whether it has ended."""
        if self.status is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.status = os.waitstatus_to_exitcode(status)
        return self.status is not None

    def wait(self):
        """Waits for the end."""
        deadline = time.monotonic() + SECONDS
        while not self.poll():
            if time.monotonic() > deadline:
                os.kill(self.pid, signal.SIGKILL)
                raise Failure(f"hangs:\n{self.output()}")
            time.sleep(0.02)

    def wait_until_stopped(self):
        """Waits until it has stopped itself; False if it has ended before."""
        _, status = os.waitpid(self.pid, os.WUNTRACED)
        if os.WIFSTOPPED(status):
            return True
        self.status = os.waitstatus_to_exitcode(status)
        return False

    def send(self, number):
        """Sends a signal, unless it has ended."""
        if not self.poll():
            os.kill(self.pid, number)

    def output(self):
        """What it has printed, both streams."""
        text = self.log.read_text(errors="replace") if self.log.exists() else ""
        return text.replace("\r", "\n")

    def events(self):
        """What it has done to files, the last perhaps not."""
        lines = self.event_log.read_text().splitlines()
        return [Event(*json.loads(line)) for line in lines]


def _run(command, folder, fault, log, event_log):
    status = 1
    try:
        output = os.open(log, os.O_WRONLY | os.O_CREAT)
        os.dup2(output, 1)
        os.dup2(output, 2)
        events = os.open(event_log, os.O_WRONLY | os.O_CREAT)
        os.chdir(folder)
        if fault is not None and fault.kind == "file too large":
            limit = int(fault.amount)
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
        script = str(ROOT / command[0])
        sys.argv = [script, *map(str, command[1:])]
        # As at a terminal, even where this program runs in the background.
        signal.signal(signal.SIGINT, signal.default_int_handler)
        _install_hook(str(folder), events, fault)
        runpy.run_path(script, run_name="__main__")
        status = 0
    except SystemExit as end:
        status = end.code or 0
    except BaseException:
        traceback.print_exc()
    finally:
        with contextlib.suppress(OSError):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(status)


def _install_hook(folder, event_log, fault):
    """Writes down what is done to files of the folder, and brings the fault about."""
    number, is_inside = -1, False

    def hook(name, arguments):
        nonlocal number, is_inside
        if is_inside or name not in AUDITED:
            return
        is_inside = True
        try:
            event = _event(name, arguments, folder)
            if event is not None:
                number += 1
                line = json.dumps([event.action, event.path]) + "\n"
                os.write(event_log, line.encode())
                if fault is not None and fault.event is not None:
                    _act(fault, number - fault.event, event)
        finally:
            is_inside = False

    sys.addaudithook(hook)


AUDITED = {
    "os.rename": "rename",
    "os.remove": "remove",
    "os.mkdir": "make folder",
    "os.rmdir": "remove folder",
    "open": None,
}


def _event(name, arguments, folder):
    place = arguments[1] if name == "os.rename" else arguments[0]
    if not isinstance(place, str | bytes | os.PathLike):
        return None
    path = os.path.abspath(os.fsdecode(place))
    if not path.startswith(folder + os.sep):
        return None
    action = AUDITED[name]
    if name == "open":
        flags = arguments[2]
        if flags & (os.O_WRONLY | os.O_RDWR):
            action = "open for writing"
        elif os.path.isdir(path) or ".partial" in path:
            action = "flush"
        else:
            return None
    return Event(action, os.path.relpath(path, folder))


def _act(fault, events_since, event):
    kind = fault.kind
    if kind in ("disk full", "read-only"):
        if events_since >= 0 and event.action in WRITING:
            code = errno.ENOSPC if kind == "disk full" else errno.EROFS
            raise OSError(code, os.strerror(code), event.path)
    elif events_since == 0 or (events_since == 1 and kind.endswith("twice")):
        name = "SIGSTOP" if kind.startswith("second") else kind.split()[0]
        os.kill(os.getpid(), signal.Signals[name])


DISK_SIZE = 64 * 2**20


@contextlib.contextmanager
def disk(folder):
    """Makes the folder a file system of its own, in memory."""
    folder.mkdir()
    options = f"size={DISK_SIZE}"
    mount("-t", "tmpfs", "-o", options, "none", folder)
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", folder], check=True)


def remount(folder, size):
    """Changes the size of the file system, in bytes."""
    mount("-o", f"remount,size={size}", folder)


def mount(*arguments):
    """Runs the command `mount`."""
    subprocess.run(["mount", *map(str, arguments)], check=True, capture_output=True)


def can_mount():
    """Whether this user may mount."""
    with tempfile.TemporaryDirectory() as place:
        try:
            mount("-t", "tmpfs", "none", place)
        except (OSError, subprocess.CalledProcessError):
            return False
        subprocess.run(["umount", place], check=True)
        return True


if __name__ == "__main__":
    main()

"""Runs the scripts in processes that end, or fail, at a moment that is given.

A process is a fork of this one, which has imported TensorFlow but must not use it, so
that it starts at once; what is run in it are the scripts themselves. An audit hook
counts what Python does to files of the process' folder, and acts just before one.
"""

import contextlib
import dataclasses
import errno
import json
import os
import re
import resource
import runpy
import signal
import sys
import time
import traceback

# What the scripts import is there already.
import cyclegan_tf.exporting.exporter
import cyclegan_tf.training.run  # noqa: F401
from tests.helpers import ROOT

SECONDS = 120  # of any process; they take about ten
WRITING = ("open for writing", "rename", "make folder")
AUDITED = {
    "os.rename": "rename",
    "os.remove": "remove",
    "os.mkdir": "make folder",
    "os.rmdir": "remove folder",
    "open": None,
}


class Failure(Exception):
    """An outcome that must not be."""


@dataclasses.dataclass(frozen=True)
class Event:
    """What a process is about to do to a file."""

    action: str  # such as "rename"
    path: str  # relative to the process' folder; of a rename, the new name

    @property
    def phase(self) -> str:
        """What is being written, with numbers left out."""
        path = re.sub(r"\d+", "N", self.path)
        return f"{self.action} {path}"


@dataclasses.dataclass(frozen=True)
class Fault:
    """What happens to a process, just before an event or after seconds or bytes."""

    kind: str  # one of `kill_anywhere.KINDS`
    event: int | None = None
    amount: float = 0


class Process:
    """A fork of this process that runs a script, with a fault, in a folder.

    Its log and its events are written beside the folder.
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

    def require_success(self):
        """Waits; ends with status 0."""
        self.wait()
        if self.status != 0:
            raise Failure(f"status {self.status}:\n{self.output()}")

    def require_one_line(self):
        """Ends with status 2 and a line on what is wrong."""
        lines = self.output().strip().splitlines()
        if self.status != 2 or ": error: " not in lines[-1]:
            raise Failure(f"status {self.status}:\n{self.output()}")

    def how_it_ended(self):
        """The kind of end, if it may be."""
        output, status = self.output(), self.status
        if "Traceback" in output or "Exception ignored" in output:
            raise Failure(f"traceback, status {status}:\n{output}")
        if status == 0:
            return "finished all the same"
        if status < 0:
            return f"ended by {signal.Signals(-status).name}"
        if status in (130, 143) and "the same command continues" in output:
            return "stopped and saved"
        if status == 130 and "interrupted" in output:
            return "interrupted"
        self.require_one_line()
        return "one line that says why"


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
        elif os.path.isdir(path) or ".partial" in path or ".unfinished" in path:
            action = "flush"
        else:
            return None
    return Event(action, os.path.relpath(path, folder))


def _act(fault, events_since, event):
    kind = fault.kind
    if kind == "disk full":
        if events_since >= 0 and event.action in WRITING:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), event.path)
    elif events_since == 0 or (events_since == 1 and kind.endswith("twice")):
        name = "SIGSTOP" if kind.startswith("second") else kind.split()[0]
        os.kill(os.getpid(), signal.Signals[name])

"""Work in processes of their own: watched ones, and what all of them have in common."""

import contextlib
import math
import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any, Literal, NamedTuple

import psutil

from cyclegan_tf.common.errors import InputError

# Not forked: a fork of a process with TensorFlow's threads can hang.
CONTEXT = multiprocessing.get_context("spawn")
LOOK_EVERY = 0.02  # seconds
# What the system, or a failed allocation, ends a process with.
LACK_OF_MEMORY = [-getattr(signal, name, 9) for name in ("SIGKILL", "SIGABRT")]


class Outcome(NamedTuple):
    """What became of a watched process.

    Attributes:
        answers: what it told, in order.
        stopped_by: the limit that it was ended at; None: it came to its end.
    """

    answers: list[Any]
    stopped_by: Literal["memory", "time"] | None


def run_watched(
    function: Callable, *arguments: Any, most_bytes: int, seconds: float = math.inf
) -> Outcome:
    """Calls `function(tell, *arguments)` in a process that ends at its limits.

    It, and all processes that it has begun, are gone when this returns or raises.

    Args:
        function: of the top level of a module, gets a function that sends an answer.
        arguments: more of its arguments.
        most_bytes: of memory that it may have.
        seconds: that it may take.

    Raises:
        InputError: raised by the function; an `OSError` likewise.
        RuntimeError: any other error of it, whose traceback is on the console.
    """
    ours, theirs = CONTEXT.Pipe(duplex=False)
    process = CONTEXT.Process(target=_answer, args=(theirs, function, arguments))
    answers, stopped_by, end = [], None, time.monotonic() + seconds
    with interrupts_held_back():
        process.start()
    try:
        theirs.close()  # so that the end of the other one is seen
        with contextlib.suppress(EOFError):
            while not stopped_by:
                if ours.poll(LOOK_EVERY):
                    answers.append(ours.recv())
                # Also of one that answers all the time.
                if time.monotonic() > end:
                    stopped_by = "time"
                elif _memory_of(process) > most_bytes:
                    stopped_by = "memory"
        if not stopped_by:
            process.join()
    finally:
        _end(process)
    if answers and isinstance(answers[-1], Exception):
        raise answers[-1]
    if process.exitcode and not stopped_by:
        if process.exitcode not in LACK_OF_MEMORY:
            raise RuntimeError(f"{function.__name__} ended with {process.exitcode}")
        stopped_by = "memory"
    return Outcome(answers, stopped_by)


def _memory_of(process):
    try:
        return psutil.Process(process.pid).memory_info().rss
    except psutil.Error:
        return 0  # it has just ended


def _end(process):
    """Ends it with all that it has begun, if anything of that is left."""
    with contextlib.suppress(OSError):
        if hasattr(os, "killpg"):
            os.killpg(process.pid, signal.SIGKILL)
    process.kill()
    process.join()


def _answer(connection, function, arguments):
    if hasattr(os, "setpgrp"):
        os.setpgrp()  # its own processes are then ended with it
    end_with_parent()
    try:
        function(connection.send, *arguments)
    except (InputError, OSError) as error:
        connection.send(error)


def end_with_parent() -> None:
    """Ends this process when the one that started it has ended."""

    def wait():
        # A parent that is killed tells nobody.
        multiprocessing.parent_process().join()
        os._exit(1)

    threading.Thread(target=wait, daemon=True).start()


@contextlib.contextmanager
def signals_handled(handler: Callable | int, *numbers: int) -> Iterator[None]:
    """Handles signals another way within the block.

    Only the main thread can, as Python has it; in any other they stay as they are.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    previous = {number: signal.signal(number, handler) for number in numbers}
    try:
        yield
    finally:
        for number, earlier in previous.items():
            signal.signal(number, earlier)


@contextlib.contextmanager
def interrupts_held_back() -> Iterator[None]:
    """Ctrl-C reaches every process of a terminal: those begun in here ignore it."""
    if not hasattr(signal, "pthread_sigmask"):
        yield  # not on Windows
        return
    received = []
    # Another thread may take the signal, and Python then raises it in the main one.
    with signals_handled(lambda *_: received.append(True), signal.SIGINT):
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            yield
        finally:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    if received:
        signal.raise_signal(signal.SIGINT)

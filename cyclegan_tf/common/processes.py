"""What processes of our own have in common."""

import contextlib
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator

# Not forked: a fork of a process with TensorFlow's threads can hang.
CONTEXT = multiprocessing.get_context("spawn")


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

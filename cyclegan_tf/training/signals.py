"""Signals, handled another way for a while; a stop after the step, for one."""

import contextlib
import os
import signal
import threading
from collections.abc import Callable, Iterator


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
def stop_signals() -> Iterator[Callable[[], int | None]]:
    """Turns the first Ctrl-C or SIGTERM into a request; the second stops at once.

    Yields a function that returns the signal received, or None, as it always does in
    another thread than the main one.
    """
    received: list[int] = []

    def handle(number, _):
        if received:
            raise KeyboardInterrupt
        received.append(number)
        # Not through a buffer, which the interrupted code may be writing to.
        os.write(2, b"\nstopping and saving after this step; once more: at once\n")

    with signals_handled(handle, signal.SIGINT, signal.SIGTERM):
        yield lambda: received[0] if received else None

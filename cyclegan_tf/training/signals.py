"""Ctrl-C and SIGTERM as requests to stop after the step."""

import contextlib
import os
import signal
from collections.abc import Callable, Iterator


@contextlib.contextmanager
def stop_signals() -> Iterator[Callable[[], int | None]]:
    """Turns the first Ctrl-C or SIGTERM into a request; the second stops at once.

    Yields:
        A function that returns the signal received, or None.
    """
    received: list[int] = []

    def handle(number, _):
        if received:
            raise KeyboardInterrupt
        received.append(number)
        # Not through a buffer, which the interrupted code may be writing to.
        os.write(2, b"\nstopping and saving after this step; once more: at once\n")

    numbers = (signal.SIGINT, signal.SIGTERM)
    previous = {number: signal.signal(number, handle) for number in numbers}
    try:
        yield lambda: received[0] if received else None
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)

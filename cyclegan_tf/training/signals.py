"""Ctrl-C and SIGTERM as requests to stop after the step."""

import contextlib
import os
import signal
from collections.abc import Callable, Iterator

from cyclegan_tf.common.processes import signals_handled


@contextlib.contextmanager
def stop_signals() -> Iterator[Callable[[], int | None]]:
    """Turns the first Ctrl-C or SIGTERM into a request; the second stops at once.

    In another thread than the main one, none is received: whoever called handles them.

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

    with signals_handled(handle, signal.SIGINT, signal.SIGTERM):
        yield lambda: received[0] if received else None

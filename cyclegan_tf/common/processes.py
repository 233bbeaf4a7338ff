"""What processes of our own have in common."""

import contextlib
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

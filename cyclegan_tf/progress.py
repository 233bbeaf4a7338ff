"""What the console shows while something takes long."""

import sys
import time

from tqdm import tqdm

from cyclegan_tf.escaping import printable

REFRESH_SECONDS = 0.5
# Into a file or a CI log, a bar is written anew on a line of its own.
REFRESH_SECONDS_IN_LOG = 20


def say(message: str) -> None:
    """Prints a line to standard error, without breaking a progress bar.

    What a terminal would obey, in a name for instance, is shown escaped.
    """
    tqdm.write(printable(message), file=sys.stderr)
    sys.stderr.flush()


def show(text: str) -> None:
    """Prints the lines of a result to standard output, escaped likewise."""
    print("\n".join(map(printable, text.split("\n"))), flush=True)


def is_terminal() -> bool:
    """Whether somebody watches standard error."""
    return sys.stderr.isatty()


def status_line() -> tqdm:
    """A line below the progress bar; `set_description_str` changes it."""
    return tqdm(bar_format="{desc}", position=1, leave=False, disable=not is_terminal())


def progress_bar(
    total: int, description: str, unit: str, initial: int = 0, delay: float = 0
) -> tqdm:
    """A progress bar on standard error, sparse where that is not a terminal.

    It appears `delay` seconds after its start, if there is anything left to do then.
    """
    interval = REFRESH_SECONDS if is_terminal() else REFRESH_SECONDS_IN_LOG
    bar = tqdm(
        total=total,
        desc=description,
        unit=unit,
        initial=initial,
        delay=delay,
        mininterval=interval,
        maxinterval=interval,
        dynamic_ncols=True,
        leave=False,
    )
    # tqdm goes by the wall clock: set back, it would stop the bar for as long.
    bar._time = time.monotonic
    bar.start_t = bar.last_print_t = bar._time()
    return bar

"""What the console shows: lines, results, progress.

Names from elsewhere may hold line breaks, sequences that a terminal obeys, Markdown:
they are made harmless.
"""

import contextlib
import os
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # else imported with the first bar: a first answer has none
    from tqdm import tqdm

REFRESH_SECONDS = 0.5
# Into a file or a CI log, a bar is written anew on a line of its own.
REFRESH_SECONDS_IN_LOG = 20
MARKDOWN = {c: f"\\{c}" for c in "\\`*_{}[]()#!|~"} | {"<": "&lt;", "&": "&amp;"}


def say(message: str) -> None:
    """Prints a line, made `printable`, to standard error, above a progress bar."""
    if tqdm := sys.modules.get("tqdm"):
        tqdm.tqdm.write(printable(message), file=sys.stderr)
    else:
        print(printable(message), file=sys.stderr)
    sys.stderr.flush()


def show(text: str) -> None:
    """Prints the lines of a result to standard output, made `printable`.

    Letters that its encoding lacks are escaped, too.
    """
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    lines = "\n".join(map(printable, text.split("\n")))
    print(lines.encode(encoding, "backslashreplace").decode(encoding), flush=True)


@contextlib.contextmanager
def quiet_start() -> Iterator[None]:
    """Imports TensorFlow without its start-up chatter, which C++ writes.

    Import what needs it inside of the block; exceptions say all that matters.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    sys.stderr.flush()
    saved = os.dup(2)
    with open(os.devnull, "wb") as nowhere:
        os.dup2(nowhere.fileno(), 2)
    try:
        import tensorflow as tf

        tf.config.list_physical_devices()  # its search for a GPU chatters, too
        yield
    finally:
        os.dup2(saved, 2)
        os.close(saved)


def is_terminal() -> bool:
    """Whether somebody watches standard error."""
    return sys.stderr.isatty()


def status_line() -> "tqdm":
    """A line below the progress bar; `set_description_str` changes it."""
    from tqdm import tqdm

    return tqdm(bar_format="{desc}", position=1, leave=False, disable=not is_terminal())


def progress_bar(
    total: int | None, description: str, unit: str, initial: int = 0, delay: float = 0
) -> "tqdm":
    """A progress bar on standard error, sparse where that is not a terminal.

    Without a total it counts. It appears if anything is left after `delay` seconds.
    """
    from tqdm import tqdm

    interval = REFRESH_SECONDS if is_terminal() else REFRESH_SECONDS_IN_LOG
    return tqdm(
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


def printable(text: str) -> str:
    r"""One line that a terminal only shows: `\x1b` instead of an escape sequence."""
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)


def counted(number: int, noun: str) -> str:
    """A number of things, such as "1 image" or "2 images"."""
    return f"{number} {noun}{'' if number == 1 else 's'}"


def markdown(value) -> str:
    """A value as plain text within Markdown, also within a cell of a table."""
    return "".join(MARKDOWN.get(c, c) for c in printable(str(value)))

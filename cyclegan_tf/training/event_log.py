"""What a run only tells may fail: that is said once, and the run goes on.

TensorFlow's summary writer (2.21) raises nothing where its folder has vanished, and
where its disk is full only now and then; all that follows is lost. So its file is
looked at after each flush.
"""

import contextlib
import pathlib
import time
from collections.abc import Iterator

import tensorflow as tf

from cyclegan_tf.common.console import say

FLUSH_SECONDS = 120


class Warnings:
    """Says each kind of failure once."""

    def __init__(self):
        self.said = set()

    def once(self, kind: str, sentence: str) -> None:
        """Says it, unless that kind has been said."""
        if kind not in self.said:
            self.said.add(kind)
            say(f"warning: {sentence}")

    @contextlib.contextmanager
    def instead_of_errors(self, kind: str) -> Iterator[None]:
        """Turns a system error, such as that of a full disk, into a warning.

        Args:
            kind: what is written, such as "samples".
        """
        try:
            yield
        except OSError as error:
            self.once(
                kind,
                f"{error.filename or kind}: {error.strerror or error}; the training "
                f"goes on, later {kind} are tried again",
            )


class EventLog:
    """A summary writer that notices when its events are lost, and begins a new file.

    Args:
        directory: of the event files.
        warnings: says it once.
    """

    def __init__(self, directory: pathlib.Path, warnings: Warnings):
        self.directory, self.warnings = directory, warnings
        self._open()

    @contextlib.contextmanager
    def as_default(self, step: int) -> Iterator[None]:
        """Takes what `tf.summary` writes within the block, and ends it if it cannot."""
        with _errors_ignored(), self.writer.as_default(step=step):
            yield
        self.has_news = True
        if time.monotonic() - self.flushed > FLUSH_SECONDS:
            self.flush()

    def flush(self) -> None:
        """Writes what waits, and looks whether it has arrived."""
        with _errors_ignored():
            self.writer.flush()
        self.flushed = time.monotonic()
        if not self.has_news:
            return
        self.has_news = False
        before, self.size = self.size, self._size()
        if self.size > before:
            return
        if self.file is not None and not self.file.exists():
            self.warnings.once(
                "vanished",
                f"{self.file} has vanished; TensorBoard's events go on in a new file",
            )
        else:
            self._say_full()
        # The old file may end within an event, and nothing behind that would be read.
        self._close()
        self._open()

    def close(self) -> None:
        """Writes what waits; the log is of no use after that."""
        self.flush()
        self._close()

    def _close(self):
        with _errors_ignored():
            self.writer.close()

    def _open(self):
        self.has_news, self.flushed = False, time.monotonic()
        before = self._files()
        try:
            self.writer = tf.summary.create_file_writer(str(self.directory))
            self.writer.flush()
        except tf.errors.OpError:
            self.writer = tf.summary.create_noop_writer()
            self._say_full()
        self.file = next(iter(self._files() - before), None)
        self.size = self._size()

    def _files(self):
        return set(self.directory.glob("events.*"))

    def _size(self):
        """Of the file in bytes; 0 where there is none."""
        with contextlib.suppress(OSError):
            return self.file.stat().st_size if self.file else 0
        return 0

    def _say_full(self):
        self.warnings.once(
            "full",
            f"{self.directory} cannot be written, its disk may be full; the training "
            f"goes on, TensorBoard's events are lost until it can",
        )


def _errors_ignored():
    """The size of the file will show that nothing has arrived."""
    return contextlib.suppress(tf.errors.OpError)

"""What a run only tells may fail: that is said once, and the run goes on."""

import contextlib
import pathlib
import time
from collections.abc import Iterator

import tensorflow as tf

from cyclegan_tf.common.console import say

FLUSH_SECONDS = 120


class EventLog:
    """TensorBoard's events of a run, and the warnings of all that cannot be written.

    Args:
        directory: gets the event file.
    """

    def __init__(self, directory: pathlib.Path):
        self.directory, self.said, self.flushed = directory, set(), time.monotonic()
        self.writer = tf.summary.create_noop_writer()
        with self.errors_said_once("tensorboard"):
            self.writer = tf.summary.create_file_writer(str(directory))
            self.writer.flush()

    @contextlib.contextmanager
    def errors_said_once(self, kind: str) -> Iterator[None]:
        """Turns an error of the system, such as a full disk, into one warning a kind.

        Args:
            kind: what is written, such as "samples".
        """
        try:
            yield
        except (OSError, tf.errors.OpError) as error:
            if kind not in self.said:
                self.said.add(kind)
                reason = getattr(error, "strerror", None) or str(error).splitlines()[0]
                say(
                    f"warning: the {kind} of this run cannot be written ({reason}); "
                    f"the training goes on without, and they are tried again"
                )

    @contextlib.contextmanager
    def as_default(self, step: int) -> Iterator[None]:
        """Takes what `tf.summary` writes within the block."""
        with self.errors_said_once("tensorboard"), self.writer.as_default(step=step):
            yield
        if time.monotonic() - self.flushed > FLUSH_SECONDS:
            self.flush()

    def graph(self, name: str, function: tf.Graph) -> None:
        """Writes a graph to a folder of its own, as TensorBoard wants it."""
        with self.errors_said_once("tensorboard"):
            writer = tf.summary.create_file_writer(str(self.directory / name))
            with writer.as_default(step=0):
                tf.summary.graph(function)
            writer.close()

    def flush(self) -> None:
        """Writes what waits."""
        self.flushed = time.monotonic()
        with self.errors_said_once("tensorboard"):
            self.writer.flush()

    def close(self) -> None:
        """Writes what waits; the log is of no use after that."""
        with self.errors_said_once("tensorboard"):
            self.writer.close()

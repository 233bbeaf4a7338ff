"""What a run only tells may fail: that is said once, and the run goes on."""

import contextlib
import pathlib
from collections.abc import Iterator

import numpy as np
import tensorflow as tf

from cyclegan_tf.common.console import say
from cyclegan_tf.evaluation.results import flat_scores
from cyclegan_tf.training.reports.record import Record


class EventLog:
    """TensorBoard's events of a run, and the warnings of all that cannot be written.

    Args:
        directory: gets the event file.
    """

    def __init__(self, directory: pathlib.Path):
        self.said, self.writer = set(), tf.summary.create_noop_writer()
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

    def scalars(self, record: Record) -> None:
        """Writes the numbers of a record."""
        scores = flat_scores(record.results)
        with self._at(record.step):
            for name, loss in record.losses.items():
                tf.summary.scalar(f"losses/{name}", loss)
            tf.summary.scalar("learning_rate", record.learning_rate)
            tf.summary.scalar("speed/images_per_s", record.images_per_s)
            tf.summary.scalar("speed/input_wait", record.input_wait)
            for place, peak in record.peaks.items():
                tf.summary.scalar(f"memory/{place}_peak_mib", peak / 2**20)
            for name, score in scores.items():
                tf.summary.scalar(f"scores/{name}", score)

    def text(self, name: str, text: str, step: int) -> None:
        """Writes a text in Markdown."""
        with self._at(step):
            tf.summary.text(name, text)

    def picture(self, name: str, picture: np.ndarray, step: int) -> None:
        """Writes a picture, uint8 `(height, width, 3)`."""
        with self._at(step):
            tf.summary.image(name, picture[None])

    @contextlib.contextmanager
    def _at(self, step):
        with self.errors_said_once("tensorboard"), self.writer.as_default(step=step):
            yield

    def flush(self) -> None:
        """Writes what waits."""
        with self.errors_said_once("tensorboard"):
            self.writer.flush()

    def close(self) -> None:
        """Writes what waits; the log is of no use after that."""
        with self.errors_said_once("tensorboard"):
            self.writer.close()

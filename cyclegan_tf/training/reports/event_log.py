"""What a run only tells may fail: that is said once, and the run goes on."""

import contextlib
import pathlib
from collections.abc import Iterator

import tensorflow as tf

from cyclegan_tf.common.console import say
from cyclegan_tf.evaluation.results import flat_scores
from cyclegan_tf.training.reports.record import Record


class EventLog:
    """TensorBoard's events of a run, and the warnings of all that cannot be written."""

    def __init__(self, directory: pathlib.Path):
        self.said, self.writer = set(), tf.summary.create_noop_writer()
        with self.errors_said_once("tensorboard"):
            self.writer = tf.summary.create_file_writer(str(directory))
            self.writer.flush()

    @contextlib.contextmanager
    def errors_said_once(self, kind: str) -> Iterator[None]:
        """Turns an error of the system, such as a full disk, into a warning.

        It is said once of a `kind` of what is written, such as "samples".
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
    def at(self, step: int) -> Iterator[None]:
        """Within the block, `tf.summary` writes here, of a step."""
        with self.errors_said_once("tensorboard"), self.writer.as_default(step=step):
            yield

    def scalars(self, record: Record) -> None:
        """Writes the numbers of a record."""
        numbers = {f"losses/{name}": loss for name, loss in record.losses.items()}
        numbers["learning_rate"] = record.learning_rate
        numbers["speed/images_per_s"] = record.images_per_s
        numbers["speed/input_wait"] = record.input_wait
        for place, peak in record.peaks.items():
            numbers[f"memory/{place}_peak_mib"] = peak / 2**20
        for name, score in flat_scores(record.results).items():
            numbers[f"scores/{name}"] = score
        with self.at(record.step):
            for name, number in numbers.items():
                tf.summary.scalar(name, number)

    def flush(self) -> None:
        """Writes what waits."""
        with self.errors_said_once("tensorboard"):
            self.writer.flush()

    def close(self) -> None:
        """Writes what waits; the log is of no use after that."""
        with self.errors_said_once("tensorboard"):
            self.writer.close()

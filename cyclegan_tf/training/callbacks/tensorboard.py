"""Scalars for TensorBoard."""

import tensorflow as tf

from cyclegan_tf.training.callbacks.step import StepCallback
from cyclegan_tf.training.devices import peak_memory

SCALARS_EVERY = 50  # steps


class TensorBoardLog(StepCallback):
    """Writes scalars for TensorBoard, as means over every 50 steps.

    Args:
        log: `EventLog`.
        schedule: the learning rate as a function of the step.
        throughput: measures images per second and the wait for input.
    """

    def __init__(self, log, schedule, throughput):
        super().__init__()
        self.log, self.schedule, self.throughput = log, schedule, throughput

    def on_epoch_begin(self, epoch, logs=None):
        """Remembers where the means begin; the trackers begin anew each epoch."""
        super().on_epoch_begin(epoch, logs)
        self.sums = self._sums()

    def on_train_batch_end(self, batch, logs=None):
        """Writes the scalars of the steps since the last time."""
        super().on_train_batch_end(batch, logs)
        if self.step % SCALARS_EVERY == 0:
            self._write()

    def on_epoch_end(self, epoch, logs=None):
        """Writes what is left of the epoch."""
        if self.step % SCALARS_EVERY:
            self._write()
        self.log.flush()

    def _write(self):
        before, self.sums = self.sums, self._sums()
        with self.log.as_default(step=self.step):
            for name, (total, count) in self.sums.items():
                mean = (total - before[name][0]) / max(1.0, count - before[name][1])
                tf.summary.scalar(f"losses/{name}", mean)
            tf.summary.scalar("learning_rate", self.schedule(self.step - 1))
            tf.summary.scalar("speed/images_per_s", self.throughput.images_per_s)
            tf.summary.scalar("speed/input_wait", self.throughput.input_wait)
            for place, peak in peak_memory().items():
                tf.summary.scalar(f"memory/{place}_peak_mib", peak / 2**20)

    def _sums(self):
        return {
            name: (float(tracker.total.numpy()), float(tracker.count.numpy()))
            for name, tracker in self.model.trackers.items()
        }

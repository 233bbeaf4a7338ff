"""Measures images per second, and the wait for input."""

import time

from cyclegan_tf.training.callbacks.step import StepCallback


class Throughput(StepCallback):
    """Measures images per second and the share of the time spent waiting for input.

    Other callbacks read `images_per_s` and `input_wait` (0 to 1) of the epoch so far.
    The first step of each `fit`, which compiles, is left out.

    Args:
        batch_size: images of each domain per step; both domains are counted.
    """

    def __init__(self, batch_size):
        super().__init__()
        self.batch_size = batch_size
        self.images_per_s = self.input_wait = 0.0

    def on_epoch_begin(self, epoch, logs=None):
        """Starts anew."""
        super().on_epoch_begin(epoch, logs)
        self.start = None

    def on_train_batch_end(self, batch, logs=None):
        """Compares what was done and waited with the time since the first step."""
        super().on_train_batch_end(batch, logs)
        if not logs:
            return  # nobody has waited for the device: this step may not have ended
        now, waited = time.monotonic(), self.model.seconds_waited
        if self.start is None:
            self.start = (now, self.step, waited)
            return
        start, step, earlier_wait = self.start
        elapsed = max(now - start, 1e-9)
        self.images_per_s = 2 * self.batch_size * (self.step - step) / elapsed
        self.input_wait = min(1.0, (waited - earlier_wait) / elapsed)

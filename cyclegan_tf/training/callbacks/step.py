"""What all callbacks of a run have in common."""

import keras


class StepCallback(keras.callbacks.Callback):
    """Knows the step of the run: `self.step` steps have been taken."""

    step = 0

    def on_epoch_begin(self, epoch, logs=None):
        """Reads the step where an epoch, or the rest of one, begins."""
        self.first_step = self.step = self.model.step

    def on_train_batch_end(self, batch, logs=None):
        """Counts."""
        self.step = self.first_step + batch + 1


def is_due(epoch: int, every: int, epochs: int) -> bool:
    """Whether something is done after an epoch, counted from 0: every few, and last."""
    return (epoch + 1) % every == 0 or epoch + 1 == epochs

"""Saves the state of a run."""

from cyclegan_tf.runs import checkpoint
from cyclegan_tf.training.callbacks.step import StepCallback


class Checkpoints(StepCallback):
    """Saves the state every so many steps, after every epoch, and that of the best.

    Args:
        directory: of the checkpoints.
        every: number of steps from one to the next within an epoch.
        before_epochs_checkpoint: function of the step, called before the checkpoint
            that ends an epoch.
        scores: announces a best epoch; None on workers that do not score.
    """

    def __init__(self, directory, every, before_epochs_checkpoint, scores=None):
        super().__init__()
        self.directory, self.every, self.scores = directory, every, scores
        self.before_epochs_checkpoint = before_epochs_checkpoint

    def on_train_batch_end(self, batch, logs=None):
        """Saves within an epoch."""
        super().on_train_batch_end(batch, logs)
        if self.step % self.every == 0 and batch + 1 < self.params["steps"]:
            checkpoint.save(self.model, self.directory, self.step)

    def on_epoch_end(self, epoch, logs=None):
        """Saves after an epoch."""
        if self.scores is not None and self.scores.best is not None:
            checkpoint.save_best(self.model, self.directory, self.scores.best)
        self.before_epochs_checkpoint(self.step)
        checkpoint.save(self.model, self.directory, self.step)

"""The means of an epoch, where a run resumes within it."""

import keras

from cyclegan_tf.runs.checkpoint import set_trackers


class RestoreTrackers(keras.callbacks.Callback):
    """Goes on with the epoch's means where a run resumes within an epoch.

    `fit` clears the trackers at the beginning of what it takes for an epoch.

    Args:
        values: from `checkpoint.tracker_state`, or None.
    """

    def __init__(self, values):
        super().__init__()
        self.values = values

    def on_epoch_begin(self, epoch, logs=None):
        """Puts them back, once."""
        if self.values is not None:
            set_trackers(self.model, self.values)
            self.values = None

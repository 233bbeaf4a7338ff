"""Ends a run where going on would lose something."""

import math

from cyclegan_tf.runs.checkpoint import NonFiniteState, require_finite
from cyclegan_tf.training.callbacks.step import StepCallback

LOSSES_EVERY = 10  # steps; in between, the device need not wait for anybody who reads


class Stopped(Exception):
    """The user asked to stop; raised between two steps, when the state is whole."""


class Guard(StepCallback):
    """Ends the run where going on would lose something; comes first of all.

    Also chooses the steps whose losses are read back: the first and the last of an
    epoch and every tenth. Of others, callbacks get no losses.

    Args:
        is_stop_requested: function of the step, asked after every one.

    Raises:
        NonFiniteState: a loss, or after an epoch a variable, is NaN or infinite.
        Stopped: a stop was requested.
    """

    def __init__(self, is_stop_requested):
        super().__init__()
        self.is_stop_requested = is_stop_requested

    def on_train_batch_begin(self, batch, logs=None):
        """Says whether this step's losses are read."""
        is_first_or_last = batch in (0, self.params["steps"] - 1)
        is_tenth = (self.first_step + batch + 1) % LOSSES_EVERY == 0
        self.model.returns_logs = is_first_or_last or is_tenth

    def on_train_batch_end(self, batch, logs=None):
        """Looks at the losses, then at the request."""
        super().on_train_batch_end(batch, logs)
        for name, value in (logs or {}).items():
            if not math.isfinite(value):
                raise NonFiniteState(f"loss {name} is {value}")
        if self.is_stop_requested(self.step):
            raise Stopped

    def on_epoch_end(self, epoch, logs=None):
        """Looks at the variables, before others make something of them."""
        require_finite(self.model)

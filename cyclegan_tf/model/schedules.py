"""The learning rate over a run."""

import keras
from keras import ops


class LinearDecay(keras.optimizers.schedules.LearningRateSchedule):
    """Constant learning rate, then a straight line towards 0, in steps of an epoch.

    In epoch `e`, counted from 0, the rate is
    `learning_rate * (1 - max(0, e + 1 - constant_epochs) / (decay_epochs + 1))`,
    so the last epoch still has a rate above 0.

    Args:
        learning_rate: rate of the constant part.
        constant_epochs: number of epochs before the rate starts to fall.
        decay_epochs: number of epochs over which it falls.
        steps_per_epoch: optimizer steps in one epoch.

    Source: Zhu et al. 2017, arXiv:1703.10593, Sec. 4 (100 + 100 epochs); the exact
    line is that of the authors' program.

    Example:
        >>> schedule = LinearDecay(2e-4, 100, 100, steps_per_epoch=1334)
        >>> float(schedule(0))
        0.0002
    """

    def __init__(self, learning_rate, constant_epochs, decay_epochs, steps_per_epoch):
        self.learning_rate = learning_rate
        self.constant_epochs = constant_epochs
        self.decay_epochs = decay_epochs
        self.steps_per_epoch = steps_per_epoch

    def __call__(self, step):
        """The float32 learning rate at optimizer step `step`, counted from 0."""
        epoch = ops.cast(step // self.steps_per_epoch, "float32")
        decayed = ops.maximum(0.0, epoch + 1.0 - self.constant_epochs)
        # The step after the last one is asked for too, and must not be negative.
        left = ops.maximum(0.0, 1.0 - decayed / (self.decay_epochs + 1.0))
        return self.learning_rate * left

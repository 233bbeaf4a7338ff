"""Adam with its epsilon where the authors' program has it, and the learning rate."""

import keras
import tensorflow as tf
from keras import ops


class Adam(keras.optimizers.Adam):
    """Adam as in Algorithm 1 of its paper, and in PyTorch.

    The step is `lr * m / (sqrt(v) + epsilon)` with m and v corrected for their bias.
    Keras adds epsilon to the square root before that correction, which makes it 32
    times larger in the first step (beta_2 0.999), 10 times after 10 and 3 after 100.
    That is felt by all weights with gradients near 1e-6 and below.

    One operation updates a variable and both moments, where Keras' formula passes
    over that memory fifteen times.

    Arguments as of `keras.optimizers.Adam`; it has the same variables.

    Source: Kingma and Ba 2015, arXiv:1412.6980, Algorithm 1; Keras follows the
    "epsilon hat" of the remark before Sec. 2.1.

    Example:
        >>> optimizer = Adam(2e-4, beta_1=0.5, epsilon=1e-8)
        >>> optimizer.build(model.trainable_variables)
        >>> optimizer.apply(gradients, model.trainable_variables)
    """

    def update_step(self, gradient, variable, learning_rate):
        """Updates one variable, in one pass over its memory."""
        step = tf.cast(self.iterations.value + 1, variable.dtype)
        beta_2_power = tf.pow(tf.cast(self.beta_2, variable.dtype), step)
        index = self._get_variable_index(variable)
        tf.raw_ops.ResourceApplyAdam(
            var=variable.handle,
            m=self._momentums[index].value.handle,
            v=self._velocities[index].value.handle,
            beta1_power=tf.pow(tf.cast(self.beta_1, variable.dtype), step),
            beta2_power=beta_2_power,
            lr=tf.cast(learning_rate, variable.dtype),
            beta1=self.beta_1,
            beta2=self.beta_2,
            epsilon=self.epsilon * tf.sqrt(1 - beta_2_power),
            grad=tf.cast(gradient, variable.dtype),
        )


class LossScaling(keras.optimizers.LossScaleOptimizer):
    """Loss scaling for float16 in which a skipped step counts as a step.

    Keras halves the scale and leaves the weights alone where a gradient is not finite,
    and does not count it. The order of the images, the learning rate and the pools
    follow the count of steps here, so it has to go on.

    Source: Micikevicius et al. 2018, arXiv:1710.03740, Sec. 3.2.

    Example:
        >>> optimizer = LossScaling(Adam(2e-4, beta_1=0.5))
        >>> optimizer.build(model.trainable_variables)
        >>> scaled = optimizer.scale_loss(loss)
    """

    def _stateful_handle_non_finite_grads(self):
        super()._stateful_handle_non_finite_grads()
        self.inner_optimizer.iterations.assign_add(1)


class LinearDecay(keras.optimizers.schedules.LearningRateSchedule):
    """Constant learning rate, then a straight line towards 0, in steps of an epoch.

    In epoch `e`, counted from 0, the rate is
    `learning_rate * (1 - max(0, e + 1 - constant_epochs) / (decay_epochs + 1))`,
    so the last epoch still has a rate above 0.

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

"""Layers that Keras does not have, or not in this form."""

import keras
import tensorflow as tf
from keras import layers, ops

NORM_EPSILON = 1e-5  # of the authors' program; GroupNormalization's default is 1e-3
# What TensorFlow's fused batch normalization takes; statistics are float32 in each.
FUSED_DTYPES = (tf.float32, tf.bfloat16, tf.float16)
# Black and white as a change meets them: at -1 and 1 themselves nothing could.
MOST = 0.98


@keras.saving.register_keras_serializable("cyclegan_tf")
class ReflectionPadding2D(layers.Layer):
    """Mirrors `padding` pixels at every border, the border pixel itself not repeated.

    Args:
        padding: rows and columns added on each side; must be smaller than the image.

    Call with `(batch, height, width, channels)` of any float type.

    Example:
        >>> ReflectionPadding2D(3)(ops.zeros((1, 8, 8, 3))).shape
        TensorShape([1, 14, 14, 3])
    """

    def __init__(self, padding, **kwargs):
        super().__init__(**kwargs)
        self.padding = padding

    def call(self, images):
        """Pads height and width."""
        border = (self.padding, self.padding)
        return ops.pad(images, ((0, 0), border, border, (0, 0)), mode="reflect")

    def compute_output_shape(self, input_shape):
        """Height and width grow by twice the padding where they are known."""
        batch, height, width, channels = input_shape
        grow = 2 * self.padding
        height = None if height is None else height + grow
        width = None if width is None else width + grow
        return batch, height, width, channels

    def get_config(self):
        """The constructor's arguments."""
        return {**super().get_config(), "padding": self.padding}


@keras.saving.register_keras_serializable("cyclegan_tf")
class InstanceNormalization(layers.Layer):
    """Normalizes each channel of each image over its pixels, may scale and shift it.

    The same function as `keras.layers.GroupNormalization(groups=-1)`, which is slower
    because it reshapes to six dimensions. Mean and variance are float32 whatever the
    precision.

    Args:
        epsilon: added to the variance.
        affine: learn a scale and an offset per channel.

    Attributes:
        fused: in training compute it with TensorFlow's fused batch normalization, an
            image at a time. The same within rounding, and on a CPU 1.5 to 2 times as
            fast; but slower within XLA, which fuses the plain form by itself. Batches
            then need a static size.

    Call with `(batch, height, width, channels)` of any float type.

    Source: Ulyanov et al. 2016, arXiv:1607.08022.

    Example:
        >>> InstanceNormalization()(ops.ones((1, 8, 8, 3))).shape
        TensorShape([1, 8, 8, 3])
    """

    def __init__(self, epsilon=NORM_EPSILON, affine=True, **kwargs):
        super().__init__(**kwargs)
        self.epsilon, self.affine = epsilon, affine
        self.fused = False

    def build(self, input_shape):
        """Makes one scale and one offset per channel, if they are learned."""
        if not self.affine:
            return
        shape = (input_shape[-1],)
        # Not rounded to the compute type before they meet the float32 statistics.
        options = {"shape": shape, "autocast": False}
        self.scale = self.add_weight(initializer="ones", name="scale", **options)
        self.offset = self.add_weight(initializer="zeros", name="offset", **options)

    def call(self, images, training=False):
        """Normalizes over height and width."""
        if training and self.fused and images.dtype in FUSED_DTYPES:
            return self._call_fused(images)
        x = ops.cast(images, "float32")
        mean = ops.mean(x, axis=(1, 2), keepdims=True)
        centred = x - mean
        variance = ops.mean(ops.square(centred), axis=(1, 2), keepdims=True)
        gain = ops.rsqrt(variance + self.epsilon)
        if not self.affine:
            return ops.cast(centred * gain, self.compute_dtype)
        gain = gain * ops.cast(self.scale, "float32")
        normalized = centred * gain + ops.cast(self.offset, "float32")
        return ops.cast(normalized, self.compute_dtype)

    def _call_fused(self, images):
        channels = images.shape[-1]
        scale = self.scale.value if self.affine else tf.ones((channels,))
        offset = self.offset.value if self.affine else tf.zeros((channels,))
        empty = tf.zeros((0,))  # no statistics are given: it measures them
        # Over a batch of one image, batch normalization is instance normalization.
        normalized = [
            tf.raw_ops.FusedBatchNormV3(
                x=image,
                scale=scale,
                offset=offset,
                mean=empty,
                variance=empty,
                epsilon=self.epsilon,
                is_training=True,
            ).y
            for image in tf.split(images, images.shape[0])
        ]
        return tf.concat(normalized, axis=0)

    def get_config(self):
        """The constructor's arguments."""
        own = {"epsilon": self.epsilon, "affine": self.affine}
        return {**super().get_config(), **own}


def use_fused_normalization(network: keras.Model, fused: bool) -> None:
    """Chooses how a network's instance normalizations are computed in training."""
    for layer in network.layers:
        if isinstance(layer, InstanceNormalization):
            layer.fused = fused


@keras.saving.register_keras_serializable("cyclegan_tf")
class MaskedChange(layers.Layer):
    """Changes images where a mask says so, within their range.

    Call with a list of images in [-1, 1], changes in (-1, 1) of the same shape, and
    masks in [0, 1] of one channel. A change c makes (x + c) / (1 + x c) of a value x,
    the tanh of the sum of what both are the tanh of: 0 changes nothing, 1 makes white
    and -1 black of everything, and between them no value leaves the range, so that
    each has a gradient.
    """

    def call(self, inputs):
        """Images of the same shape and range."""
        images, changes, masks = inputs
        held = ops.clip(images, -MOST, MOST)
        changed = (held + changes) / (1 + held * changes)
        return images + masks * (changed - images)

    def compute_output_shape(self, input_shape):
        """That of the images."""
        return input_shape[0]

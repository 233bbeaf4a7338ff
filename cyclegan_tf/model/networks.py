"""Generator and discriminator: Keras functional models, and the layers they need.

Differences in defaults from PyTorch are written out, so that weights can be exchanged
with the authors' program: its strided convolutions pad one pixel on every side, where
Keras' "same" pads (0, 1), and its transposed convolutions keep rows and columns
1 to 2n of the full result of 2n + 1.
"""

from typing import Literal

import keras
import tensorflow as tf
from keras import layers, ops

DiscriminatorName = Literal["patch46", "patch70"]
# Instance normalization with a learned scale and offset, or without (the authors').
NormName = Literal["affine", "plain"]
UpsamplingName = Literal["transpose", "resize"]

# Sec. 7.2 of the paper: Gaussian, standard deviation 0.02.
WEIGHT_STDDEV = 0.02
NORM_EPSILON = 1e-5  # of the authors' program; GroupNormalization's default is 1e-3
LEAKY_SLOPE = 0.2
# Two strides of 2: a generator takes images whose sides are multiples of this.
SIDE_MULTIPLE = 4
# What TensorFlow's fused batch normalization takes; statistics are float32 in each.
FUSED_DTYPES = (tf.float32, tf.bfloat16, tf.float16)


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


def build_generator(
    filters=64,
    num_residual_blocks=9,
    channels=3,
    norm: NormName = "affine",
    upsampling: UpsamplingName = "transpose",
    name="generator",
):
    """The ResNet generator.

    Args:
        filters: channels of the first convolution (paper: 64).
        num_residual_blocks: 9 for images from 256 px on, 6 below.
        channels: of input and output.
        norm: "affine", instance normalization learns a scale and an offset; "plain",
            it does not, as in the authors' program.
        upsampling: "transpose", the paper's transposed convolutions; "resize", each
            pixel repeated 2x2 and then convolved, which cannot draw a checkerboard
            by itself (Odena et al. 2016, doi:10.23915/distill.00003).
        name: of the model.

    Returns:
        A functional model from `(batch, height, width, channels)` in [-1, 1] to the
        same shape and range. Height and width may be any multiples of 4 from 8 on.

    Raises:
        ValueError: an unknown `norm` or `upsampling`.

    Source: Zhu et al. 2017, arXiv:1703.10593, Sec. 7.2; Johnson et al. 2016. No ReLU
    after the sum of a residual block. Convolutions before a normalization have no
    bias, which the normalization would cancel.
    """
    affine = _is_affine(norm)
    upsample = {"transpose": _upsample, "resize": _resize_upsample}.get(upsampling)
    if upsample is None:
        raise ValueError(
            f"upsampling must be 'transpose' or 'resize', got {upsampling!r}."
        )
    inputs = keras.Input((None, None, channels), name="image")
    x = ReflectionPadding2D(3, name="stem_pad")(inputs)
    x = _conv(x, filters, 7, "stem")
    x = _norm_relu(x, "stem", affine)
    for i, factor in enumerate((2, 4), start=1):
        x = layers.ZeroPadding2D(1, name=f"down{i}_pad")(x)
        x = _conv(x, factor * filters, 3, f"down{i}", strides=2)
        x = _norm_relu(x, f"down{i}", affine)
    for i in range(1, num_residual_blocks + 1):
        x = _residual_block(x, f"residual{i}", affine)
    for i, factor in enumerate((2, 1), start=1):
        x = upsample(x, factor * filters, f"up{i}")
        x = _norm_relu(x, f"up{i}", affine)
    x = ReflectionPadding2D(3, name="head_pad")(x)
    x = _conv(x, channels, 7, "head", use_bias=True)
    # float32, so that pixels and losses do not inherit a half-precision rounding.
    outputs = layers.Activation("tanh", dtype="float32", name="translated")(x)
    return keras.Model(inputs, outputs, name=name)


def build_discriminator(
    kind: DiscriminatorName = "patch46",
    filters=64,
    channels=3,
    norm: NormName = "affine",
    name="discriminator",
):
    """The PatchGAN discriminator.

    Args:
        kind: "patch46", three stages (1, 2, 4 times `filters`) of stride 2, each score
            sees 46x46 pixels; "patch70", the paper's, one more stage (8 times
            `filters`) of stride 1, each score sees 70x70 pixels.
        filters: channels of the first convolution (paper: 64).
        channels: of the input.
        norm: see `build_generator`.
        name: of the model.

    Returns:
        A functional model from `(batch, height, width, channels)` in [-1, 1] to float32
        patch scores `(batch, rows, columns, 1)`: 1 is real, 0 is fake, no sigmoid.

    Raises:
        ValueError: an unknown `kind` or `norm`.

    Source: Zhu et al. 2017, arXiv:1703.10593, Sec. 7.2; Isola et al. 2017.
    """
    strides = {"patch46": (2, 2, 2), "patch70": (2, 2, 2, 1)}.get(kind)
    if strides is None:
        raise ValueError(f"kind must be 'patch46' or 'patch70', got {kind!r}.")
    affine = _is_affine(norm)
    inputs = keras.Input((None, None, channels), name="image")
    x = inputs
    for i, stride in enumerate(strides):
        x = layers.ZeroPadding2D(1, name=f"stage{i + 1}_pad")(x)
        is_first = i == 0
        x = _conv(x, filters * 2**i, 4, f"stage{i + 1}", stride, use_bias=is_first)
        if not is_first:
            x = InstanceNormalization(affine=affine, name=f"stage{i + 1}_norm")(x)
        x = layers.LeakyReLU(LEAKY_SLOPE, name=f"stage{i + 1}_relu")(x)
    x = layers.ZeroPadding2D(1, name="scores_pad")(x)
    x = _conv(x, 1, 4, "scores_conv", use_bias=True)
    scores = layers.Activation("linear", dtype="float32", name="scores")(x)
    return keras.Model(inputs, scores, name=name)


def with_dtype(network: keras.Model, policy: str) -> keras.Model:
    """A copy that computes, and may store its weights, in another precision.

    Statistics of the instance normalization stay float32, and so does the output:
    `InstanceNormalization` and the last activation see to that themselves.

    Args:
        network: a generator or a discriminator.
        policy: a Keras dtype policy: "mixed_bfloat16" computes in bfloat16 and keeps
            weights in float32, "bfloat16" has both in bfloat16; "float32", ...
    """
    last = network.layers[-1].name

    def converted(layer):
        config = layer.get_config()
        if layer.name != last and not isinstance(layer, layers.InputLayer):
            config["dtype"] = policy
        return type(layer).from_config(config)

    copy = keras.models.clone_model(network, clone_function=converted)
    copy.set_weights(network.get_weights())
    return copy


def use_fused_normalization(network: keras.Model, fused: bool) -> None:
    """Chooses how a network's instance normalizations are computed in training."""
    for layer in network.layers:
        if isinstance(layer, InstanceNormalization):
            layer.fused = fused


def _is_affine(norm):
    if norm not in ("affine", "plain"):
        raise ValueError(f"norm must be 'affine' or 'plain', got {norm!r}.")
    return norm == "affine"


def _initializer():
    return keras.initializers.RandomNormal(stddev=WEIGHT_STDDEV)


def _conv(x, filters, size, name, strides=1, use_bias=False):
    return layers.Conv2D(
        filters,
        size,
        strides,
        padding="valid",
        use_bias=use_bias,
        kernel_initializer=_initializer(),
        name=name,
    )(x)


def _norm_relu(x, name, affine):
    x = InstanceNormalization(affine=affine, name=f"{name}_norm")(x)
    return layers.ReLU(name=f"{name}_relu")(x)


def _residual_block(inputs, name, affine):
    filters = inputs.shape[-1]
    x = ReflectionPadding2D(1, name=f"{name}_pad1")(inputs)
    x = _conv(x, filters, 3, f"{name}_conv1")
    x = _norm_relu(x, f"{name}_conv1", affine)
    x = ReflectionPadding2D(1, name=f"{name}_pad2")(x)
    x = _conv(x, filters, 3, f"{name}_conv2")
    x = InstanceNormalization(affine=affine, name=f"{name}_conv2_norm")(x)
    return layers.Add(name=f"{name}_sum")([inputs, x])


def _upsample(x, filters, name):
    x = layers.Conv2DTranspose(
        filters,
        3,
        strides=2,
        padding="valid",
        use_bias=False,
        kernel_initializer=_initializer(),
        name=name,
    )(x)
    return layers.Cropping2D(((1, 0), (1, 0)), name=f"{name}_crop")(x)


def _resize_upsample(x, filters, name):
    x = layers.UpSampling2D(2, interpolation="nearest", name=f"{name}_repeat")(x)
    x = ReflectionPadding2D(1, name=f"{name}_pad")(x)
    return _conv(x, filters, 3, name)

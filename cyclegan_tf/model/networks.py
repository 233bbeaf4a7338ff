"""Generator and discriminator: Keras functional models.

Differences in defaults from PyTorch are written out, so that weights can be exchanged
with the authors' program: its strided convolutions pad one pixel on every side, where
Keras' "same" pads (0, 1), and its transposed convolutions keep rows and columns
1 to 2n of the full result of 2n + 1.
"""

from typing import Literal

import keras
import tensorflow as tf
from keras import layers

from cyclegan_tf.config.architectures import DISCRIMINATORS, DiscriminatorName, kind_of
from cyclegan_tf.model.layers import (
    InstanceNormalization,
    MaskedChange,
    ReflectionPadding2D,
)

# Instance normalization with a learned scale and offset, or without (the authors').
NormName = Literal["affine", "plain"]
UpsamplingName = Literal["transpose", "resize"]

# Sec. 7.2 of the paper: Gaussian, standard deviation 0.02.
WEIGHT_STDDEV = 0.02
# Of what changes an image: a few grey levels, with 16 to 64 filters before it.
FIRST_CHANGE_STDDEV = 0.005
LEAKY_SLOPE = 0.2


def build_generator(
    filters=64,
    num_residual_blocks=9,
    channels=3,
    norm: NormName = "affine",
    upsampling: UpsamplingName = "transpose",
    name="generator",
    out_channels=None,
    has_attention=False,
):
    """The ResNet generator.

    Args:
        filters: channels of the first convolution (paper: 64).
        num_residual_blocks: 9 for images from 256 px on, 6 below.
        channels: of the input, and of the output unless `out_channels` says otherwise.
        norm: "affine", instance normalization learns a scale and an offset; "plain",
            it does not, as in the authors' program.
        upsampling: "transpose", the paper's; "resize", each pixel 2x2, convolved,
            without checkerboards (Odena et al. 2016, doi:10.23915/distill.00003).
        name: of the model.
        has_attention: a second head draws a mask of where the image is changed, and
            the first by how much, at the start by next to nothing. Where channels
            differ, there is nothing to change.

    Returns:
        A functional model from `(batch, height, width, channels)` in [-1, 1] to the
        same size and range. Height and width may be any multiples of 4 from 8 on.

    Raises:
        ValueError: an unknown `norm` or `upsampling`.

    Source: Zhu et al. 2017, arXiv:1703.10593, Sec. 7.2; Johnson et al. 2016. No ReLU
    after the sum of a residual block. Convolutions before a normalization have no
    bias, which the normalization would cancel. The mask: Mejjati et al. 2018,
    arXiv:1806.02311, and Tang et al. 2019, arXiv:1911.11897.
    """
    affine, upsample = _is_affine(norm), _upsampling_of(upsampling)
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
    # float32 at the end: pixels and losses inherit no half-precision rounding.
    out_channels = out_channels or channels
    if has_attention and out_channels == channels:
        outputs = _masked_change(x, inputs)
    else:
        x = _conv(x, out_channels, 7, "head", use_bias=True)
        outputs = layers.Activation("tanh", dtype="float32", name="translated")(x)
    return keras.Model(inputs, outputs, name=name)


def _upsampling_of(name):
    if name == "transpose":
        return _upsample
    if name == "resize":
        return _resize_upsample
    raise ValueError(f"upsampling must be 'transpose' or 'resize', got {name!r}.")


def _masked_change(x, inputs):
    # Both heads draw from the same; the change begins near to none.
    mask = _conv(x, 1, 7, "mask", use_bias=True)
    mask = layers.Activation("sigmoid", name="mask_sigmoid")(mask)
    stddev = FIRST_CHANGE_STDDEV
    x = _conv(x, inputs.shape[-1], 7, "head", use_bias=True, stddev=stddev)
    x = layers.Activation("tanh", name="head_tanh")(x)
    return MaskedChange(dtype="float32", name="translated")([inputs, x, mask])


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
            `filters`) of stride 1, each score sees 70x70 pixels; "two-scale", one of
            "patch46" for the image and one for its half, whose scores count four times.
        filters: channels of the first convolution (paper: 64).
        channels: of the input.
        norm: see `build_generator`.
        name: of the model.

    Returns:
        A functional model from `(batch, height, width, channels)` in [-1, 1] to float32
        patch scores `(batch, rows, columns, 1)`, of two scales `(batch, scores, 1)`: 1
        is real, 0 is fake, no sigmoid.

    Raises:
        ValueError: an unknown `kind` or `norm`.

    Source: Zhu et al. 2017, arXiv:1703.10593, Sec. 7.2; Isola et al. 2017. Two scales:
    Wang et al. 2018, arXiv:1711.11585, Sec. 3.2.
    """
    architecture, affine = kind_of(DISCRIMINATORS, kind), _is_affine(norm)
    inputs = keras.Input((None, None, channels), name="image")
    x = _patch_scores(inputs, architecture.strides, filters, affine)
    if architecture.has_half_scale:
        half = layers.AveragePooling2D(2, name="half")(inputs)
        half = _patch_scores(half, architecture.strides, filters, affine, "half_")
        # Four times, as it stands for four times the pixels. Borders take more of its
        # few scores: of all it has 31 % at 32 px, 42 % at 64, 47 % at 128.
        half = layers.UpSampling2D(name="half_scores_repeated")(half)
        both = [layers.Reshape((-1, 1))(scores) for scores in (x, half)]
        x = layers.Concatenate(axis=1, name="both_scales")(both)
    scores = layers.Activation("linear", dtype="float32", name="scores")(x)
    return keras.Model(inputs, scores, name=name)


def _patch_scores(x, strides, filters, affine, prefix=""):
    for i, stride in enumerate(strides):
        name = f"{prefix}stage{i + 1}"
        x = layers.ZeroPadding2D(1, name=f"{name}_pad")(x)
        is_first = i == 0
        x = _conv(x, filters * 2**i, 4, name, stride, use_bias=is_first)
        if not is_first:
            x = InstanceNormalization(affine=affine, name=f"{name}_norm")(x)
        x = layers.LeakyReLU(LEAKY_SLOPE, name=f"{name}_relu")(x)
    x = layers.ZeroPadding2D(1, name=f"{prefix}scores_pad")(x)
    return _conv(x, 1, 4, f"{prefix}scores_conv", use_bias=True)


def stages_of(discriminator: keras.Model) -> keras.Model:
    """A discriminator without its scores: what comes out of each of its rectifiers."""
    relus = [x for x in discriminator.layers if isinstance(x, layers.LeakyReLU)]
    return keras.Model(discriminator.input, [relu.output for relu in relus])


def apply_to_pair(network, first, second):
    """Runs two batches through a network as one; instance norm keeps them apart.

    Returns:
        What it makes of both; of a network with several outputs, a list of such pairs.
    """
    both = network(tf.concat([first, second], axis=0))
    return tf.nest.map_structure(lambda x: tf.split(x, 2, axis=0), both)


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


def _is_affine(norm):
    if norm not in ("affine", "plain"):
        raise ValueError(f"norm must be 'affine' or 'plain', got {norm!r}.")
    return norm == "affine"


def _conv(x, filters, size, name, strides=1, use_bias=False, stddev=WEIGHT_STDDEV):
    return layers.Conv2D(
        filters,
        size,
        strides,
        padding="valid",
        use_bias=use_bias,
        kernel_initializer=keras.initializers.RandomNormal(stddev=stddev),
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
        kernel_initializer=keras.initializers.RandomNormal(stddev=WEIGHT_STDDEV),
        name=name,
    )(x)
    return layers.Cropping2D(((1, 0), (1, 0)), name=f"{name}_crop")(x)


def _resize_upsample(x, filters, name):
    x = layers.UpSampling2D(2, interpolation="nearest", name=f"{name}_repeat")(x)
    x = ReflectionPadding2D(1, name=f"{name}_pad")(x)
    return _conv(x, filters, 3, name)

"""A small generator, for phones and for processors without a GPU."""

import keras
from keras import layers

from cyclegan_tf.model.layers import InstanceNormalization, ReflectionPadding2D

PATCH = 8  # pixels, of what the first convolution sees and the last one draws
STRIDE = 4
MARGIN = (PATCH - STRIDE) // 2


def build_mobile_generator(
    width=128, num_residual_blocks=9, channels=3, name="generator", out_channels=None
):
    """The ResNet generator with less arithmetic: nothing but its ends at full size.

    One convolution of stride 4 takes the place of the first three, one transposed
    convolution that of the last three, and the convolutions of residual blocks are
    separable. What they draw is added to the image, where it has as many channels as
    what comes out: its details need not pass through the few channels inside.

    `width` is channels of the residual blocks, at a quarter of the image's size; all
    else, and the functional model, is as of `networks.build_generator`.

    Source: separable residual blocks as in Li et al. 2020, arXiv:2003.08936, Sec. 3.2,
    and Howard et al. 2017, arXiv:1704.04861, Sec. 3.1.
    """
    inputs = keras.Input((None, None, channels), name="image")
    x = ReflectionPadding2D(MARGIN, name="stem_pad")(inputs)
    x = layers.Conv2D(width, PATCH, STRIDE, use_bias=False, name="stem")(x)
    x = InstanceNormalization(name="stem_norm")(x)
    x = layers.ReLU(name="stem_relu")(x)
    for i in range(1, num_residual_blocks + 1):
        y = _separable(x, f"residual{i}_conv1")
        y = layers.ReLU(name=f"residual{i}_conv1_relu")(y)
        y = _separable(y, f"residual{i}_conv2")
        x = layers.Add(name=f"residual{i}_sum")([x, y])
    out_channels = out_channels or channels
    x = layers.Conv2DTranspose(out_channels, PATCH, STRIDE, name="head")(x)
    x = layers.Cropping2D(MARGIN, name="head_crop")(x)
    if out_channels == channels:
        x = layers.Add(name="head_sum")([x, inputs])
    # float32, as in `networks.build_generator`.
    outputs = layers.Activation("tanh", dtype="float32", name="translated")(x)
    return keras.Model(inputs, outputs, name=name)


def _separable(x, name):
    x = ReflectionPadding2D(1, name=f"{name}_pad")(x)
    x = layers.DepthwiseConv2D(3, use_bias=False, name=f"{name}_depthwise")(x)
    x = layers.Conv2D(x.shape[-1], 1, use_bias=False, name=name)(x)
    return InstanceNormalization(name=f"{name}_norm")(x)

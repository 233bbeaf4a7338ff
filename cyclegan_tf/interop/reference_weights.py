"""Weights of our generators and of PyTorch's ResNet generators, one to the other.

A bias before an instance norm shifts a channel that the norm then
centres: it changes nothing, is left out here, and is written as zeros on the way back.

What the authors' program writes, and is given back to it, is numbered in one
`nn.Sequential`, padding and activations included:

    model.1                    7x7, then norm (2) and ReLU (3); 0 is the padding
    model.4, model.7           the two strided convolutions
    model.10 ...               a residual block each, `conv_block.1` and `conv_block.5`
    model.<10 + blocks>, +3    the two transposed convolutions
    model.<17 + blocks>        7x7 before tanh

Source: the names in state dicts of pytorch-CycleGAN-and-pix2pix (`resnet_6blocks`,
`resnet_9blocks`, no dropout).
"""

import keras
import numpy as np

from cyclegan_tf.common.errors import InputError
from cyclegan_tf.interop.state_dicts import Size, convolutions, recognise
from cyclegan_tf.model.networks import (
    InstanceNormalization,
    NormName,
    UpsamplingName,
    build_generator,
)

# (out, in, height, width) of Conv2d to (height, width, in, out), and of ConvTranspose2d
# (in, out, height, width) to (height, width, out, in).
TO_KERAS = (2, 3, 1, 0)
TO_TORCH = (3, 2, 0, 1)


def generator_from_reference(
    tensors: dict[str, np.ndarray], source: str
) -> tuple[keras.Model, list[str]]:
    """A generator of ours that computes what PyTorch's with these weights does.

    Args:
        tensors: a state dict in its order, see `torch_files.read_tensors`.
        source: where it comes from, for errors.

    Returns:
        A generator, whose filters, blocks, channels, norms and kind of up-sampling
        follow from the tensors; and what they do not tell and was assumed, in words.

    Raises:
        InputError: they are no such generator's, or not finite; what was found, and
            what is missing, is named.
    """
    try:
        found = recognise(tensors)
    except ValueError as error:
        raise InputError(f"{source} is not a ResNet generator: {error}.") from None
    size = found.size
    generator = build_generator(
        *size[:3],
        norm=found.norm,
        upsampling=found.upsampling,
        out_channels=size.out_channels,
    )
    layers = convolutions(*size)
    for layer, convolution in zip(layers, found.convolutions, strict=True):
        weights = [convolution.kernel.transpose(TO_KERAS)]
        if layer == "head":
            weights.append(convolution.bias)
        elif convolution.norm:
            generator.get_layer(f"{layer}_norm").set_weights(convolution.norm)
        generator.get_layer(layer).set_weights(weights)
    return generator, found.assumed


def size_of(generator: keras.Model) -> Size:
    """The size of a generator of ours."""
    num_blocks = sum(layer.name.endswith("_sum") for layer in generator.layers)
    filters = generator.get_layer("stem").filters
    channels, out_channels = generator.input_shape[-1], generator.output_shape[-1]
    return Size(filters, num_blocks, channels, out_channels)


def form_of(generator: keras.Model) -> tuple[NormName, UpsamplingName | None]:
    """The norms and the up-sampling of a generator of ours, None of a student."""
    norms = [x for x in generator.layers if isinstance(x, InstanceNormalization)]
    up = [layer for layer in generator.layers if layer.name == "up1"]
    is_transposed = any(isinstance(x, keras.layers.Conv2DTranspose) for x in up)
    upsampling = ("transpose" if is_transposed else "resize") if up else None
    return "affine" if any(norm.weights for norm in norms) else "plain", upsampling


def generator_to_reference(generator: keras.Model, source: str) -> dict:
    """The state dict with which the authors' network computes what ours does.

    Returns:
        float32 arrays by name, in the order of the authors' network.

    Raises:
        InputError: its norms have a learned scale and offset, it does not upsample
            by transposed convolutions, or it has a mask.
    """
    has_mask = any(layer.name == "mask" for layer in generator.layers)
    if has_mask or form_of(generator) != ("plain", "transpose"):
        raise InputError(
            f"{source} cannot be written for the authors' program, whose networks are "
            f"those of --generator resnet, --norm plain and --upsampling transpose."
        )
    size = size_of(generator)
    shapes = state_dict_shapes(*size)
    tensors = {name: np.zeros(shape, np.float32) for name, shape in shapes.items()}
    for layer, (prefix, _) in convolutions(*size).items():
        kernel, *bias = generator.get_layer(layer).get_weights()
        tensors[f"{prefix}.weight"] = kernel.transpose(TO_TORCH)
        if bias:
            tensors[f"{prefix}.bias"] = bias[0]
    return tensors


def state_dict_shapes(
    filters: int, num_blocks: int, channels: int = 3, out_channels: int = 3
) -> dict[str, tuple[int, ...]]:
    """The shapes by name of all that the authors' state dict holds today."""
    shapes = {}
    table = convolutions(filters, num_blocks, channels, out_channels)
    for layer, (prefix, shape) in table.items():
        shapes[f"{prefix}.weight"] = shape
        shapes[f"{prefix}.bias"] = (shape[1 if layer.startswith("up") else 0],)
    return shapes

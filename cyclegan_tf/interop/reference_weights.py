"""Weights of our generators and of the authors' PyTorch generators, one to the other.

The authors number the layers of one `nn.Sequential`, padding and activations included:

    model.1                    7x7, then norm (2) and ReLU (3); 0 is the padding
    model.4, model.7           the two strided convolutions
    model.10 ...               a residual block each, `conv_block.1` and `conv_block.5`
    model.<10 + blocks>, +3    the two transposed convolutions
    model.<17 + blocks>        7x7 before tanh

Their convolutions have a bias everywhere, and their instance norms no parameters (some
old files hold running statistics, which their program does not use either). A bias
before an instance norm shifts a channel that the norm then centres: it changes nothing,
is left out here, and is written as zeros on the way back.

Source: the names in state dicts of pytorch-CycleGAN-and-pix2pix (`resnet_6blocks`,
`resnet_9blocks`, no dropout).
"""

from typing import NamedTuple

import keras
import numpy as np

from cyclegan_tf.common.errors import InputError
from cyclegan_tf.model.networks import InstanceNormalization, build_generator

DATA_PARALLEL_PREFIX = "module."
STATISTICS = ("running_mean", "running_var", "num_batches_tracked")

# (out, in, height, width) of Conv2d to (height, width, in, out), and of ConvTranspose2d
# (in, out, height, width) to (height, width, out, in).
TO_KERAS = (2, 3, 1, 0)
TO_TORCH = (3, 2, 0, 1)


class Size(NamedTuple):
    """What the shapes of a generator's weights follow from."""

    filters: int
    num_blocks: int
    channels: int = 3
    out_channels: int = 3


def generator_from_reference(
    tensors: dict[str, np.ndarray], source: str
) -> keras.Model:
    """A generator of ours that computes what the authors' with these weights does.

    Args:
        tensors: a state dict, see `torch_files.read_tensors`.
        source: where it comes from, for errors.

    Returns:
        A generator with plain norms; filters, blocks, and the channels of input and
        output follow from the tensors.

    Raises:
        InputError: a tensor is missing, left over, of another shape, or not finite.
    """
    tensors = {
        name.removeprefix(DATA_PARALLEL_PREFIX): tensor
        for name, tensor in tensors.items()
        if not name.endswith(STATISTICS)
    }
    stem = tensors.get("model.1.weight")
    if stem is None or stem.ndim != 4:
        raise InputError(
            f"{source} is not a ResNet generator of the authors' program: it has "
            f"{sorted(tensors)[:1]}, but no convolution 'model.1.weight'."
        )
    num_blocks = sum(name.endswith(".conv_block.1.weight") for name in tensors)
    head = tensors.get(f"model.{num_blocks + 17}.weight")
    out_channels = len(head) if head is not None and head.ndim else 3
    size = Size(len(stem), num_blocks, stem.shape[1], out_channels)
    _check(tensors, state_dict_shapes(*size), source)
    generator = build_generator(*size[:3], norm="plain", out_channels=out_channels)
    for layer, (prefix, _) in convolutions(*size).items():
        weights = [tensors[f"{prefix}.weight"].transpose(TO_KERAS)]
        if layer == "head":
            weights.append(tensors[f"{prefix}.bias"])
        generator.get_layer(layer).set_weights(weights)
    return generator


def size_of(generator: keras.Model) -> Size:
    """The size of a generator of ours."""
    num_blocks = sum(layer.name.endswith("_sum") for layer in generator.layers)
    filters = generator.get_layer("stem").filters
    channels, out_channels = generator.input_shape[-1], generator.output_shape[-1]
    return Size(filters, num_blocks, channels, out_channels)


def generator_to_reference(generator: keras.Model, source: str) -> dict:
    """The state dict with which the authors' network computes what ours does.

    Returns:
        float32 arrays by name, in the order of the authors' network.

    Raises:
        InputError: its norms have a learned scale and offset, or it does not upsample
            by transposed convolutions.
    """
    norms = [x for x in generator.layers if isinstance(x, InstanceNormalization)]
    is_transposed = any(
        isinstance(x, keras.layers.Conv2DTranspose) and x.name == "up1"
        for x in generator.layers
    )
    if not is_transposed or any(norm.weights for norm in norms):
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


def convolutions(
    filters: int, num_blocks: int, channels: int = 3, out_channels: int = 3
) -> dict[str, tuple[str, tuple[int, int, int, int]]]:
    """The authors' name, and the kernel's shape, of each of our convolutions."""
    one, two, four = filters, 2 * filters, 4 * filters
    after = 10 + num_blocks
    table = {
        "stem": ("model.1", (one, channels, 7, 7)),
        "down1": ("model.4", (two, one, 3, 3)),
        "down2": ("model.7", (four, two, 3, 3)),
    }
    for i in range(num_blocks):
        block = f"model.{10 + i}.conv_block"
        table[f"residual{i + 1}_conv1"] = (f"{block}.1", (four, four, 3, 3))
        table[f"residual{i + 1}_conv2"] = (f"{block}.5", (four, four, 3, 3))
    return table | {
        "up1": (f"model.{after}", (four, two, 3, 3)),
        "up2": (f"model.{after + 3}", (two, one, 3, 3)),
        "head": (f"model.{after + 7}", (out_channels, one, 7, 7)),
    }


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


def _check(tensors, shapes, source):
    """Compares names, shapes and types with what the network needs."""
    *_, head_bias = shapes
    for name in shapes | tensors:
        if name not in tensors and name.endswith("bias") and name != head_bias:
            continue  # before a norm
        found = tensors[name].shape if name in tensors else "missing"
        expected = shapes.get(name, "no such tensor")
        if found != expected:
            raise InputError(f"{source}: {name!r} is {found}; expected {expected}.")
        if tensors[name].dtype != np.float32 or not np.isfinite(tensors[name]).all():
            raise InputError(
                f"{source}: {name!r} is of {tensors[name].dtype}, or holds NaN or "
                f"infinity; expected finite 32-bit floats."
            )

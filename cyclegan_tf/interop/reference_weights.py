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


def generator_from_reference(
    tensors: dict[str, np.ndarray], source: str
) -> keras.Model:
    """A generator of ours that computes what the authors' with these weights does.

    Args:
        tensors: a state dict, see `torch_files.read_tensors`.
        source: where it comes from, for errors.

    Returns:
        A generator with plain norms; filters and blocks follow from the tensors.

    Raises:
        InputError: a tensor is missing, left over, of another shape, or not finite.
    """
    filters, num_blocks = size_of(tensors, source)
    tensors = {
        name.removeprefix(DATA_PARALLEL_PREFIX): tensor
        for name, tensor in tensors.items()
        if not name.endswith(STATISTICS)
    }
    _check(tensors, filters, num_blocks, source)
    generator = build_generator(filters, num_blocks, norm="plain")
    for layer, prefix in layer_prefixes(num_blocks).items():
        weights = [tensors[f"{prefix}.weight"].transpose(TO_KERAS)]
        if layer == "head":
            weights.append(tensors[f"{prefix}.bias"])
        generator.get_layer(layer).set_weights(weights)
    return generator


def size_of(tensors: dict[str, np.ndarray], source: str) -> tuple[int, int]:
    """Filters and residual blocks of a generator, from its state dict.

    Raises:
        InputError: it is of another network.
    """
    stem = tensors.get("model.1.weight", tensors.get("module.model.1.weight"))
    if stem is None or stem.ndim != 4:
        raise InputError(
            f"{source} is not a ResNet generator of the authors' program: it has "
            f"{sorted(tensors)[0]!r}, but no convolution 'model.1.weight'."
        )
    num_blocks = sum(name.endswith(".conv_block.1.weight") for name in tensors)
    return stem.shape[0], num_blocks


def generator_to_reference(generator: keras.Model, source: str) -> dict:
    """The state dict with which the authors' network computes the same.

    Args:
        generator: one of ours.
        source: where it comes from, for errors.

    Returns:
        float32 arrays by name, in the order of the authors' network.

    Raises:
        InputError: its norms have a learned scale and offset, or it does not upsample
            by transposed convolutions.
    """
    if not isinstance(generator.get_layer("up1"), keras.layers.Conv2DTranspose):
        raise InputError(
            f"{source} cannot be written for the authors' program: it was trained with "
            f"--upsampling resize, which theirs does not have."
        )
    norms = [x for x in generator.layers if isinstance(x, InstanceNormalization)]
    if any(norm.weights for norm in norms):
        raise InputError(
            f"{source} cannot be written for the authors' program: its instance norms "
            f"have learned a scale and an offset, which theirs do not have. Train "
            f"with --norm plain."
        )
    num_blocks = sum(layer.name.endswith("_sum") for layer in generator.layers)
    tensors = {}
    for layer, prefix in layer_prefixes(num_blocks).items():
        kernel, *bias = generator.get_layer(layer).get_weights()
        kernel = kernel.transpose(TO_TORCH)
        channels = kernel.shape[1 if layer.startswith("up") else 0]
        tensors[f"{prefix}.weight"] = kernel
        tensors[f"{prefix}.bias"] = bias[0] if bias else np.zeros(channels, np.float32)
    return tensors


def layer_prefixes(num_residual_blocks: int) -> dict[str, str]:
    """The authors' names of our convolutions, in the order of the network."""
    after = 10 + num_residual_blocks
    prefixes = {"stem": "model.1", "down1": "model.4", "down2": "model.7"}
    for i in range(num_residual_blocks):
        prefixes[f"residual{i + 1}_conv1"] = f"model.{10 + i}.conv_block.1"
        prefixes[f"residual{i + 1}_conv2"] = f"model.{10 + i}.conv_block.5"
    return prefixes | {
        "up1": f"model.{after}",
        "up2": f"model.{after + 3}",
        "head": f"model.{after + 7}",
    }


def state_dict_shapes(filters: int, num_residual_blocks: int) -> dict[str, tuple]:
    """The shapes by name of all that the authors' state dict holds today."""
    outside = {
        "stem": (filters, 3, 7, 7),
        "down1": (2 * filters, filters, 3, 3),
        "down2": (4 * filters, 2 * filters, 3, 3),
        "up1": (4 * filters, 2 * filters, 3, 3),
        "up2": (2 * filters, filters, 3, 3),
        "head": (3, filters, 7, 7),
    }
    in_block = (4 * filters, 4 * filters, 3, 3)
    shapes = {}
    for layer, prefix in layer_prefixes(num_residual_blocks).items():
        shape = outside.get(layer, in_block)
        shapes[f"{prefix}.weight"] = shape
        shapes[f"{prefix}.bias"] = (shape[1 if layer.startswith("up") else 0],)
    return shapes


def _check(tensors, filters, num_blocks, source):
    """Compares names, shapes and types with what the network needs."""
    shapes = state_dict_shapes(filters, num_blocks)
    *_, head_bias = shapes
    kind = f"a generator of {filters} filters and {num_blocks} residual blocks"
    for name in shapes:
        is_needed = name.endswith("weight") or name == head_bias
        if is_needed and name not in tensors:
            raise InputError(f"{source}: {name!r} is missing of what {kind} has.")
    for name, tensor in tensors.items():
        if name not in shapes:
            raise InputError(f"{source}: {name!r} is not expected in {kind}.")
        if tensor.shape != shapes[name]:
            raise InputError(
                f"{source}: {name!r} has the shape {tensor.shape}; expected "
                f"{shapes[name]} in {kind}."
            )
        if tensor.dtype != np.float32 or not np.isfinite(tensor).all():
            raise InputError(
                f"{source}: {name!r} is of {tensor.dtype}, or holds NaN or infinity; "
                f"expected finite 32-bit floats."
            )

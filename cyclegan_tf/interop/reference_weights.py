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

import re

import keras
import numpy as np

from cyclegan_tf.common.errors import InputError
from cyclegan_tf.model.networks import build_generator
from cyclegan_tf.runs.generators import architecture

DATA_PARALLEL_PREFIX = "module."

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
    if all(name.startswith(DATA_PARALLEL_PREFIX) for name in tensors):
        tensors = {
            name.removeprefix(DATA_PARALLEL_PREFIX): tensor
            for name, tensor in tensors.items()
        }
    blocks = {name.split(".")[1] for name in tensors if _is_in_block(name)}
    stem = tensors.get("model.1.weight")
    if stem is None or stem.ndim != 4:
        raise InputError(
            f"{source} is not a ResNet generator of the authors' program: it has "
            f"{sorted(tensors)[0]!r}, but no convolution 'model.1.weight'."
        )
    filters = stem.shape[0]
    _check(tensors, filters, len(blocks), source)

    generator = build_generator(filters, len(blocks), norm="plain")
    for layer, prefix in layer_prefixes(len(blocks)).items():
        weights = [tensors[f"{prefix}.weight"].transpose(TO_KERAS)]
        if layer == "head":
            weights.append(tensors[f"{prefix}.bias"])
        generator.get_layer(layer).set_weights(weights)
    return generator


def generator_to_reference(generator: keras.Model, source: str) -> dict:
    """The state dict with which the authors' network computes the same.

    Args:
        generator: one of ours.
        source: where it comes from, for errors.

    Returns:
        float32 arrays by name, in the order of the authors' network.

    Raises:
        InputError: its norms have learned a scale or an offset, or it does not upsample
            by transposed convolutions.
    """
    shape = architecture(generator)
    if shape.upsampling != "transpose":
        raise InputError(
            f"{source} cannot be written for the authors' program: it was trained with "
            f"--upsampling {shape.upsampling}, which theirs does not have."
        )
    if not shape.norm_is_plain:
        raise InputError(
            f"{source} cannot be written for the authors' program: its instance norms "
            f"have learned a scale and an offset, which theirs do not have. Train "
            f"with --norm plain."
        )
    tensors = {}
    for layer, prefix in layer_prefixes(shape.residual_blocks).items():
        kernel, *bias = generator.get_layer(layer).get_weights()
        kernel = kernel.transpose(TO_TORCH)
        is_transposed = layer.startswith("up")
        channels = kernel.shape[1 if is_transposed else 0]
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


def _is_in_block(name):
    return re.fullmatch(r"model\.\d+\.conv_block\.\d+\.weight", name)


def _check(tensors, filters, num_blocks, source):
    """Compares names, shapes and types with what the network needs."""
    required, optional = _expected(filters, num_blocks)
    expected = required | optional
    kind = f"a generator of {filters} filters and {num_blocks} residual blocks"
    missing = [name for name in required if name not in tensors]
    if missing:
        raise InputError(
            f"{source}: {missing[0]!r} is missing, and {len(missing) - 1} more, "
            f"of what {kind} has."
        )
    extra = [name for name in tensors if name not in expected]
    if extra:
        raise InputError(
            f"{source}: {extra[0]!r} is not expected, nor {len(extra) - 1} more, "
            f"in {kind}."
        )
    for name, tensor in tensors.items():
        if tensor.shape != expected[name]:
            raise InputError(
                f"{source}: {name!r} has the shape {tensor.shape}; expected "
                f"{expected[name]} in {kind}."
            )
        if (tensor.dtype == np.float32) == name.endswith("num_batches_tracked"):
            raise InputError(f"{source}: {name!r} is of {tensor.dtype}.")
        if not np.isfinite(tensor).all():
            raise InputError(f"{source}: {name!r} holds NaN or infinity.")


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


def _expected(filters, num_blocks):
    """Shapes by name of what must be there, and of what may be there as well."""
    required = state_dict_shapes(filters, num_blocks)
    optional = {}
    for layer, prefix in layer_prefixes(num_blocks).items():
        if layer == "head":
            continue
        channels = required.pop(f"{prefix}.bias")
        optional[f"{prefix}.bias"] = channels
        parent, _, index = prefix.rpartition(".")
        norm = f"{parent}.{int(index) + 1}"
        optional |= {
            f"{norm}.running_mean": channels,
            f"{norm}.running_var": channels,
            f"{norm}.num_batches_tracked": (),
        }
    return required, optional

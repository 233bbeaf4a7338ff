"""ResNet generators in state dicts of PyTorch, of the authors' program and others.

What the authors' program reads and writes is numbered in one `nn.Sequential`, padding
and activations included:

    model.1                    7x7 to f, then norm (2) and ReLU (3); 0 is the padding
    model.4, model.7           strided 3x3 to 2f and to 4f
    model.10 ...               a residual block each, `conv_block.1` and `conv_block.5`
    model.<10 + blocks>, +3    transposed 3x3 to 2f and to f, or plain ones behind an
                               up-sampling, which their program does not have
    model.<17 + blocks>        7x7 from f, before tanh

A state dict has one order, that of the layers; names and even prefixes differ from
program to program. So a generator is recognised by the shapes of its kernels in their
order. Behind a kernel stand its bias and the scale and offset of its instance norm, as
far as there are any.

Source: the names in state dicts of pytorch-CycleGAN-and-pix2pix (`resnet_6blocks`,
`resnet_9blocks`, no dropout).
"""

import itertools
import re
from typing import NamedTuple

import numpy as np

from cyclegan_tf.model.networks import NormName, UpsamplingName

STATISTICS = ("running_mean", "running_var", "num_batches_tracked")


class Architecture(NamedTuple):
    """A generator of ours, as a state dict says it; `str` gives it in words."""

    filters: int
    residual_blocks: int
    channels: int = 3
    out_channels: int = 3
    norm: NormName = "plain"
    upsampling: UpsamplingName = "transpose"

    def __str__(self):
        return (
            "{} filters, {} residual blocks, {} channels in, {} out, --norm {} and "
            "--upsampling {}".format(*self)
        )


class Convolution(NamedTuple):
    """A kernel of a state dict, as PyTorch has it, and the vectors behind it."""

    name: str
    kernel: np.ndarray
    biases: list[np.ndarray]  # one or none
    norm: list[np.ndarray]  # scale and offset, or none


class Recognised(NamedTuple):
    """Our network that computes the same, and its convolutions by layer."""

    architecture: Architecture
    convolutions: dict[str, Convolution]
    assumed: list[str]  # what neither shapes nor names tell, in words


def convolutions(
    filters: int, residual_blocks: int, channels: int = 3, out_channels: int = 3
) -> dict[str, tuple[str, tuple[int, int, int, int]]]:
    """The authors' name, and the kernel's shape, of each of our convolutions."""
    one, two, four = filters, 2 * filters, 4 * filters
    after = 10 + residual_blocks
    table = {
        "stem": ("model.1", (one, channels, 7, 7)),
        "down1": ("model.4", (two, one, 3, 3)),
        "down2": ("model.7", (four, two, 3, 3)),
    }
    for i in range(residual_blocks):
        block = f"model.{10 + i}.conv_block"
        table[f"residual{i + 1}_conv1"] = (f"{block}.1", (four, four, 3, 3))
        table[f"residual{i + 1}_conv2"] = (f"{block}.5", (four, four, 3, 3))
    return table | {
        "up1": (f"model.{after}", (four, two, 3, 3)),
        "up2": (f"model.{after + 3}", (two, one, 3, 3)),
        "head": (f"model.{after + 7}", (out_channels, one, 7, 7)),
    }


def recognise(tensors: dict[str, np.ndarray]) -> Recognised:
    """The ResNet generator whose state dict this is.

    Raises `ValueError` if it is another network's; the message says what was found.
    """
    found = _convolutions_of(tensors)
    shapes = [each.kernel.shape for each in found]
    if not found or shapes[0][2:] != (7, 7):
        begin = f"{found[0].name!r}, {shapes[0]}" if found else "nothing"
        raise ValueError(f"it begins with {begin}; expected a 7x7 convolution")
    # What it would be, if it is one.
    filters, channels, *_ = shapes[0]
    num_wide = shapes.count((4 * filters, 4 * filters, 3, 3))
    up, head = shapes[num_wide + 3 : num_wide + 5], shapes[num_wide + 5 :]
    is_resized = up == [(2 * filters, 4 * filters, 3, 3), (filters, 2 * filters, 3, 3)]
    architecture = Architecture(
        filters,
        (num_wide + 1) // 2,
        channels,
        head[0][0] if head else channels,
        "affine" if any(len(each.norm) == 2 for each in found[:-1]) else "plain",
        "resize" if is_resized else "transpose",
    )
    # Whether it is that.
    table = convolutions(*architecture[:4])
    expected = {layer: shape for layer, (_, shape) in table.items()}
    if is_resized:
        expected |= {"up1": up[0], "up2": up[1]}
    for layer, each in itertools.zip_longest(expected, found):
        if each is None:
            raise ValueError(
                f"behind {found[-1].name!r} a kernel {expected[layer]} is missing"
            )
        if layer is None:
            raise ValueError(
                f"behind its last convolution there is {each.name!r}, "
                f"{each.kernel.shape}"
            )
        if each.kernel.shape != expected[layer]:
            raise ValueError(
                f"{each.name!r} is {each.kernel.shape}; expected {expected[layer]}, of "
                f"{layer}"
            )
    by_layer = dict(zip(expected, found, strict=True))
    for layer, each in by_layer.items():
        _require_vectors(each, layer, architecture)
    return Recognised(architecture, by_layer, _assumptions(found, architecture))


def _convolutions_of(tensors):
    """The state dict as a sequence of convolutions."""
    found, statistics = [], None
    for name, tensor in tensors.items():
        if name.endswith(STATISTICS):
            statistics = name
            continue
        is_float = np.issubdtype(tensor.dtype, np.floating)
        if not is_float or not np.isfinite(tensor).all():
            raise ValueError(
                f"{name!r} is of {tensor.dtype}, or holds NaN or infinity; expected "
                f"finite floats"
            )
        if tensor.ndim == 4:
            found.append(Convolution(name, tensor, [], []))
        elif found and tensor.ndim == 1:
            # In a norm of one number per channel, only names tell bias and scale apart.
            is_bias = name.rpartition(".")[0] == found[-1].name.rpartition(".")[0]
            (found[-1].biases if is_bias else found[-1].norm).append(tensor)
        else:
            raise ValueError(
                f"{name!r} of shape {tensor.shape} is neither a convolution's kernel "
                f"nor stands behind one"
            )
    if statistics and any(each.norm for each in found):
        raise ValueError(
            f"{statistics!r} is of batch normalization, which uses what it saw in "
            f"training; expected instance normalization"
        )
    return found


def _require_vectors(found, layer, architecture):
    """Checks what stands behind the kernel of a layer of ours."""
    num_biases = (1,) if layer == "head" else (0, 1)
    num_norm = 2 if architecture.norm == "affine" and layer != "head" else 0
    if len(found.biases) not in num_biases or len(found.norm) != num_norm:
        raise ValueError(
            f"behind {found.name!r} stand {len(found.biases)} biases and "
            f"{len(found.norm)} vectors of a norm; expected "
            f"{' or '.join(map(str, num_biases))} and {num_norm}"
        )
    is_transposed = layer.startswith("up") and architecture.upsampling == "transpose"
    channels = found.kernel.shape[1 if is_transposed else 0]
    for vector in (*found.biases, *found.norm):
        if len(vector) != channels:
            raise ValueError(
                f"behind {found.name!r} stands a vector of {len(vector)} numbers; "
                f"expected {channels}"
            )


def _assumptions(found, architecture):
    """What neither shapes nor numbers of layers tell, in words."""
    # A padding layer takes a number in a `Sequential`, and padding with zeros none.
    assumed = []
    if architecture.residual_blocks and not _number(found[3].name):  # none, or first
        assumed.append("residual blocks mirror the border of what they convolve")
    if architecture.upsampling == "resize":
        assumed.append("up-sampling repeats each pixel")
        numbers = _number(found[-3].name), _number(found[-2].name)
        # Between them: norm, ReLU, up-sampling, padding.
        if None in numbers or numbers[1] - numbers[0] < 5:
            assumed.append("convolutions behind it see a mirrored border")
    return assumed


def _number(name):
    """The number of a layer in its `Sequential`, or None."""
    match = re.search(r"(?:^|\.)(\d+)\.weight$", name)
    return None if match is None else int(match[1])

"""Recognises a ResNet generator in a state dict of PyTorch, by shapes and not by names.

A state dict has one order, that of the layers; names and even prefixes differ from
program to program. What is recognised is the sequence of the kernels:

    7x7 to f; 3x3 to 2f; 3x3 to 4f           the stem, and two strided convolutions
    3x3 from 4f to 4f, an even number        two to a residual block
    3x3 from 4f to 2f; 3x3 from 2f to f      transposed, or behind an up-sampling
    7x7 from f                               before tanh

Behind a kernel stand its bias and the scale and offset of its instance norm, as far as
there are any.
"""

import dataclasses
import itertools
import re
from typing import NamedTuple

import numpy as np

from cyclegan_tf.model.networks import NormName, UpsamplingName

STATISTICS = ("running_mean", "running_var", "num_batches_tracked")


class Size(NamedTuple):
    """What the shapes of a generator's weights follow from."""

    filters: int
    num_blocks: int
    channels: int = 3
    out_channels: int = 3


@dataclasses.dataclass(frozen=True, eq=False)
class Convolution:
    """A kernel of a state dict, and the vectors behind it.

    Attributes:
        name: of the kernel.
        kernel: as PyTorch has it.
        bias: of the convolution, or None.
        norm: scale and offset of the norm behind it, or nothing.
    """

    name: str
    kernel: np.ndarray
    bias: np.ndarray | None
    norm: list[np.ndarray]


@dataclasses.dataclass(frozen=True)
class Recognised:
    """A generator as its state dict says.

    Attributes:
        size: of our network.
        norm, upsampling: of it, too.
        convolutions: in the order of `convolutions`.
        assumed: what neither shapes nor names tell, in words.
    """

    size: Size
    norm: NormName
    upsampling: UpsamplingName
    convolutions: list[Convolution]
    assumed: list[str]


def recognise(tensors: dict[str, np.ndarray]) -> Recognised:
    """The ResNet generator whose state dict this is.

    Raises:
        ValueError: it is another network's; the message says what was found.
    """
    found = _convolutions_of(tensors)
    size, upsampling = _size_of(found)
    norm = "affine" if _has_norms(found, upsampling) else "plain"
    return Recognised(size, norm, upsampling, found, _assumptions(found, upsampling))


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


def _convolutions_of(tensors):
    """The state dict as a sequence of convolutions."""
    found, statistics = [], None
    for name, tensor in tensors.items():
        if name.endswith(STATISTICS):
            statistics = name
            continue
        if (
            not np.issubdtype(tensor.dtype, np.floating)
            or not np.isfinite(tensor).all()
        ):
            raise ValueError(
                f"{name!r} is of {tensor.dtype}, or holds NaN or infinity; expected "
                f"finite floats"
            )
        if tensor.ndim == 4:
            found.append(Convolution(name, tensor, None, []))
            continue
        if not found or tensor.ndim != 1:
            raise ValueError(
                f"{name!r} of shape {tensor.shape} is neither a convolution's kernel "
                f"nor stands behind one"
            )
        last = found[-1]
        # In a norm of one number per channel, only names tell bias and scale apart.
        is_bias = _parent(name) == _parent(last.name)
        if (is_bias and last.bias is not None) or len(last.norm) == 2:
            raise ValueError(
                f"behind the kernel {last.name!r} stands {name!r}, for which a bias "
                f"and a norm's scale and offset leave no place"
            )
        if is_bias:
            found[-1] = dataclasses.replace(last, bias=tensor)
        else:
            last.norm.append(tensor)
    if statistics and any(convolution.norm for convolution in found):
        raise ValueError(
            f"{statistics!r} is of batch normalization, which uses what it saw in "
            f"training; expected instance normalization"
        )
    return found


def _parent(name):
    return name.rpartition(".")[0]


def _size_of(found):
    """The size and the kind of up-sampling that the kernels' shapes say."""
    kernels = [(convolution.name, convolution.kernel.shape) for convolution in found]
    if not kernels or kernels[0][1][2:] != (7, 7):
        begin = "{!r}, {}".format(*kernels[0]) if kernels else "nothing"
        raise ValueError(f"it begins with {begin}; expected a 7x7 convolution")
    filters, channels = kernels[0][1][:2]
    four = 4 * filters
    rest = [shape for _, shape in kernels[3:]]
    while_wide = itertools.takewhile(lambda x: x == (four, four, 3, 3), rest)
    num_wide = len(list(while_wide))
    up, head = rest[num_wide : num_wide + 2], rest[num_wide + 2 : num_wide + 3]
    out_channels = head[0][0] if head else channels
    size = Size(filters, num_wide // 2, channels, out_channels)
    expected = [shape for _, shape in convolutions(*size).values()]
    turned = [(n, m, *sides) for m, n, *sides in expected[-3:-1]]
    if up == turned:  # as Conv2d has it
        expected[-3:-1] = turned
    _require_shapes(kernels[:3], expected)
    if num_wide % 2:
        raise ValueError(
            f"it has an odd number, {num_wide}, of 3x3 convolutions from {four} to "
            f"{four} channels; each residual block has two"
        )
    _require_shapes(kernels, expected)
    if len(kernels) < len(expected):
        missing = expected[len(kernels)]
        raise ValueError(f"behind {kernels[-1][0]!r} a kernel {missing} is missing")
    if len(kernels) > len(expected):
        name, shape = kernels[len(expected)]
        raise ValueError(f"behind its last convolution there is {name!r}, {shape}")
    return size, "resize" if up == turned else "transpose"


def _require_shapes(kernels, expected):
    for (name, shape), needed in zip(kernels, expected, strict=False):
        if shape != needed:
            raise ValueError(f"{name!r} is {shape}; expected {needed}")


def _has_norms(found, upsampling):
    """Whether its norms have a scale and an offset; checks all vectors."""
    *body, last = found
    if last.bias is None:
        raise ValueError(f"the bias of its last convolution, {last.name!r}, is missing")
    is_affine = any(len(convolution.norm) == 2 for convolution in body)
    for i, convolution in enumerate(found):
        number = len(convolution.norm)
        expected = 2 if is_affine and convolution is not last else 0
        if number != expected:
            raise ValueError(
                f"behind {convolution.name!r} stand {number} vectors of a norm, its "
                f"scale or offset; expected {expected}"
            )
        is_transposed = upsampling == "transpose" and i - len(body) in (-2, -1)
        channels = convolution.kernel.shape[1 if is_transposed else 0]
        for vector in (convolution.bias, *convolution.norm):
            if vector is not None and len(vector) != channels:
                raise ValueError(
                    f"behind {convolution.name!r} stands a vector of {len(vector)} "
                    f"numbers; expected {channels}"
                )
    return is_affine


def _assumptions(found, upsampling):
    """What shapes do not tell, and numbers of layers do not either, in words.

    A padding layer takes a number in a `Sequential`, and padding with zeros none.
    """
    first, before_last, last = found[3], found[-3], found[-2]
    assumed = []
    if len(found) > 6 and not _number(first.name):
        assumed.append("residual blocks mirror the border of what they convolve")
    if upsampling == "resize":
        assumed.append("up-sampling repeats each pixel")
        numbers = _number(before_last.name), _number(last.name)
        # Between them: norm, ReLU, up-sampling, padding.
        if None in numbers or numbers[1] - numbers[0] < 5:
            assumed.append("convolutions behind it see a mirrored border")
    return assumed


def _number(name):
    """The number of a layer in its `Sequential`, or None."""
    match = re.search(r"(?:^|\.)(\d+)\.weight$", name)
    return None if match is None else int(match[1])

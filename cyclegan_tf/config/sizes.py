"""Sizes of images as options give them: 256, or 256x512, height x width, in pixels."""

import argparse
from typing import Any, Literal, NamedTuple

from cyclegan_tf.common.errors import InputError
from cyclegan_tf.config.architectures import SIDE_MULTIPLE
from cyclegan_tf.config.options import option

MIN_SIDE = 16  # pixels, of what generators take as it is
Resize = Literal["stretch", "fit", "none"]
Resample = Literal["bicubic", "nearest"]


class Frame(NamedTuple):
    """How pictures of any size become pictures of one.

    Attributes:
        height, width: in pixels.
        resize: "stretch", to that size whatever the aspect; "fit", to the smallest size
            of the same aspect that covers it, and then cropped; "none", cropped only,
            and mirrored up where a side is too short.
    """

    height: int
    width: int
    resize: Resize = "stretch"


def size_option(default: int | None, help: str) -> Any:
    """An option that takes a number for a square, or text such as "256x512"."""
    return option(
        default, help, type=lambda text: size_text(*size_of(text)), metavar="size"
    )


def size_of(value: int | str) -> tuple[int, int]:
    """Height and width in pixels.

    Raises:
        argparse.ArgumentTypeError: it is neither a number nor two with an x between.
    """
    parts = str(value).split("x")
    if len(parts) > 2 or not all(part.isascii() and part.isdecimal() for part in parts):
        problem = f"expected pixels, such as 256 or 256x512, got {value!r}"
        raise argparse.ArgumentTypeError(problem)
    return int(parts[0]), int(parts[-1])


def size_text(height: int, width: int) -> int | str:
    """The option's value of a size; of a square, its side."""
    return height if height == width else f"{height}x{width}"


def require_size(name: str, value: int | str) -> tuple[int, int]:
    """Height and width in pixels of an option; `InputError` if it is no size."""
    try:
        return size_of(value)
    except argparse.ArgumentTypeError as error:
        raise InputError(f"{name}: {error}.") from None


def require_multiples(name: str, value: int | str) -> tuple[int, int]:
    """A size that generators take, of multiples of 4 from 16 on, or `InputError`."""
    size = require_size(name, value)
    if min(size) < MIN_SIDE or any(side % SIDE_MULTIPLE for side in size):
        raise InputError(
            f"{name} must be multiples of {SIDE_MULTIPLE}, at least {MIN_SIDE}, got "
            f"{value}."
        )
    return size

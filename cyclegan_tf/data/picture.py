"""A decoded picture: its pixels, which of them have a value, and what is known of it.

Importing this needs no TensorFlow, as all that reads and writes files.
"""

import contextlib
import dataclasses
from typing import Any, NamedTuple

import numpy as np

INCH, CENTIMETRE = 2, 3  # units of a resolution, as TIFF counts them


@dataclasses.dataclass(frozen=True)
class About:
    """What places and describes a picture, as its file says it.

    Attributes:
        tags: of GeoTIFF, as tifffile takes them: code, type, count, value, and True.
        nodata: the value that means none, as GDAL writes it, such as "-9999".
        profile: an ICC profile.
        resolution: pixels across and down, as fractions, and per what: 1 is
            nothing, 2 an inch, 3 a centimetre.
        program: "imagej" or "ome" where the file is of that kind.
        metadata: what tifffile takes of such files: pixel size and names of channels.
        channels: how many there are.
        is_planar: whether they are pages, and not the samples of a pixel.
    """

    tags: tuple[tuple[int, int, int, Any, bool], ...] = ()
    nodata: str = ""
    profile: bytes = b""
    resolution: tuple[tuple[int, int], tuple[int, int], int] | None = None
    program: str = ""
    metadata: dict[str, Any] = dataclasses.field(default_factory=dict)
    channels: int = 0
    is_planar: bool = False


class Picture(NamedTuple):
    """A picture that was read.

    Attributes:
        pixels: upright, `(height, width, channels)`.
        valid: which of them have a value, bool `(height, width, 1)`, or by channel; or
            None where all have. The others are 0.
        note: what was left out or changed, such as "first of 12 pages", or "".
        about: the rest of what its file says.
    """

    pixels: np.ndarray
    valid: np.ndarray | None = None
    note: str = ""
    about: About = About()


def filled(pixels: np.ndarray, valid: np.ndarray | None, value) -> np.ndarray:
    """Pixels of the same type, with a value, or one of each channel, for none."""
    if valid is None:
        return pixels
    return np.where(valid, pixels, np.asarray(value).astype(pixels.dtype))


def is_nodata(pixels: np.ndarray, nodata: str) -> np.ndarray:
    """Which values are none: those of the tag, and NaN. Bool, of the same shape.

    As GDAL does, the value is compared in the type of the pixels: what this does not
    hold is nowhere. All are values where the tag is no number.
    """
    value = _number(nodata)
    if value is not None and pixels.dtype.kind == "f":
        with np.errstate(over="ignore"):
            return (pixels == pixels.dtype.type(value)) | np.isnan(pixels)
    if not holds(pixels.dtype, nodata):
        return np.zeros(pixels.shape, bool)
    return pixels == int(value)


def with_nodata(
    pixels: np.ndarray, valid: np.ndarray | None, nodata: str
) -> np.ndarray:
    """Pixels with the value of the tag where they have none, and nowhere else.

    What came out as this value by chance is moved by the smallest step. The type holds
    the value, see `holds`; `valid` is as of `Picture`.
    """
    value = float(nodata)
    if pixels.dtype.kind == "f":
        value = pixels.dtype.type(value)
        beside = np.nextafter(value, pixels.dtype.type(value == 0))
    else:
        value = int(value)
        beside = value - 1 if value == np.iinfo(pixels.dtype).max else value + 1
    moved = np.where(pixels == value, pixels.dtype.type(beside), pixels)
    return filled(moved, valid, value)


def holds(dtype: np.dtype, nodata: str) -> bool:
    """Whether a tag is a number that a type has; of floats all within the range."""
    value = _number(nodata)
    if value is None:
        return False
    if dtype.kind == "f":
        with np.errstate(over="ignore"):
            return bool(np.isfinite(dtype.type(value)) or not np.isfinite(value))
    if dtype.kind not in "iu" or not float(value).is_integer():
        return False
    return np.iinfo(dtype).min <= value <= np.iinfo(dtype).max


def _number(text):
    if not text.isascii():  # digits of other scripts, too, are numbers for Python
        return None
    for kind in (int, float):  # of 64 bits not all integers are floats
        with contextlib.suppress(ValueError, OverflowError):
            number = kind(text)
            float(number)  # or it is too large for any type
            return number
    return None

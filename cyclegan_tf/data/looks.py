"""What is noted of an image as it is decoded: its values, and what it looks like."""

import functools
import io
import math
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageCms

from cyclegan_tf.common.console import printable
from cyclegan_tf.data.picture import Picture, filled

# Side of what the hash is computed from, and how many frequencies it keeps.
SIDE, NUM_FREQUENCIES = 32, 8
THUMBNAIL_SIDE = SIDE // 2
EMPTY_SHARE = 0.95  # of an image, whose values lie within its spread
# Hashes, of an image and of its mirror image; a grey thumbnail, whose mean is 0 and
# whose mean deviation from it is 1; how far the values are apart; and what the colour
# profile is called, if there is one.
LOOK = np.dtype(
    [
        ("hashes", np.uint64, 2),
        ("thumbnail", np.float16, (THUMBNAIL_SIDE, THUMBNAIL_SIDE)),
        ("spread", np.float32),
        ("profile", "S48"),
    ]
)
MAX_LEVELS = 64  # distinct values that are listed
MAX_LABELS = 32


class Levels(NamedTuple):
    """Which values images have.

    Attributes:
        low, high: the smallest and the largest.
        values: all of them in their order, or None where they are more than 64.
    """

    low: float
    high: float
    values: tuple[float, ...] | None

    @property
    def are_labels(self) -> bool:
        """Whether so few values are classes more likely, as in masks and label maps."""
        return self.values is not None and len(self.values) <= MAX_LABELS

    def joined(self, other: "Levels | None") -> "Levels":
        """Those of both."""
        if other is None:
            return self
        values = None
        if self.values is not None and other.values is not None:
            values = tuple(sorted({*self.values, *other.values}))
            values = values if len(values) <= MAX_LEVELS else None
        return Levels(min(self.low, other.low), max(self.high, other.high), values)


def look_at(picture: Picture) -> tuple[Levels, np.void]:
    """The values of a picture, and what it looks like, a `LOOK`."""
    levels = levels_of(picture)
    pixels = filled(picture.pixels, picture.valid, (levels.low + levels.high) / 2)
    # Where the values are close, rounding them would matter.
    bands = shrunk(pixels, is_exact=levels.high - levels.low < 128)
    grey = bands.mean(axis=0)
    rows = grey[::2] + grey[1::2]
    cells = (rows[:, ::2] + rows[:, 1::2]) / 4
    cells -= cells.mean()
    look = np.zeros((), LOOK)
    look["hashes"] = perceptual_hashes(grey)
    look["thumbnail"] = cells / (np.abs(cells).mean() or 1)
    look["spread"] = spread(bands)
    look["profile"] = profile_name(picture.about.profile)
    return levels, look[()]


def levels_of(picture: Picture) -> Levels:
    """The values of a picture."""
    values = picture.pixels
    if picture.valid is not None:
        values = values[np.broadcast_to(picture.valid, values.shape)]
    values = values.reshape(-1)
    for some in (values[::251], values):  # most have too many among the first
        distinct = np.unique(some)
        if len(distinct) > MAX_LEVELS:
            return Levels(float(values.min()), float(values.max()), None)
    distinct = tuple(map(float, distinct))
    return Levels(distinct[0], distinct[-1], distinct)


@functools.lru_cache
def profile_name(profile: bytes) -> str:
    """What an ICC profile calls itself, in ASCII; empty where there is none."""
    if not profile:
        return ""
    try:
        opened = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        name = ImageCms.getProfileDescription(opened).strip()
    except (ImageCms.PyCMSError, OSError):
        name = ""
    return printable(name).encode("ascii", "replace").decode() or "one without a name"


def shrunk(pixels: np.ndarray, is_exact: bool = True) -> np.ndarray:
    """An image of any size and type as float32 `(bands, 32, 32)`, antialiased.

    The first three channels are taken. Unless `is_exact`, of uint8 come whole numbers,
    as blocks of pixels are averaged first, in half the time.
    """
    bands, size, way = pixels[..., :3], (SIDE, SIDE), Image.Resampling.BILINEAR
    if bands.dtype == np.uint8 and bands.shape[-1] != 2 and not is_exact:
        plane = bands[..., 0] if bands.shape[-1] == 1 else bands
        small = Image.fromarray(plane).resize(size, way, reducing_gap=2)
        small = np.atleast_3d(np.asarray(small))
    else:
        planes = (Image.fromarray(x) for x in np.float32(bands.transpose(2, 0, 1)))
        small = np.dstack([plane.resize(size, way) for plane in planes])
    return small.transpose(2, 0, 1).astype(np.float32, order="C")


def spread(bands: np.ndarray) -> float:
    """How far from the most frequent value all but a twentieth of a `shrunk` image is.

    That value is the median if more than half have it.
    """
    flat = bands.reshape(len(bands), -1)
    medians = np.partition(flat, SIDE**2 // 2, axis=1)[:, SIDE**2 // 2, None]
    away = np.abs(flat - medians).max(axis=0)
    most = math.ceil(EMPTY_SHARE * SIDE**2) - 1
    return np.partition(away, most)[most]


def perceptual_hashes(image: np.ndarray) -> np.ndarray:
    """The pHash of a grey image, and that of its mirror image.

    A bit says whether a low frequency of the cosine transform is above the median of
    the 64 lowest. Of floats `(32, 32)` they are uint64 `(2,)`.

    Source: `phash` of the package ImageHash, after Krawetz, "Looks Like It", 2011.
    """
    frequencies = np.arange(NUM_FREQUENCIES)
    angles = np.outer(frequencies, 2 * np.arange(SIDE) + 1) * (np.pi / (2 * SIDE))
    cosines = np.cos(angles)
    low = cosines @ image @ cosines.T
    # Mirrored, the odd frequencies across change their sign.
    both = np.stack([low, low * (-1.0) ** frequencies]).reshape(2, -1)
    packed = np.packbits(both > np.median(both, axis=-1, keepdims=True), axis=-1)
    return packed.view(np.uint64)[:, 0]

"""What the images of a domain have in common: channels, type, and range of values."""

import dataclasses
from typing import Any, NamedTuple

import numpy as np

from cyclegan_tf.common.console import counted
from cyclegan_tf.config.sizes import Resample

# Of generators, with the names of their networks.
DIRECTIONS = {"a_to_b": "gen_ab", "b_to_a": "gen_ba"}
DTYPES = ("uint8", "uint16", "float32")


@dataclasses.dataclass(frozen=True)
class Domain:
    """The form of a domain's images.

    Attributes:
        channels: 1 is grey, 3 is RGB, any other number are bands.
        dtype: "uint8", "uint16" or "float32".
        low, high: the values that are -1 and 1 for the networks; one of all channels,
            or of each its own. What lies outside is clipped.
        resample: how they are resized, see `--resample-a`.
    """

    channels: int = 3
    dtype: str = "uint8"
    low: float | tuple[float, ...] = 0.0
    high: float | tuple[float, ...] = 255.0
    resample: Resample = "bicubic"

    def __post_init__(self):
        for name, bound in zip(("low", "high"), self.bounds, strict=True):
            if bound.ndim:  # JSON has lists
                object.__setattr__(self, name, tuple(bound.tolist()))

    @property
    def bounds(self) -> np.ndarray:
        """The range: float64 `(2,)`, or of each channel its own `(2, channels)`.

        Either half broadcasts with images. Raises `ValueError` if there are more or
        fewer than channels.
        """
        bounds = np.array([self.low, self.high], np.float64)
        if bounds.shape not in ((2,), (2, self.channels)):
            raise ValueError(f"ranges of {bounds[0].size} of {self.channels} channels")
        return bounds

    @property
    def is_encodable(self) -> bool:
        """Whether PNG holds such images without loss: 1 or 3 channels of integers."""
        return self.channels in (1, 3) and self.dtype != "float32"

    @property
    def is_grey_levels(self) -> bool:
        """Whether the values are grey levels from 0 to 255 as they are."""
        return (self.dtype, self.low, self.high) == ("uint8", 0.0, 255.0)

    @property
    def middle(self) -> np.ndarray:
        """What stands in for a value where there is none, as many as there are ranges.

        Of the domain's type; 0 for the networks.
        """
        middle = self.bounds.mean(axis=0)
        if self.dtype != "float32":
            # The range may be one that its type does not have.
            middle = np.round(np.clip(middle, 0, np.iinfo(self.dtype).max))
        return middle.astype(self.dtype)

    def form(self) -> dict[str, Any]:
        """What a dataset's manifest says: all but what a training chooses."""
        form = dataclasses.asdict(self)
        del form["resample"]
        return form

    @property
    def range_text(self) -> str:
        """Such as "0 to 4095", or of each channel its own."""
        ranges = np.atleast_2d(self.bounds.T)
        return ", ".join(f"{low:g} to {high:g}" for low, high in ranges)

    @property
    def range_option(self) -> str:
        """The range as `--range-a` takes it, exactly; such as "0,4095"."""
        values = self.bounds.T.ravel().tolist()
        return ",".join(repr(value).removesuffix(".0") for value in values)

    def __str__(self):
        return f"{form_text(self.channels, self.dtype)}, {self.range_text}"


class Domains(NamedTuple):
    """The form of either domain's images; by default 8-bit RGB."""

    a: Domain = Domain()
    b: Domain = Domain()

    @classmethod
    def read(cls, forms: dict[str, Any]) -> "Domains":
        """The domains of the arguments of each by name, as JSON has them."""
        return cls(*(Domain(**forms[name]) for name in cls._fields))

    @property
    def are_encodable(self) -> bool:
        """Whether PNG holds the images of both without loss."""
        return self.a.is_encodable and self.b.is_encodable

    def of(self, direction: str) -> tuple[Domain, Domain]:
        """What a direction, "a_to_b" or "b_to_a", starts from and leads to."""
        return (self.a, self.b) if direction == "a_to_b" else (self.b, self.a)


def form_text(channels: int, dtype: str) -> str:
    """Such as "uint16 with 1 channel"."""
    return f"{dtype} with {counted(channels, 'channel')}"


def luminance(red, green, blue):
    """The grey level of integers of more than 16 bits, arrays or tensors.

    Rounded to the nearest; the same to the bit wherever it is computed. Source: ITU-R
    BT.601.
    """
    return (299 * red + 587 * green + 114 * blue + 500) // 1000


def with_channels(pixels: np.ndarray, channels: int) -> np.ndarray:
    """Grey pixels `(..., 1)` as RGB, or RGB ones as grey; of the same integer type."""
    if pixels.shape[-1] == channels:
        return pixels
    if channels == 3:
        return np.repeat(pixels, 3, axis=-1)
    red, green, blue = np.moveaxis(pixels.astype(np.int32), -1, 0)
    return luminance(red, green, blue).astype(pixels.dtype)[..., None]

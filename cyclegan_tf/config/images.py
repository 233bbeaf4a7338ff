"""What the networks are shown of the images of a dataset."""

import dataclasses
import operator
from typing import Literal

from cyclegan_tf.config.dataset import DatasetConfig
from cyclegan_tf.config.options import option, require
from cyclegan_tf.config.ranges import Range, require_range
from cyclegan_tf.config.sizes import (
    Frame,
    Resample,
    Resize,
    require_multiples,
    require_size,
    size_option,
)

# Loading 286 px for a crop of 256 (the authors' program).
LOAD_SCALE = 286 / 256


@dataclasses.dataclass(frozen=True)
class ImageConfig(DatasetConfig):
    """Which part of an image is seen, in which size, and which values of it."""

    drop_copies: bool = option(
        False,
        "train without copies within a domain, but of each the first image, and "
        "without images that are test images",
    )
    image_size: int | str = size_option(
        256, "of the training crop in pixels: a side, or HEIGHTxWIDTH; multiples of 4"
    )
    load_size: int | str | None = size_option(
        None, "size before the crop; default: 286/256 of the crop"
    )
    resize: Resize = option(
        "stretch",
        "to the load size: stretch, whatever the aspect; fit, the aspect is kept and "
        "what is left over is cropped; none, crops of the pixels as they are",
    )
    resample_a: Resample = option(
        "bicubic",
        "how domain A is resized; nearest: each pixel is one that was there, for masks "
        "and label maps, whose classes must not mix",
    )
    resample_b: Resample = option("bicubic", "the same of domain B")
    flip: Literal["horizontal", "none", "all"] = option(
        "horizontal",
        "crops at random; all: up and down, too, and square ones in quarter turns, "
        "for images without an up",
    )
    range_a: str | None = option(
        None,
        "values of domain A that become -1 and 1, such as 0,4095 or the percentiles "
        "p0.5,p99.5; default: all that its type, or the training images, have; for "
        "each channel by itself: 0,4095,10,900 or per-channel or per-channel,p1,p99",
    )
    range_b: str | None = option(None, "the same of domain B")

    def __post_init__(self):
        super().__post_init__()
        size = require_multiples("--image-size", self.image_size)
        if self.load_size is not None:
            load_size = require_size("--load-size", self.load_size)
            require(
                self.resize != "none",
                "--load-size",
                "has no meaning with --resize none, which takes the pixels as they are",
            )
            require(
                all(map(operator.ge, load_size, size)),
                "--load-size",
                f"must be at least {self.image_size}, got {self.load_size}",
            )
        for domain in "ab":
            self.range_of(domain)

    @property
    def resolved_synthetic_size(self) -> int:
        """Side of the drawn pictures: never smaller than the crop."""
        return self.synthetic_size or max(128, *self.frame[:2])

    @property
    def frame(self) -> Frame:
        """What the networks see of a picture, for scores and samples."""
        return Frame(*require_size("--image-size", self.image_size), self.resize)

    @property
    def load_frame(self) -> Frame:
        """What is left of a picture for the training crop to be taken from."""
        if self.resize == "none":
            return self.frame
        if self.load_size is not None:
            return Frame(*require_size("--load-size", self.load_size), self.resize)
        sides = (round(side * LOAD_SCALE) for side in self.frame[:2])
        return Frame(*sides, self.resize)

    def range_of(self, domain: Literal["a", "b"]) -> Range | None:
        """The range of values that is given for a domain, if one is."""
        given = getattr(self, f"range_{domain}")
        return None if given is None else require_range(f"--range-{domain}", given)

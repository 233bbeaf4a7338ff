"""The options of translating pictures."""

import dataclasses
from typing import Literal

from cyclegan_tf.config.options import (
    Nature,
    option,
    require_at_least,
    require_checkpoint,
)
from cyclegan_tf.config.recommended import DEFAULT_RUN


@dataclasses.dataclass(frozen=True)
class TranslateConfig:
    """Which model translates which pictures, and where they go."""

    input: str = option(
        "", "a picture, a folder of them, or a quoted glob", Nature.PLACE
    )
    output: str = option(
        "", "a folder; for one picture also a .png or .jpg file", Nature.PLACE
    )
    model: str = option(
        DEFAULT_RUN, "directory of a run, or of an export", Nature.PLACE
    )
    checkpoint: str = option(
        "last", "of a run: last, best, or the step of a checkpoint"
    )
    direction: Literal["a_to_b", "b_to_a"] = option("a_to_b", "which way")
    format: Literal["png", "jpeg"] = option("png", "of the pictures in a folder")
    batch_size: int = option(8, "small pictures of one size per call")
    overwrite: bool = option(False, "replace pictures that are there already")
    tile: bool = option(
        False,
        "translate large pictures in bounded memory, stripe by stripe; needs a run, "
        "and scratch space beside the output",
    )

    def __post_init__(self):
        require_checkpoint(self.checkpoint)
        require_at_least(self, 1, "batch_size")

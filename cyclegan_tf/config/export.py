"""The options of an export."""

import dataclasses
import pathlib
from typing import Literal

from cyclegan_tf.config.options import Nature, option, require, require_checkpoint
from cyclegan_tf.config.recommended import DEFAULT_RUN


@dataclasses.dataclass(frozen=True)
class ExportConfig:
    """Which run, where its models go, and in which form."""

    run_dir: str = option(DEFAULT_RUN, "directory of a run", Nature.PLACE)
    output: str | None = option(
        None, "gets the version folders 1, 2, ...; default: exports/<run>", Nature.PLACE
    )
    checkpoint: str = option("last", "last, best, or the step of a checkpoint")
    format: str = option(
        "savedmodel", "one or more of savedmodel,onnx,litert, with commas"
    )
    precision: Literal["float32", "bfloat16", "float16"] = option(
        "float32", "what the exported model stores and computes in"
    )
    max_megapixels: float = option(
        4.0, "largest request that a SavedModel accepts, so that none fills memory"
    )

    def __post_init__(self):
        require_checkpoint(self.checkpoint)
        require(
            0 < self.max_megapixels <= 1000,
            "--max-megapixels",
            f"must be above 0 and at most 1000, got {self.max_megapixels}",
        )

    @property
    def formats(self) -> list[str]:
        """The names of the formats, each once."""
        return list(dict.fromkeys(self.format.replace(" ", "").split(",")))

    @property
    def max_pixels(self) -> int:
        """Largest number of pixels in a request."""
        return round(self.max_megapixels * 1e6)

    @property
    def resolved_output(self) -> pathlib.Path:
        """The directory of the versions."""
        name = pathlib.Path(self.run_dir).expanduser().resolve().name
        return pathlib.Path(self.output or pathlib.Path("exports", name)).expanduser()

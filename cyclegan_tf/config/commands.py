"""The options of the commands that take a run, or write one without training."""

import dataclasses
import os
import pathlib
from typing import Literal

from cyclegan_tf.common.files import require_utf8
from cyclegan_tf.common.hub import name_of, require_address
from cyclegan_tf.config.formats import NAMES, Format, formats_of, require_possible
from cyclegan_tf.config.options import Nature, Options, option, require
from cyclegan_tf.config.recipes import settings
from cyclegan_tf.config.sizes import require_multiples, size_of, size_option
from cyclegan_tf.config.train import TrainConfig, inception_option

Weights = Literal["average", "raw"]
DEFAULT_RUN = "runs/synthetic/horse2zebra"
# More would fit neither a screen nor the size of a report.
MAX_COMPARED_RUNS = 8


def checkpoint_option(of: str = ""):
    """The option that names a checkpoint of a run; `of` begins its help."""
    return option("last", f"{of}last, best, or the step of a checkpoint")


def weights_option(of: str = ""):
    """The option that chooses generators of a checkpoint; `of` begins its help."""
    return option("average", f"{of}averages over the latest steps, or the raw weights")


@dataclasses.dataclass(frozen=True)
class EvaluateConfig(Options):
    """Which runs and exports are scored, on which images."""

    run_dir: list[str] = option(
        help="directories of runs and exports, or .onnx and .tflite files: several "
        "are compared; with --report, of runs",
        nature=Nature.PLACE,
        default_factory=lambda: [DEFAULT_RUN],
        metavar="MODEL",
        aliases=["--model"],
    )
    dataset: str | None = option(
        None,
        "images to score on, of an export without a run; default: the run's",
        Nature.SOURCE,
    )
    image_size: int | str | None = size_option(
        None,
        "with --dataset: size of the images; default: the model's, or as recommended",
    )
    report: bool = option(
        False, "also write report.html, to be opened in a browser, into the first"
    )
    checkpoint: str = checkpoint_option()
    weights: Weights = weights_option()
    split: Literal["test", "train"] = option("test", "images to score on")
    limit: int | None = option(
        None, "the most images of each domain; default: all", at_least=2
    )
    paired: bool = option(
        False,
        "both domains show the same scenes, in files of one name (maps, facades); "
        "of embedded datasets that is known",
    )
    protocol: bool = option(
        False,
        "also print what was compared, and how: images, sizes, features, and which "
        "test images the training has seen",
    )
    data_dir: str | None = option(
        None,
        "where the dataset's shards are; default: where the run had them",
        Nature.PLACE,
    )
    inception_weights: str | None = inception_option()

    def __post_init__(self):
        if isinstance(self.run_dir, str | os.PathLike):  # one, as Python has it
            object.__setattr__(self, "run_dir", [os.fspath(self.run_dir)])
        super().__post_init__()
        number = len(self.run_dir)
        require(
            number <= MAX_COMPARED_RUNS,
            "--run-dir",
            f"takes at most {MAX_COMPARED_RUNS} runs, got {number}",
        )
        require(
            self.image_size is None or self.dataset is not None,
            "--image-size",
            "is for --dataset; a run is scored at its own size",
        )
        if self.image_size is not None:
            require_multiples("--image-size", self.image_size)
        require(
            not self.report or self.dataset is None,
            "--report",
            "shows runs on their own images; leave out --dataset, or --report",
        )

    @property
    def run_dirs(self) -> list[pathlib.Path]:
        """The directories of the runs."""
        return [pathlib.Path(run_dir).expanduser() for run_dir in self.run_dir]

    @property
    def dataset_options(self) -> TrainConfig | None:
        """What is recommended for `--dataset`; None: the images are a run's."""
        if self.dataset is None:
            return None
        place = {} if self.data_dir is None else {"data_dir": self.data_dir}
        return TrainConfig(self.dataset, **settings(self.dataset), **place)


@dataclasses.dataclass(frozen=True)
class ExportConfig(Options):
    """Which run, where its models go, and in which form."""

    run_dir: str = option(
        DEFAULT_RUN, "directory of a run, or hf://user/name", Nature.MODEL
    )
    output: str | None = option(
        None, "gets the version folders 1, 2, ...; default: exports/<run>", Nature.PLACE
    )
    checkpoint: str = checkpoint_option()
    weights: Weights = weights_option()
    format: str = option("savedmodel", f"one or more of {NAMES}, with commas")
    precision: Literal["float32", "bfloat16", "float16", "int8", "int8-weights"] = (
        option("float32", "what the exported model stores and computes in")
    )
    size: int | str | None = size_option(
        None,
        "of the one picture that an ONNX or LiteRT file takes: a side, or "
        "HEIGHTxWIDTH; multiples of 4; default: any number of pictures of any size",
    )
    max_megapixels: float = option(
        4.0, "largest request that a SavedModel accepts, so that none fills memory"
    )
    push: str | None = option(
        None, "also upload it to hf://user/name, which is made, private, if need be"
    )

    def __post_init__(self):
        super().__post_init__()
        if self.push is not None:
            require_address("--push", self.push)
        if self.size is not None:
            require_multiples("--size", self.size)
        require_utf8("--output", self.resolved_output)
        for form in self.formats:
            require_possible(form, self.precision, self.size is not None)
        require(
            0 < self.max_megapixels <= 1000,
            "--max-megapixels",
            f"must be above 0 and at most 1000, got {self.max_megapixels}",
        )

    @property
    def formats(self) -> list[Format]:
        """Each format that is asked for, once."""
        return formats_of(self.format)

    @property
    def fixed_size(self) -> tuple[int, int] | None:
        """Height and width of the one picture that is taken, or None for any."""
        return None if self.size is None else size_of(self.size)

    @property
    def max_pixels(self) -> int:
        """Largest number of pixels in a request."""
        return round(self.max_megapixels * 1e6)

    @property
    def resolved_output(self) -> pathlib.Path:
        """The directory of the versions."""
        name = name_of(self.run_dir)
        return pathlib.Path(self.output or pathlib.Path("exports", name)).expanduser()


@dataclasses.dataclass(frozen=True)
class ModelOptions(Options):
    """Which model is used, of a run or of an export."""

    model: str = option(
        DEFAULT_RUN,
        "directory of a run or an export, an .onnx or .tflite file; or hf://user/name",
        Nature.MODEL,
    )
    checkpoint: str = checkpoint_option("of a run: ")
    weights: Weights = weights_option("of a run: ")


@dataclasses.dataclass(frozen=True)
class TranslateConfig(ModelOptions):
    """Which model translates which pictures and videos, and where they go."""

    input: str = option(
        "", "a picture, a video, a folder of them, or a quoted glob", Nature.PLACE
    )
    output: str = option(
        "",
        "a folder; for one picture also a .png, .jpg, .tif or .npy, for one video a "
        ".mp4, .mov, .mkv or .webm",
        Nature.PLACE,
    )
    direction: str | None = option(
        None,
        "which way; default: a_to_b, or the only one that the model has",
        choices=["a_to_b", "b_to_a"],
    )
    format: Literal["auto", "png", "jpeg", "tiff", "npy"] = option(
        "auto", "of the pictures in a folder (auto: png where it holds them, or tiff)"
    )
    batch_size: int = option(
        8, "small pictures of one size, or frames, per call", at_least=1
    )
    overwrite: bool = option(False, "replace files that are there already")
    steady: bool = option(False, "lessen the flicker of videos where they stand still")
    tile: bool = option(
        False,
        "translate large pictures in bounded memory, stripe by stripe; needs a run, "
        "and scratch space beside the output",
    )


@dataclasses.dataclass(frozen=True)
class DemoConfig(ModelOptions):
    """Which model is shown, and to whom."""

    host: str = option(
        "127.0.0.1", "address to listen at; 0.0.0.0 shows the page to the network"
    )
    port: int = option(7860, "of the page", at_least=1)


@dataclasses.dataclass(frozen=True)
class ImportConfig(Options):
    """Models of PyTorch programs, and a run directory of ours."""

    models: list[str] = option(
        help=".pth of the generator from A to B, and of that from B to A",
        nature=Nature.PLACE,
        default_factory=list,
        metavar="FILE",
    )
    run_dir: str | None = option(
        None,
        "new run directory to write; with --to-reference: the run to read",
        Nature.PLACE,
    )
    dataset: str = option(
        "unknown", "what the models were trained on, e.g. cycle_gan/horse2zebra"
    )
    to_reference: str | None = option(
        None,
        "instead, write the run's generators as .pth files to this folder",
        Nature.PLACE,
    )
    weights: Weights = weights_option("with --to-reference: ")

    def __post_init__(self):
        super().__post_init__()
        require(bool(self.run_dir), "--run-dir", "is missing")
        require(
            not (self.to_reference and self.models),
            "--to-reference",
            "reads a run, and no .pth files",
        )
        number = len(self.models)
        require(
            bool(self.to_reference) or number in (1, 2),
            "import",
            f"takes one or two .pth files, got {number}",
        )

"""The options: frozen dataclasses, the only list of them.

`--help`, the defaults, `config.json` and the table in the README come from here.
Nothing here imports TensorFlow, so that `--help` answers at once.
"""

import dataclasses
import hashlib
import pathlib
from typing import Any, Literal

from simple_parsing import field as option

from cyclegan_tf.errors import InputError

# The shortest side that the generator's padding can mirror is well below this.
MIN_IMAGE_SIZE = 16
# Loading 286 px for a crop of 256 (the authors' program).
LOAD_SCALE = 286 / 256
# More would fit neither a screen nor the size of a report.
MAX_COMPARED_RUNS = 8


@dataclasses.dataclass(frozen=True)
class DatasetConfig:
    """Which images, and how they become TFRecords."""

    dataset: str = option(
        "synthetic/horse2zebra",
        help="TFDS name (cycle_gan/horse2zebra), folder of images, or the embedded "
        "synthetic/horse2zebra",
    )
    data_dir: str = option("tfrecords", help="where datasets live as TFRecord shards")
    tfds_data_dir: str | None = option(
        None, help="TFDS directory with the dataset prepared already"
    )
    data_seed: int = option(
        0, help="seed of the drawn pictures, and of the images held out as test"
    )
    synthetic_images: int = option(
        600, help="training images per domain of the embedded dataset; test: a tenth"
    )
    synthetic_size: int | None = option(
        None, help="side of its pictures in pixels; default: 128, or the image size"
    )

    def __post_init__(self):
        _require(self.dataset, "--dataset", "must not be empty")
        _require(self.data_dir, "--data-dir", "must not be empty")
        _require_at_least(self, "data_seed", 0)
        _require_at_least(self, "synthetic_images", 1)
        if self.synthetic_size is not None:
            _require_at_least(self, "synthetic_size", 32)

    @property
    def dataset_name(self) -> str:
        """What the dataset's directory is called: of a folder, its own name."""
        folder = pathlib.Path(self.dataset).expanduser()
        return folder.resolve().name if folder.is_dir() else self.dataset

    @property
    def resolved_synthetic_size(self) -> int:
        """Side of the drawn pictures in pixels."""
        return self.synthetic_size or 128


@dataclasses.dataclass(frozen=True)
class TrainConfig(DatasetConfig):
    """One training run; written to `<run_dir>/config.json` before step 0."""

    run_dir: str | None = option(
        None, help="where the run lives; default: runs/<dataset>"
    )
    image_size: int = option(256, help="side of the training crop, in pixels")
    load_size: int | None = option(
        None, help="side before the crop, in pixels; default: 286/256 of the crop"
    )
    batch_size: int = option(1, help="images of each domain per step and device")
    epochs: int = option(200, help="epochs of the whole run")
    constant_epochs: int | None = option(
        None, help="epochs before the learning rate falls to 0; default: half of all"
    )
    steps_per_epoch: int | None = option(
        None, help="default: once through the larger domain"
    )
    filters: int = option(64, help="channels of the networks' first convolution")
    residual_blocks: int | None = option(
        None, help="of the generators; default: 9 from 256 px on, 6 below"
    )
    discriminator: Literal["patch46", "patch70"] = option(
        "patch46", help="PatchGAN of 64-128-256 channels, or the paper's, 70x70"
    )
    norm: Literal["affine", "plain"] = option(
        "affine", help="instance norm with a learned scale and offset, or without"
    )
    init_from: str | None = option(
        None, help="run whose generators this one starts from, e.g. an imported one"
    )
    upsampling: Literal["transpose", "resize"] = option(
        "transpose",
        help="of the generators: transposed convolutions, or resize and convolve",
    )
    cycle_weight: float = option(10.0, help="weight of each cycle loss")
    identity_weight: float = option(5.0, help="weight of each identity loss")
    pool_size: int = option(50, help="fakes kept per domain; 0: no image pool")
    learning_rate: float = option(2e-4, help="of both Adams, before it falls")
    seed: int = option(0, help="of weights, order, crops, flips and image pools")
    cache: Literal["auto", "memory", "none"] = option(
        "auto", help="keep decoded images in memory (auto: where they fit)"
    )
    jit: Literal["auto", "on", "off"] = option(
        "auto", help="compile the step with XLA (auto: on a GPU)"
    )
    precision: Literal["float32", "bfloat16", "float16"] = option(
        "float32", help="of the networks' arithmetic; weights stay float32"
    )
    remat: bool = option(
        False, help="save memory: compute the insides of generators twice"
    )
    strategy: Literal["auto", "one", "mirrored", "multiworker"] = option(
        "auto",
        help="one device, all of this machine, or all of several machines (auto: all "
        "GPUs of this machine); --batch-size is that of each",
    )
    checkpoint_every: int = option(
        1000, help="steps between checkpoints; every epoch ends with one, too"
    )
    sample_every: int = option(1, help="epochs between pictures")
    evaluate_every: int = option(
        5, help="epochs between scores; the last has them, too"
    )
    best_by: Literal["swd", "kid", "fid", "truth_mae"] = option(
        "swd",
        help="score, mean of both directions, that the best checkpoint is kept by",
    )
    inception_weights: str | None = option(
        None, help="file of weights for kid and fid; default: of keras.applications"
    )
    restart: bool = option(
        False, help="begin anew; the earlier run is renamed, not deleted"
    )
    dry_run: bool = option(False, help="print the resolved options and stop")

    def __post_init__(self):
        super().__post_init__()
        for name in ("batch_size", "epochs", "filters", "checkpoint_every"):
            _require_at_least(self, name, 1)
        for name in ("seed", "pool_size", "cycle_weight", "identity_weight"):
            _require_at_least(self, name, 0)
        _require_at_least(self, "sample_every", 1)
        _require_at_least(self, "evaluate_every", 1)
        _require_at_least(self, "image_size", MIN_IMAGE_SIZE)
        _require(
            self.image_size % 4 == 0,
            "--image-size",
            f"must be a multiple of 4, got {self.image_size}",
        )
        if self.load_size is not None:
            _require_at_least(self, "load_size", self.image_size)
        if self.residual_blocks is not None:
            _require_at_least(self, "residual_blocks", 0)
        if self.steps_per_epoch is not None:
            _require_at_least(self, "steps_per_epoch", 1)
        if self.constant_epochs is not None:
            _require_at_least(self, "constant_epochs", 0)
        _require(
            0 < self.learning_rate < 1,
            "--learning-rate",
            f"must be between 0 and 1, got {self.learning_rate}",
        )

    @property
    def resolved_run_dir(self) -> pathlib.Path:
        """Where the run lives."""
        run_dir = self.run_dir or pathlib.Path("runs", self.dataset_name)
        return pathlib.Path(run_dir).expanduser()

    @property
    def resolved_synthetic_size(self) -> int:
        """Side of the drawn pictures: never smaller than the crop."""
        return self.synthetic_size or max(128, self.image_size)

    @property
    def resolved_load_size(self) -> int:
        """Side before the crop, in pixels."""
        return self.load_size or round(self.image_size * LOAD_SCALE)

    @property
    def resolved_residual_blocks(self) -> int:
        """Residual blocks per generator (paper, Sec. 7.2)."""
        if self.residual_blocks is not None:
            return self.residual_blocks
        return 9 if self.image_size >= 256 else 6

    @property
    def resolved_constant_epochs(self) -> int:
        """Epochs at the full learning rate, at most all."""
        if self.constant_epochs is None:
            return self.epochs // 2
        return min(self.constant_epochs, self.epochs)

    def seed_of(self, purpose: str) -> int:
        """A seed of its own for each purpose, in [0, 2^31)."""
        digest = hashlib.sha256(f"{self.seed}/{purpose}".encode()).digest()
        return int.from_bytes(digest[:4], "big") & 0x7FFFFFFF

    def resolved(self) -> dict[str, Any]:
        """All options as they will be used, with derived defaults filled in."""
        return dataclasses.asdict(self) | {
            "run_dir": str(self.resolved_run_dir),
            "synthetic_size": self.resolved_synthetic_size,
            "load_size": self.resolved_load_size,
            "residual_blocks": self.resolved_residual_blocks,
            "constant_epochs": self.resolved_constant_epochs,
        }


EXPORT_FORMATS = ("savedmodel", "onnx", "litert")


@dataclasses.dataclass(frozen=True)
class ExportConfig:
    """Which run, where its models go, and in which form."""

    run_dir: str = option("runs/synthetic/horse2zebra", help="directory of a run")
    output: str | None = option(
        None, help="gets the version folders 1, 2, ...; default: exports/<run>"
    )
    checkpoint: str = option("last", help="last, best, or the step of a checkpoint")
    format: str = option(
        "savedmodel", help="one or more of savedmodel,onnx,litert, with commas"
    )
    precision: Literal["float32", "bfloat16", "float16"] = option(
        "float32", help="what the exported model stores and computes in"
    )
    max_megapixels: float = option(
        4.0, help="largest request that a SavedModel accepts, so that none fills memory"
    )

    def __post_init__(self):
        _require_checkpoint(self.checkpoint)
        for name in self.formats:
            _require(
                name in EXPORT_FORMATS,
                "--format",
                f"takes {', '.join(EXPORT_FORMATS)}, got {name!r}",
            )
            _require(
                self.precision != "bfloat16" or name == "savedmodel",
                "--precision bfloat16",
                f"is not for --format {name}; take float16 or float32",
            )
        _require(
            0 < self.max_megapixels <= 1000,
            "--max-megapixels",
            f"must be above 0 and at most 1000, got {self.max_megapixels}",
        )

    @property
    def formats(self) -> list[str]:
        """The formats, each once."""
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


@dataclasses.dataclass(frozen=True)
class TranslateConfig:
    """Which model translates which pictures, and where they go."""

    input: str = option("", help="a picture, a folder of them, or a quoted glob")
    output: str = option("", help="a folder; for one picture also a .png or .jpg file")
    model: str = option(
        "runs/synthetic/horse2zebra", help="directory of a run, or of an export"
    )
    checkpoint: str = option(
        "last", help="of a run: last, best, or the step of a checkpoint"
    )
    direction: Literal["a_to_b", "b_to_a"] = option("a_to_b", help="which way")
    format: Literal["png", "jpeg"] = option("png", help="of the pictures in a folder")
    batch_size: int = option(8, help="small pictures of one size per call")
    overwrite: bool = option(False, help="replace pictures that are there already")
    tile: bool = option(
        False,
        help="translate large pictures in bounded memory, stripe by stripe; needs a "
        "run, and scratch space beside the output",
    )

    def __post_init__(self):
        _require_checkpoint(self.checkpoint)
        _require_at_least(self, "batch_size", 1)


@dataclasses.dataclass(frozen=True)
class EvaluateConfig:
    """Which run is scored, on which images; of a report, which runs."""

    run_dir: list[str] = option(
        default_factory=lambda: ["runs/synthetic/horse2zebra"],
        nargs="+",
        metavar="RUN",
        help="directory of a run; with --report of several, to be compared",
    )
    report: bool = option(
        False, help="also write report.html, to be opened in a browser, into the first"
    )
    checkpoint: str = option("last", help="last, best, or the step of a checkpoint")
    split: Literal["test", "train"] = option("test", help="images to score on")
    limit: int | None = option(
        None, help="the most images of each domain; default: all"
    )
    paired: bool = option(
        False,
        help="both domains show the same scenes, in files of one name (maps, facades); "
        "of the embedded dataset that is known",
    )
    data_dir: str | None = option(
        None, help="where the dataset's shards are; default: where the run had them"
    )
    inception_weights: str | None = option(
        None, help="file of weights for kid and fid; default: of keras.applications"
    )

    def __post_init__(self):
        _require_checkpoint(self.checkpoint)
        _require(
            self.report or len(self.run_dir) == 1,
            "--run-dir",
            f"takes one run, got {len(self.run_dir)}; to compare runs, add --report",
        )
        _require(
            len(self.run_dir) <= MAX_COMPARED_RUNS,
            "--run-dir",
            f"takes at most {MAX_COMPARED_RUNS} runs, got {len(self.run_dir)}",
        )
        paths = [path.resolve() for path in self.run_dirs]
        _require(len(set(paths)) == len(paths), "--run-dir", "names a run twice")
        if self.limit is not None:
            _require_at_least(self, "limit", 2)

    @property
    def run_dirs(self) -> list[pathlib.Path]:
        """The directories of the runs."""
        return [pathlib.Path(run_dir).expanduser() for run_dir in self.run_dir]


@dataclasses.dataclass(frozen=True)
class ImportConfig:
    """Models of the authors' program, and a run directory of ours."""

    models: list[str] = option(
        default_factory=list,
        positional=True,
        nargs="*",
        metavar="FILE [FILE]",
        help=".pth of the generator from A to B, and of that from B to A",
    )
    run_dir: str | None = option(
        None, help="new run directory to write; with --to-reference: the run to read"
    )
    dataset: str = option(
        "unknown", help="what the models were trained on, e.g. cycle_gan/horse2zebra"
    )
    to_reference: str | None = option(
        None, help="instead, write the run's generators as .pth files to this folder"
    )


# What the embedded dataset needs to be learned on two cores in minutes; any flag
# overrides it. For everything else the defaults are the paper's.
RECOMMENDED: dict[str, dict[str, Any]] = {
    "synthetic/horse2zebra": {
        "image_size": 64,
        "filters": 16,
        "residual_blocks": 3,
        "epochs": 5,
        "learning_rate": 1e-3,
        "identity_weight": 10.0,
        "evaluate_every": 1,
        "jit": "off",  # for so small networks XLA takes longer to start, and to run
    }
}


def recommended(config_class: type, dataset: str) -> dict[str, Any]:
    """Those recommended settings of a dataset that `config_class` has."""
    names = {field.name for field in dataclasses.fields(config_class)}
    settings = RECOMMENDED.get(dataset, {})
    return {name: value for name, value in settings.items() if name in names}


def flag(name: str) -> str:
    """The command-line flag of a field."""
    return "--" + name.replace("_", "-")


def _require(condition, name, problem):
    if not condition:
        raise InputError(f"{name} {problem}.")


def _require_at_least(config, name, least):
    value = getattr(config, name)
    _require(value >= least, flag(name), f"must be at least {least}, got {value}")


def _require_checkpoint(name):
    _require(
        name in ("last", "best") or (name.isascii() and name.isdecimal()),
        "--checkpoint",
        f"takes last, best, or the number of a step, got {name!r}",
    )

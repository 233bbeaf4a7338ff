"""The options of a training run."""

import dataclasses
import pathlib
from typing import Any, Literal

from cyclegan_tf.config.dataset import DatasetConfig
from cyclegan_tf.config.losses import weighed_by
from cyclegan_tf.config.options import Nature, flag, names_of, option, require

# Loading 286 px for a crop of 256 (the authors' program).
LOAD_SCALE = 286 / 256
# What `--diffaugment` takes, in the order in which it is done.
AUGMENTATIONS = ("color", "translation", "cutout")


@dataclasses.dataclass(frozen=True)
class TrainConfig(DatasetConfig):
    """One training run; written to `<run_dir>/config.json` before step 0."""

    recipe: Literal["default", "paper", "best"] = option(
        "default", "named settings, which any flag overrides: the paper's, or the best"
    )
    run_dir: str | None = option(
        None, "where the run lives; default: runs/<dataset>", Nature.PLACE
    )
    image_size: int = option(256, "side of the training crop, in pixels", at_least=16)
    load_size: int | None = option(
        None, "side before the crop, in pixels; default: 286/256 of the crop"
    )
    batch_size: int = option(1, "images of each domain per step and device", at_least=1)
    epochs: int = option(200, "epochs of the whole run", Nature.SCHEDULE, at_least=1)
    constant_epochs: int | None = option(
        None,
        "epochs before the learning rate falls to 0; default: half of all",
        Nature.SCHEDULE,
        at_least=0,
    )
    steps_per_epoch: int | None = option(
        None, "default: once through the larger domain", at_least=1
    )
    filters: int = option(64, "channels of the networks' first convolution", at_least=1)
    residual_blocks: int | None = option(
        None, "of the generators; default: 9 from 256 px on, 6 below", at_least=0
    )
    discriminator: Literal["patch46", "patch70"] = option(
        "patch46", "PatchGAN of 64-128-256 channels, or the paper's, 70x70"
    )
    norm: Literal["affine", "plain"] = option(
        "affine", "instance norm with a learned scale and offset, or without"
    )
    init_from: str | None = option(
        None,
        "run whose generators this one starts from, e.g. an imported one",
        Nature.SOURCE,
    )
    upsampling: Literal["transpose", "resize", "transpose4", "subpixel", "blur"] = (
        option(
            "transpose",
            "of the generators: transposed convolutions, or resize and convolve",
        )
    )
    cycle_weight: float = option(
        10.0, f"weight of {weighed_by('cycle_weight')}", at_least=0
    )
    identity_weight: float = option(
        5.0, f"weight of {weighed_by('identity_weight')}", at_least=0
    )
    average: bool = option(
        True, "keep and use averages of the generators' weights over the latest steps"
    )
    diffaugment: str = option(
        "none",
        "alter all that discriminators see at random, for few images: some of "
        "color,translation,cutout with commas, or none",
    )
    pool_size: int = option(50, "fakes kept per domain; 0: no image pool", at_least=0)
    learning_rate: float = option(2e-4, "of both Adams, before it falls")
    discriminator_learning_rate: float | None = option(
        None, "of the discriminators' Adam; default: --learning-rate"
    )
    discriminator_norm: Literal["instance", "spectral"] = option(
        "instance", "of the discriminators: as --norm says, or spectral normalization"
    )
    gradient_penalty: float = option(
        0.0, "weight of the discriminators' zero-centred gradient penalty", at_least=0
    )
    seed: int = option(0, "of weights, order, crops, flips and image pools", at_least=0)
    cache: Literal["auto", "memory", "none"] = option(
        "auto", "keep decoded images in memory (auto: where they fit)", Nature.MEANS
    )
    jit: Literal["auto", "on", "off"] = option(
        "auto", "compile the step with XLA (auto: on a GPU)"
    )
    precision: Literal["float32", "bfloat16", "float16"] = option(
        "float32", "of the networks' arithmetic; weights stay float32"
    )
    remat: bool = option(False, "save memory: compute the insides of generators twice")
    strategy: Literal["auto", "one", "mirrored", "multiworker"] = option(
        "auto",
        "one device, all of this machine, or all of several machines (auto: all "
        "GPUs of this machine); --batch-size is that of each",
        Nature.MEANS,
    )
    checkpoint_every: int = option(
        1000,
        "steps between checkpoints; every epoch ends with one, too",
        Nature.TELLING,
        at_least=1,
    )
    sample_every: int = option(1, "epochs between pictures", Nature.TELLING, at_least=1)
    evaluate_every: int = option(
        5, "epochs between scores; the last has them, too", Nature.TELLING, at_least=1
    )
    best_by: Literal["swd", "kid", "fid", "truth_mae"] = option(
        "swd",
        "score, mean of both directions, that the best checkpoint is kept by",
        Nature.TELLING,
    )
    inception_weights: str | None = option(
        None,
        "file .h5 of weights for kid and fid; default: of keras.applications",
        Nature.PLACE,
    )
    restart: bool = option(
        False, "begin anew; the earlier run is renamed, not deleted", Nature.COMMAND
    )
    dry_run: bool = option(False, "print the resolved options and stop", Nature.COMMAND)

    def __post_init__(self):
        super().__post_init__()
        require(
            self.image_size % 4 == 0,
            "--image-size",
            f"must be a multiple of 4, got {self.image_size}",
        )
        require(
            self.load_size is None or self.load_size >= self.image_size,
            "--load-size",
            f"must be at least {self.image_size}, got {self.load_size}",
        )
        for name in ("learning_rate", "discriminator_learning_rate"):
            rate = getattr(self, name)
            require(
                rate is None or 0 < rate < 1,
                flag(name),
                f"must be between 0 and 1, got {rate}",
            )
        unknown = set(self.diffaugment.split(",")) - {*AUGMENTATIONS}
        require(
            self.diffaugment == "none" or not unknown,
            "--diffaugment",
            f"takes none, or some of {','.join(AUGMENTATIONS)} with commas, got "
            f"{self.diffaugment!r}",
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
    def weights(self) -> str:
        """Which of the generators' weights are scored, shown and kept as the best."""
        return "average" if self.average else "raw"

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
    def augmentations(self) -> tuple[str, ...]:
        """What is done to all that discriminators see, in this order."""
        return tuple(x for x in AUGMENTATIONS if x in self.diffaugment.split(","))

    @property
    def resolved_constant_epochs(self) -> int:
        """Epochs at the full learning rate, at most all."""
        if self.constant_epochs is None:
            return self.epochs // 2
        return min(self.constant_epochs, self.epochs)

    @property
    def resolved_discriminator_learning_rate(self) -> float:
        """Of the discriminators, before it falls."""
        return self.discriminator_learning_rate or self.learning_rate

    def resolved(self) -> dict[str, Any]:
        """All options as they will be used, with derived defaults filled in."""
        return dataclasses.asdict(self) | {
            "run_dir": str(self.resolved_run_dir),
            "synthetic_size": self.resolved_synthetic_size,
            "load_size": self.resolved_load_size,
            "residual_blocks": self.resolved_residual_blocks,
            "constant_epochs": self.resolved_constant_epochs,
            "discriminator_learning_rate": self.resolved_discriminator_learning_rate,
            "diffaugment": ",".join(self.augmentations) or "none",
        }

    def shown(self) -> dict[str, Any]:
        """What a reader elsewhere needs: what was computed, and no place on a disk."""
        resolved = self.resolved()
        names = names_of(self, Nature.RESULT, Nature.SCHEDULE)
        return {"dataset": self.dataset_name} | {name: resolved[name] for name in names}

"""The options of a training run."""

import dataclasses
import pathlib
from typing import Any, Literal

from cyclegan_tf.common.files import require_utf8, with_name
from cyclegan_tf.config.architectures import (
    DISCRIMINATORS,
    GENERATORS,
    DiscriminatorName,
    GeneratorName,
    kind_of,
    meanings,
)
from cyclegan_tf.config.images import ImageConfig
from cyclegan_tf.config.losses import weighed_by
from cyclegan_tf.config.options import Nature, flag, names_of, option, require
from cyclegan_tf.config.recipes import RECIPES
from cyclegan_tf.config.sizes import size_text

IDENTITY_WEIGHT = 5.0  # half the cycle weight (paper, Sec. 5.2)
# What `--diffaugment` takes, in the order in which it is done.
AUGMENTATIONS = ("color", "translation", "cutout")


def inception_option() -> Any:
    """The option that names the weights of the scores that need a network."""
    text = "file .h5 of weights for kid and fid; default: of keras.applications"
    return option(None, text, Nature.PLACE)


@dataclasses.dataclass(frozen=True)
class TrainConfig(ImageConfig):
    """One training run; written to `<run_dir>/config.json` before step 0."""

    recipe: Literal[tuple(RECIPES)] = option(
        "default",
        "named settings, which any flag overrides: those of ten minutes on two cores, "
        "the paper's, or none",
        heading="run",
    )
    run_dir: str | None = option(
        None, "where the run lives; default: runs/<dataset>", Nature.PLACE
    )
    init_from: str | None = option(
        None,
        "run whose generators this one starts from, e.g. an imported one, and whose "
        "discriminators where they fit",
        Nature.SOURCE,
    )
    teacher: str | None = option(
        None,
        "run whose translations this one learns; `cyclegan distill` chooses what goes "
        "with it",
        Nature.SOURCE,
    )
    seed: int = option(0, "of weights, order, crops, flips and image pools", at_least=0)
    restart: bool = option(
        False, "begin anew; the earlier run is renamed, not deleted", Nature.COMMAND
    )
    dry_run: bool = option(
        False,
        "measure a few steps, and say what the run will take of time, memory and disk",
        Nature.COMMAND,
    )
    json: bool = option(False, "say that as JSON", Nature.COMMAND)
    generator: GeneratorName = option(
        "resnet", meanings(GENERATORS), heading="networks"
    )
    filters: int = option(64, "channels of the networks' first convolution", at_least=1)
    generator_filters: int | None = option(
        None, "of the generators alone; default: --filters", at_least=1
    )
    residual_blocks: int | None = option(
        None, "of the generators; default: 9 from 256 px on, 6 below", at_least=0
    )
    discriminator: DiscriminatorName = option("patch46", meanings(DISCRIMINATORS))
    norm: Literal["affine", "plain"] = option(
        "affine", "instance norm with a learned scale and offset, or without"
    )
    upsampling: Literal["transpose", "resize"] = option(
        "transpose",
        "of the generators, but not of mobile ones: transposed convolutions, or resize "
        "and convolve",
    )
    average: bool = option(
        True, "keep and use averages of the generators' weights over the latest steps"
    )
    cycle_weight: float = option(
        10.0, f"weight of {weighed_by('cycle_weight')}", at_least=0, heading="objective"
    )
    identity_weight: float | None = option(
        None,
        f"weight of {weighed_by('identity_weight')}; default: 5, or 0 where A and B "
        f"differ in channels",
        at_least=0,
    )
    teacher_weight: float = option(
        10.0, f"weight of {weighed_by('teacher_weight')}", at_least=0
    )
    feature_weight: float = option(
        10.0, f"weight of {weighed_by('feature_weight')}", at_least=0
    )
    diffaugment: str = option(
        "none",
        "alter all that discriminators see at random, for few images: some of "
        "color,translation,cutout with commas, or none",
    )
    discriminator_head_start: int = option(
        0,
        "steps at most that the discriminators alone take before the first, until they "
        "tell the domains apart",
        at_least=0,
    )
    pool_size: int = option(50, "fakes kept per domain; 0: no image pool", at_least=0)
    batch_size: int = option(
        1, "images of each domain per step and device", at_least=1, heading="schedule"
    )
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
    learning_rate: float = option(2e-4, "of both Adams, before it falls")
    discriminator_learning_rate: float | None = option(
        None, "of the discriminators' Adam; default: --learning-rate"
    )
    cache: Literal["auto", "memory", "none"] = option(
        "auto",
        "keep decoded images in memory (auto: where they fit)",
        Nature.MEANS,
        heading="performance",
    )
    jit: Literal["auto", "on", "off"] = option(
        "auto", "compile the step with XLA (auto: on a GPU, or where AVX2 is all)"
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
        heading="reports",
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
    inception_weights: str | None = inception_option()

    def __post_init__(self):
        super().__post_init__()
        require(self.dry_run or not self.json, "--json", "is for --dry-run")
        require_utf8("--run-dir", self.resolved_run_dir)
        place = self.resolved_run_dir.resolve()
        for name in ("init_from", "teacher") if self.restart else ():
            other = getattr(self, name)
            is_itself = other and pathlib.Path(other).expanduser().resolve() == place
            problem = f"{other} is what --restart renames; choose another --run-dir"
            require(not is_itself, flag(name), problem)
        for name in ("learning_rate", "discriminator_learning_rate"):
            rate = getattr(self, name)
            require(
                rate is None or 0 < rate < 1,
                flag(name),
                f"must be between 0 and 1, got {rate}",
            )
        least = kind_of(DISCRIMINATORS, self.discriminator).least_side
        require(
            min(self.frame[:2]) >= least,
            "--image-size",
            f"{self.image_size} is too small for --discriminator "
            f"{self.discriminator}, which takes sides from {least} px on",
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
        return with_name(self.run_dir or pathlib.Path("runs", self.dataset_name))

    @property
    def resolved_identity_weight(self) -> float:
        """Weight of the identity losses where both domains have the same channels."""
        return IDENTITY_WEIGHT if self.identity_weight is None else self.identity_weight

    @property
    def weights(self) -> str:
        """Which of the generators' weights are scored, shown and kept as the best."""
        return "average" if self.average else "raw"

    @property
    def resolved_residual_blocks(self) -> int:
        """Residual blocks per generator (paper, Sec. 7.2)."""
        if self.residual_blocks is not None:
            return self.residual_blocks
        height, width, _ = self.frame
        return 9 if height * width >= 256**2 else 6

    @property
    def resolved_generator_filters(self) -> int:
        """Channels of the generators' first convolution."""
        return self.generator_filters or self.filters

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
        """Learning rate of the discriminators before it falls."""
        return self.discriminator_learning_rate or self.learning_rate

    def resolved(self) -> dict[str, Any]:
        """All options as they will be used, with derived defaults filled in."""
        return dataclasses.asdict(self) | {
            "dataset": self.dataset or self.dataset_name,
            "run_dir": str(self.resolved_run_dir),
            "synthetic_size": self.resolved_synthetic_size,
            "load_size": size_text(*self.load_frame[:2]),
            "identity_weight": self.resolved_identity_weight,
            "residual_blocks": self.resolved_residual_blocks,
            "generator_filters": self.resolved_generator_filters,
            "constant_epochs": self.resolved_constant_epochs,
            "discriminator_learning_rate": self.resolved_discriminator_learning_rate,
            "diffaugment": ",".join(self.augmentations) or "none",
        }

    def shown(self) -> dict[str, Any]:
        """What a reader elsewhere needs: what was computed, and no place on a disk."""
        resolved = self.resolved()
        names = names_of(self, Nature.RESULT, Nature.SCHEDULE)
        return {"dataset": self.dataset_name} | {name: resolved[name] for name in names}

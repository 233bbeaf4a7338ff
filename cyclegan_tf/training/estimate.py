"""From what a few steps took to what a whole run takes: counting, and sums."""

import dataclasses
import math
from typing import Any

from cyclegan_tf.config import TrainConfig
from cyclegan_tf.runs.checkpoint import NUM_KEPT
from cyclegan_tf.training.callbacks.doctor import CHECK_EVERY
from cyclegan_tf.training.callbacks.samples import NUM_NEWEST, is_spaced
from cyclegan_tf.training.callbacks.step import is_due


@dataclasses.dataclass(frozen=True)
class Left:
    """How often a run does each thing from a step to its end."""

    steps: int
    epochs: int
    checkpoints: int
    evaluations: int
    samples: int
    examinations: int


@dataclasses.dataclass(frozen=True)
class Seconds:
    """What each thing takes, once.

    Attributes:
        start: from the command to the end of the first step.
        step: in the middle of an epoch, with its input.
        first_evaluation, evaluation: of all images; the first looks at the real ones.
        sample: the pictures of both domains.
        examination: of the doctor.
        checkpoint: writing one.
        models: writing both generators after an epoch.
        epoch: all that is left to do after one.
        end: the curves.
    """

    start: float
    step: float
    first_evaluation: float
    evaluation: float
    sample: float
    examination: float
    checkpoint: float
    models: float
    epoch: float
    end: float


@dataclasses.dataclass(frozen=True)
class Bytes:
    """What each thing takes on the disk, once; `rest` is all else of a young run."""

    checkpoint: int
    models: int
    sample: int
    rest: int


def left(config: TrainConfig, steps_per_epoch: int, step: int) -> Left:
    """What is left of a run of so many steps per epoch after a step."""
    epochs = range(step // steps_per_epoch, config.epochs)
    within = (steps_per_epoch - 1) // config.checkpoint_every
    return Left(
        max(0, config.epochs * steps_per_epoch - step),
        len(epochs),
        len(epochs) * (1 + within),
        sum(is_due(epoch, config.evaluate_every, config.epochs) for epoch in epochs),
        sum(is_due(epoch, config.sample_every, config.epochs) for epoch in epochs),
        len(epochs) // math.ceil(CHECK_EVERY / steps_per_epoch),
    )


def total_seconds(left: Left, seconds: Seconds) -> float:
    """Of the rest of a run; each evaluation may be the best, and is then kept."""
    if not left.steps:
        return 0.0
    return (
        seconds.start
        + left.steps * seconds.step
        + seconds.first_evaluation
        + (left.evaluations - 1) * seconds.evaluation
        + left.samples * seconds.sample
        + left.examinations * seconds.examination
        + (left.checkpoints + left.evaluations) * seconds.checkpoint
        + left.epochs * (seconds.models + seconds.epoch)
        + seconds.end
    )


def run_bytes(whole: Left, each: Bytes) -> dict[str, Any]:
    """Of a whole run at its end; `whole` is what is left of it at step 0."""
    kept = min(NUM_KEPT, whole.checkpoints) + 1  # and the best
    numbers = range(whole.samples)
    spaced = [is_spaced(number, whole.samples - 1) for number in numbers]
    pictures = sum(x or whole.samples - i <= NUM_NEWEST for i, x in enumerate(spaced))
    # TensorBoard gets the spaced ones once more.
    pictures = (pictures + sum(spaced)) * each.sample
    return {
        "checkpoint_bytes": each.checkpoint,
        "checkpoints_kept": kept,
        "pictures_bytes": pictures,
        "run_bytes": kept * each.checkpoint + each.models + pictures + each.rest,
    }

"""A run that is being trained: what fitting, reporting and concluding work on."""

import dataclasses
import pathlib
from collections.abc import Callable

import tensorflow as tf

from cyclegan_tf.common.console import say
from cyclegan_tf.config import TrainConfig
from cyclegan_tf.data import pipeline
from cyclegan_tf.data.domain import Domains
from cyclegan_tf.evaluation.evaluator import Evaluator
from cyclegan_tf.model import replicas
from cyclegan_tf.model.cyclegan import CycleGAN
from cyclegan_tf.runs import checkpoint, saved


@dataclasses.dataclass
class Run:
    """A run at some step: what its parts work on.

    Attributes:
        config: the options.
        domains: the form of the images.
        path: the run directory, which this process, or another worker, has locked.
        splits: images by name, such as "trainA".
        evaluator: of test images, or of training images where there are no others.
        strategy: the devices.
        model: the compiled model.
        steps_per_epoch: of all devices together.
        received_signal: returns the signal to stop, or None.
    """

    config: TrainConfig
    domains: Domains
    path: pathlib.Path
    splits: dict[str, pipeline.Split]
    evaluator: Evaluator
    strategy: tf.distribute.Strategy
    model: CycleGAN
    steps_per_epoch: int
    received_signal: Callable[[], int | None]

    @property
    def checkpoints(self) -> pathlib.Path:
        """The directory of the checkpoints."""
        return self.path / saved.CHECKPOINTS

    @property
    def num_steps(self) -> int:
        """Steps of the whole run."""
        return self.config.epochs * self.steps_per_epoch

    @property
    def num_replicas(self) -> int:
        """Devices of all workers together."""
        return self.strategy.num_replicas_in_sync

    @property
    def is_first(self) -> bool:
        """Whether this worker is the one that writes."""
        return replicas.is_first_worker(self.strategy)

    def say(self, message: str) -> None:
        """What all workers would say, one does."""
        if self.is_first:
            say(message)

    def save_checkpoint(self) -> None:
        """Saves the state as it is now. Collective."""
        checkpoint.save(self.model, self.checkpoints, self.model.step)


def steps_per_epoch(config: TrainConfig, splits: dict, num_replicas: int) -> int:
    """Steps in which the larger domain is seen once, unless the config says."""
    return config.steps_per_epoch or pipeline.steps_per_epoch(
        splits["trainA"], splits["trainB"], config.batch_size * num_replicas
    )

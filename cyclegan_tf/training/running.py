"""A run that is being trained: what fitting, reporting and concluding work on."""

import dataclasses
import functools
import pathlib
from collections.abc import Callable

import tensorflow as tf

from cyclegan_tf.common.console import say
from cyclegan_tf.config import TrainConfig
from cyclegan_tf.data import pipeline
from cyclegan_tf.data.domain import Domains
from cyclegan_tf.evaluation.evaluator import Evaluator
from cyclegan_tf.model.cyclegan import CycleGAN
from cyclegan_tf.runs import checkpoint, generators, saved
from cyclegan_tf.training.devices import Devices


@dataclasses.dataclass
class Run:
    """A run at some step, in a directory that this or another worker has locked."""

    config: TrainConfig
    domains: Domains
    path: pathlib.Path
    splits: dict[str, pipeline.Split]  # by name, such as "trainA"
    evaluator: Evaluator  # of test images, or where there are none, of training images
    devices: Devices
    model: CycleGAN  # compiled
    steps_per_epoch: int  # of all devices together
    received_signal: Callable[[], int | None]  # returns the signal to stop, or None

    def __post_init__(self):
        self.checkpoints = self.path / saved.CHECKPOINTS
        self.num_steps = self.config.epochs * self.steps_per_epoch

    @functools.cached_property
    def batches_from(self) -> Callable[..., tf.data.Dataset]:
        """The training images, as of `pipeline.training_input`."""
        return pipeline.training_input(
            self.splits["trainA"],
            self.splits["trainB"],
            frame=self.config.frame,
            load_frame=self.config.load_frame,
            flip=self.config.flip,
            batch_size=self.config.batch_size,
            seed=self.config.seed,
            cache=self.config.cache,
        )

    def say(self, message: str) -> None:
        """What all workers would say, one does."""
        if self.devices.is_first:
            say(message)

    def save_checkpoint(self) -> None:
        """Saves the state as it is now. Collective."""
        step, is_writer = self.model.step, self.devices.is_first
        checkpoint.save(self.model, self.checkpoints, step, is_writer)

    def save_generators(self, **more) -> None:
        """Writes `model/`: both generators, where they come from, and what else."""
        if self.devices.is_first:
            step = self.model.step
            about = {"dataset": self.config.dataset_name, "step": step}
            about |= {"epochs": step / self.steps_per_epoch} | more
            networks = self.model.generators, about, self.model.averages
            generators.save_generators(self.path, *networks)


def steps_per_epoch(config: TrainConfig, splits: dict, num_replicas: int) -> int:
    """Steps in which the larger domain is seen once, unless the config says."""
    return config.steps_per_epoch or pipeline.steps_per_epoch(
        splits["trainA"], splits["trainB"], config.batch_size * num_replicas
    )


def is_due(epoch: int, every: int, epochs: int) -> bool:
    """Whether something is done after an epoch, counted from 0: every few, and last."""
    return (epoch + 1) % every == 0 or epoch + 1 == epochs

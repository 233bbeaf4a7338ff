"""What a run needs before its first step: directory, images, evaluator, model."""

import contextlib
import dataclasses
import pathlib
from collections.abc import Callable

import keras
import tensorflow as tf

from cyclegan_tf.common.console import say
from cyclegan_tf.common.errors import InputError
from cyclegan_tf.common.kernels import uses_onednn
from cyclegan_tf.config import TrainConfig
from cyclegan_tf.data import convert, forms, pipeline
from cyclegan_tf.data.domain import Domains
from cyclegan_tf.evaluation.evaluator import Evaluator
from cyclegan_tf.evaluation.features import load_inception, require_suitable
from cyclegan_tf.model import replicas
from cyclegan_tf.model.cyclegan import CycleGAN
from cyclegan_tf.runs import checkpoint, directory
from cyclegan_tf.training import devices, teaching
from cyclegan_tf.training.build import build_model, identity_weight
from cyclegan_tf.training.fine_tuning import load_earlier, require_same_channels
from cyclegan_tf.training.signals import stop_signals

NUM_SCORED = 200  # images of each domain


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
        earlier: generators by direction that a new run starts from.
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
    earlier: dict[str, keras.Model]

    @property
    def checkpoints(self) -> pathlib.Path:
        """The directory of the checkpoints."""
        return self.path / checkpoint.CHECKPOINTS

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


def prepare(
    config: TrainConfig, strategy: tf.distribute.Strategy, stack: contextlib.ExitStack
) -> Run:
    """Locks the run's directory, converts the dataset, builds the model.

    Args:
        config: the options.
        strategy: the devices.
        stack: what is entered is left when the run ends.

    Raises:
        InputError: something the user can mend.
    """
    if config.precision == "float16" and strategy.num_replicas_in_sync > 1:
        # Each would have to skip a step whose gradient overflowed on any of them.
        raise InputError("--precision float16 is for one device; take bfloat16.")
    network = _network_asked_for(config)
    path = config.resolved_run_dir
    # The others wait until the first one has converted and written the config;
    # they then find the one done and compare themselves with the other.
    with devices.first_worker_first(strategy):
        if replicas.is_first_worker(strategy):
            stack.enter_context(directory.locked(path, config.restart))
        else:
            directory.require_config(path)
        # Before anything that takes long.
        directory.require_same_options(path, config)
        earlier = _earlier_generators(config, path)
        teachers = teaching.load_teachers(config, path)
        dataset = convert.ensure_dataset(config)
        manifest = convert.read_manifest(dataset)
        domains = _choose_domains(config, dataset)
        if earlier:
            require_same_channels("init_from", config, domains)
        if teachers:
            require_same_channels("teacher", config, domains)
        splits = {
            name: pipeline.open_split(dataset, name, getattr(domains, name[-1].lower()))
            for name in manifest["splits"]
        }
        if network is not None:
            require_suitable(domains)
        evaluator = _make_evaluator(config, splits, manifest["is_paired"], network)
        recorded = directory.Recorded(
            config, manifest["fingerprint"], domains, uses_onednn()
        )
        directory.continue_run(path, recorded)
        if replicas.is_first_worker(strategy):
            teaching.keep_teacher(config, path)
    steps = steps_per_epoch(config, splits, strategy.num_replicas_in_sync)
    received_signal = stack.enter_context(stop_signals())
    with strategy.scope():
        # Of the copy: the other may have been trained on meanwhile.
        teachers = teaching.load_teachers(config, path)
        model = build_model(config, domains, steps, teachers)
    return Run(
        config,
        domains,
        path,
        splits,
        evaluator,
        strategy,
        model,
        steps,
        received_signal,
        earlier,
    )


def _network_asked_for(config):
    """For KID and FID; each image takes a while on a CPU."""
    if config.best_by in ("kid", "fid") or config.inception_weights is not None:
        return load_inception(config.inception_weights)
    return None


def _choose_domains(config, dataset):
    """The form of the images, by the dataset and the options."""
    domains = Domains(
        *(
            forms.chosen_domain(
                pipeline.open_split(dataset, f"train{name.upper()}"),
                name,
                getattr(config, f"channels_{name}"),
                config.range_of(name),
            )
            for name in Domains._fields
        )
    )
    identity_weight(config, domains)  # refuses what cannot be
    return domains


def steps_per_epoch(config: TrainConfig, splits: dict, num_replicas: int) -> int:
    """Steps in which the larger domain is seen once, unless the config says."""
    return config.steps_per_epoch or pipeline.steps_per_epoch(
        splits["trainA"], splits["trainB"], config.batch_size * num_replicas
    )


def _earlier_generators(config, path):
    """Those that a new run starts from; of a run with a checkpoint, none."""
    begun = checkpoint.checkpoints(path / checkpoint.CHECKPOINTS)
    if config.init_from is None or begun:
        return {}
    return load_earlier(pathlib.Path(config.init_from).expanduser(), config)


def _make_evaluator(config, splits, is_paired, network):
    """Of the test images, or of training images where a domain has no others."""
    is_test = len(splits["testA"]) > 0 and len(splits["testB"]) > 0
    kind = "test" if is_test else "train"
    evaluator = Evaluator(
        splits[f"{kind}A"].sample(NUM_SCORED),
        splits[f"{kind}B"].sample(NUM_SCORED),
        config.frame,
        is_paired and is_test,
        features=network,
    )
    if config.best_by not in evaluator.names:
        needed = "test images in pairs" if network is None else "two images per domain"
        raise InputError(
            f"--best-by {config.best_by} needs {needed}, which {config.dataset_name} "
            f"does not have; take --best-by swd."
        )
    return evaluator

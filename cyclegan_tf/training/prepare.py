"""What a run needs before its first step: directory, images, evaluator, model."""

import contextlib
import dataclasses
import shutil

import tensorflow as tf

from cyclegan_tf.common.console import say
from cyclegan_tf.common.errors import InputError, out_of_memory
from cyclegan_tf.common.kernels import uses_onednn
from cyclegan_tf.config import TrainConfig
from cyclegan_tf.data import findings, forms
from cyclegan_tf.data.convert import ensure_dataset, is_same
from cyclegan_tf.data.dataset import Dataset, find_dataset
from cyclegan_tf.data.domain import Domains
from cyclegan_tf.data.sources import find_source
from cyclegan_tf.data.sources.folder import is_on_disk
from cyclegan_tf.evaluation.evaluator import Evaluator
from cyclegan_tf.evaluation.features import load_inception, require_suitable
from cyclegan_tf.model.building import build_model, identity_weight
from cyclegan_tf.runs import directory
from cyclegan_tf.training import first_state
from cyclegan_tf.training.devices import Devices
from cyclegan_tf.training.running import Run, steps_per_epoch
from cyclegan_tf.training.signals import stop_signals

NUM_SCORED = 200  # images of each domain


def prepare(
    config: TrainConfig, devices: Devices, stack: contextlib.ExitStack
) -> tuple[Run, first_state.Origins]:
    """Locks the run's directory, converts the dataset, builds the model.

    What is entered in `stack` is to be left when the run ends. The model has fresh
    weights; the origins are what its first state comes from. Raises `InputError`.
    """
    path = config.resolved_run_dir
    # Each would have to skip a step whose gradient overflowed on any of them.
    if config.precision == "float16" and devices.num_replicas > 1:
        raise InputError("--precision float16 is for one device; take bfloat16.")
    network = _load_inception(config)
    # The others wait until the first one has converted and written the config;
    # they then find the one done and compare themselves with the other.
    with devices.first_worker_first():
        # What needs no images, before anything that takes long.
        if devices.is_first:
            stack.enter_context(directory.locked(path))
        is_anew, begun = config.restart and devices.is_first, None
        if not is_anew:
            begun = directory.require_same_options(path, config, not devices.is_first)
        origins = first_state.open_origins(config, begun and path)

        # The images, in the form that the networks take.
        dataset = open_dataset(config, begun)
        dataset = findings.shown(config, dataset)
        domains = Domains(*(_form_of(x, config, dataset) for x in Domains._fields))
        splits = dataset.splits(domains)
        if devices.is_first:
            _tell_of(dataset, splits, config.frame)
        identity_weight(config, domains)  # refuses what cannot be
        first_state.compare_images(origins, domains)
        steps = steps_per_epoch(config, splits, devices.num_replicas)
        evaluator = _make_evaluator(config, splits, dataset.is_paired, network)

        # From here on the run is begun, and an earlier one in its place is none.
        if is_anew and (path / directory.CONFIG).exists():
            stack.enter_context(directory.set_aside(path))
        now = directory.Recorded(config, dataset.fingerprint, domains, uses_onednn())
        directory.continue_run(path, begun, now)
        kept = path / first_state.TEACHER
        if devices.is_first and origins.teacher and not kept.is_dir():
            origins.teacher.copy_generators(kept)

    received_signal = stack.enter_context(stop_signals())
    try:
        with devices.strategy.scope():
            # Of the copy, as the teacher may have been trained on meanwhile.
            copy = origins.teacher and dataclasses.replace(origins.teacher, path=kept)
            teachers = copy.generators().generators if copy else {}
            model = build_model(config, domains, steps, teachers)
    except tf.errors.ResourceExhaustedError as error:
        if devices.is_first and begun is None:  # it is then not begun
            shutil.rmtree(kept, ignore_errors=True)
            (path / directory.CONFIG).unlink()
        raise out_of_memory(error) from None
    given = config, domains, path, splits, evaluator, devices
    return Run(*given, model, steps, received_signal), origins


def _load_inception(config):
    """The network of KID and FID, if asked for; an image takes a while on a CPU."""
    asked_for = config.best_by in ("kid", "fid") or config.inception_weights is not None
    return load_inception(config.inception_weights) if asked_for else None


def open_dataset(config: TrainConfig, begun: directory.Recorded | None) -> Dataset:
    """The images that a run has begun with, or those that the options name now.

    A run keeps its images; that a folder has others by now is said.
    """
    found = None
    if begun and begun.options.dataset_name == config.dataset_name:
        found = find_dataset(config, begun.fingerprint)
    if found is None:
        return Dataset.open(ensure_dataset(config))
    # A folder may also be empty by now.
    with contextlib.suppress(InputError):
        if is_on_disk(config) and not is_same(find_source(config), found.manifest):
            say(
                f"{config.dataset_name} has changed: the run goes on with the images "
                f"that it began with; --restart, or another --run-dir, takes those of "
                f"now"
            )
    return found


def _tell_of(dataset, splits, frame):
    for name in ("trainA", "trainB"):
        forms.tell_of_sizes(splits[name], frame)
    if left_out := findings.left_out_in_words(dataset):
        say(left_out)


def _form_of(name, config, dataset):
    """The form of a domain's images, by the dataset and the options."""
    channels = getattr(config, f"channels_{name}")
    split, values = dataset.split(f"train{name.upper()}"), config.range_of(name)
    domain = forms.chosen_domain(split, name, channels, values)
    return dataclasses.replace(domain, resample=getattr(config, f"resample_{name}"))


def _make_evaluator(config, splits, is_paired, network):
    """Makes that of the test images, or of training images if there are no others."""
    is_test = len(splits["testA"]) > 0 and len(splits["testB"]) > 0
    kind = "test" if is_test else "train"
    of_a, of_b = (splits[f"{kind}{name}"].sample(NUM_SCORED) for name in "AB")
    if network is not None:
        remedy = "take --best-by swd, and no --inception-weights"
        require_suitable(Domains(of_a.domain, of_b.domain), remedy)
    is_paired = is_paired and is_test
    evaluator = Evaluator(of_a, of_b, config.frame, is_paired, features=network)
    if config.best_by not in evaluator.names:
        needed = "test images in pairs" if network is None else "two images per domain"
        raise InputError(
            f"--best-by {config.best_by} needs {needed}, which {config.dataset_name} "
            f"does not have; take --best-by swd."
        )
    return evaluator

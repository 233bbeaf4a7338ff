"""The authors' method in PyTorch as a run: the same images in the same order.

Its generators become a run directory, by the import of the authors' files, so that
everything that uses a run of ours can score them.
"""

import itertools
import os
import pathlib
import statistics
import time

import numpy as np
import torch

from benchmarks.torch_reference import TorchCycleGAN
from cyclegan_tf.config import TrainConfig
from cyclegan_tf.data import convert, pipeline
from cyclegan_tf.data.dataset import Dataset
from cyclegan_tf.interop.convert import import_models
from cyclegan_tf.interop.torch_files import read_tensors
from cyclegan_tf.model.building import learning_rate
from cyclegan_tf.training.running import steps_per_epoch

SAVE_EVERY = 500  # steps
NUM_WARM, NUM_MEASURED = 3, 20  # steps, to know what one takes


def train_reference(config: TrainConfig) -> None:
    """Trains to the end and writes the run; goes on where an earlier call was ended."""
    run_dir = config.resolved_run_dir
    if run_dir.exists():
        return
    run_dir.parent.mkdir(parents=True, exist_ok=True)
    model, batches_from, steps = _prepare(config)
    rate = learning_rate(config, steps, config.learning_rate)
    state_path = run_dir.with_name("reference.pt")
    start = _load(model, state_path) if state_path.exists() else 0
    last = steps * config.epochs
    for step, batch in zip(range(start, last), batches_from(start), strict=False):
        for optimizer in _optimizers(model):
            optimizer.param_groups[0]["lr"] = float(rate(step))
        model.step(*batch)
        if (step + 1) % SAVE_EVERY == 0:
            _save(model, step + 1, state_path)
    paths = [run_dir.with_name(f"{name}.pth") for name in ("gen_ab", "gen_ba")]
    for path in paths:
        torch.save(model.networks[path.stem].state_dict(), path)
    models = [(path, read_tensors(path)) for path in paths]
    import_models(models, run_dir, config.dataset)


def seconds_per_step(config: TrainConfig) -> float:
    """The median of some steps of such a run, the first ones left out."""
    model, batches_from, _ = _prepare(config)
    times = [time.monotonic()]
    for batch in itertools.islice(batches_from(0), NUM_MEASURED + NUM_WARM):
        model.step(*batch)
        times.append(time.monotonic())
    return statistics.median(np.diff(times)[NUM_WARM:])


def _prepare(config):
    """The model, batches as tensors from a step on, and the steps of an epoch."""
    splits = Dataset.open(convert.ensure_dataset(config)).splits()
    steps = steps_per_epoch(config, splits, num_replicas=1)
    # More threads than processors wait for each other.
    torch.set_num_threads(len(os.sched_getaffinity(0)))
    torch.manual_seed(config.seed)
    model = TorchCycleGAN(
        config.filters,
        config.resolved_residual_blocks,
        config.discriminator,
        config.pool_size,
        config.learning_rate,
        config.cycle_weight,
        config.resolved_identity_weight,
    )
    images_from = pipeline.training_input(
        splits["trainA"],
        splits["trainB"],
        frame=config.frame,
        load_frame=config.load_frame,
        flip=config.flip,
        batch_size=config.batch_size,
        seed=config.seed,
        cache=config.cache,
    )

    def batches_from(step):
        for batch in images_from(step).as_numpy_iterator():
            yield [torch.tensor(x).permute(0, 3, 1, 2) for x in batch]

    return model, batches_from, steps


def _optimizers(model):
    return model.generator_optimizer, model.discriminator_optimizer


def _save(model, step, path):
    parts = [*model.networks.values(), *_optimizers(model)]
    pools = [(p.images, p.random.getstate()) for p in (model.pool_a, model.pool_b)]
    aside = path.with_suffix(".part")
    torch.save((step, [part.state_dict() for part in parts], pools), aside)
    aside.replace(path)


def _load(model, path: pathlib.Path) -> int:
    """Puts a saved state into the model; returns its step."""
    # A file of our own: the state of the pools' draws is more than tensors.
    step, states, pools = torch.load(path, weights_only=False)
    parts = [*model.networks.values(), *_optimizers(model)]
    for part, state in zip(parts, states, strict=True):
        part.load_state_dict(state)
    for pool, (images, drawn) in zip((model.pool_a, model.pool_b), pools, strict=True):
        pool.images = images
        pool.random.setstate(drawn)
    return step

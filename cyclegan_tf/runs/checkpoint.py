"""Exact resume: everything a run needs to go on, in one file per checkpoint.

With the order of the images, the crops and the coins of the pools being functions of
the step, the variables in a checkpoint are the whole state of a run. Of several
replicas each has image pools of its own; everything else is the same on all.
"""

import pathlib
from collections.abc import Callable
from typing import Any

import numpy as np

from cyclegan_tf.common.errors import Damaged, InputError
from cyclegan_tf.common.files import write_json, written_aside
from cyclegan_tf.model import replicas
from cyclegan_tf.model.cyclegan import CycleGAN
from cyclegan_tf.runs.saved import BEST, checkpoints
from cyclegan_tf.runs.weights import read_arrays, write_arrays

NUM_KEPT = 3
POOLS = ("pool_a", "pool_b")
AVERAGES = {"a_to_b": "average_ab", "b_to_a": "average_ba"}


class NonFiniteState(Exception):
    """A loss or a variable is NaN or infinite; the message names it."""


def training_state(model: CycleGAN) -> dict:
    """All variables of a run by name: networks, optimizers, pools, loss trackers.

    Of the pools, those of this process' replicas.
    """
    strategy = model.distribute_strategy
    worker, num_workers = replicas.worker_of(strategy)
    first = worker * strategy.num_replicas_in_sync // num_workers
    state = {}
    for part in ("gen_ab", "gen_ba", "disc_a", "disc_b"):
        for variable in getattr(model, part).variables:
            state[f"{part}/{variable.path}"] = variable
    for direction, average in model.averages.items():
        for variable in average.variables:
            # The same on every replica.
            state[f"{AVERAGES[direction]}/{variable.path}"] = variable
    for part in POOLS:
        for variable in getattr(model, part).variables:
            for replica, copy in enumerate(replicas.local_copies(variable), first):
                state[_pool_name(part, variable, replica)] = copy
    for part in ("generator_optimizer", "discriminator_optimizer"):
        # Both networks of an optimizer have variables of the same name.
        for i, variable in enumerate(getattr(model, part).variables):
            state[f"{part}/{i:03d}/{variable.name}"] = variable
    for name, tracker in model.trackers.items():
        for variable in tracker.variables:
            state[f"trackers/{name}/{variable.name}"] = variable
    return state


def require_finite(model: CycleGAN) -> None:
    """Raises `NonFiniteState` if the state is not worth keeping."""
    _finite_arrays(model)


def save(model: CycleGAN, directory: pathlib.Path, step: int) -> pathlib.Path:
    """Writes the checkpoint of `step` and removes all but the newest few.

    Of several workers all must call this; the first one writes.

    Raises:
        NonFiniteState: the state is not worth keeping; nothing is written.
        OSError: the disk is full or not writable; earlier checkpoints stay.
    """
    worker, num_workers = replicas.worker_of(model.distribute_strategy)
    pools = _pools_of_all_workers(model) if num_workers > 1 else {}
    arrays = _finite_arrays(model) | pools
    path = directory / f"step-{step:09d}.npz"
    if worker == 0:
        with written_aside(path) as aside:
            write_arrays(aside, arrays)
        for old in checkpoints(directory)[NUM_KEPT:]:
            old.unlink(missing_ok=True)
    return path


def save_best(model: CycleGAN, directory: pathlib.Path, about: dict[str, Any]) -> None:
    """Writes the checkpoint of the best score.

    `about` is what `best.json` beside it says: "step", and what it is the best by.
    """
    path = directory / f"{BEST}.npz"
    # Not to train on: without the pools of other workers' replicas.
    arrays = _finite_arrays(model)
    with written_aside(path) as aside:
        write_arrays(aside, arrays)
        # At no moment does it describe another file; after a kill in between there is
        # no best checkpoint, and the epoch that is repeated writes it again.
        path.with_suffix(".json").unlink(missing_ok=True)
    write_json(path.with_suffix(".json"), about)


def restore_newest(
    model: CycleGAN, directory: pathlib.Path, say: Callable[[str], None]
) -> tuple[pathlib.Path, int] | None:
    """Puts the newest whole checkpoint into a model; a damaged one is told by `say`.

    Returns:
        The checkpoint, and the number of replicas that it was written with; None where
        there is none.

    Raises:
        InputError: none can be read.
    """
    paths = checkpoints(directory)
    for path in paths:
        try:
            return path, restore(model, path)
        except Damaged as error:
            say(f"{error} Trying the one before.")
    if paths:
        raise InputError(
            f"no checkpoint in {directory} can be read; begin anew with --restart."
        )
    return None


def restore(model: CycleGAN, path: pathlib.Path) -> int:
    """Puts a checkpoint into a model of the same shape.

    The number of replicas may have changed: a pool that the checkpoint does not have
    stays as it is, and one that has no replica any more is left out.

    Returns:
        The number of replicas that the checkpoint was written with.

    Raises:
        Damaged: the file is damaged; the model is unchanged.
        InputError: it belongs to another model; likewise.
    """
    arrays, state = read_arrays(path), training_state(model)
    for name, variable in state.items():
        if name not in arrays and _is_of_further_replica(name):
            continue
        if name not in arrays or arrays[name].shape != tuple(variable.shape):
            raise InputError(f"{path} does not fit this model: it differs in {name}.")
    extra = [n for n in arrays if n not in state and not n.startswith(POOLS)]
    if extra:
        raise InputError(f"{path} does not fit this model: it has {extra[0]}, too.")
    for name, variable in state.items():
        if name in arrays:
            variable.assign(arrays[name])
    return sum(name.startswith(f"{POOLS[0]}/count") for name in arrays)


def _finite_arrays(model):
    arrays = {name: np.asarray(v) for name, v in training_state(model).items()}
    for name, array in arrays.items():
        if not np.isfinite(array).all():
            raise NonFiniteState(f"{name} is not finite")
    return arrays


def _pools_of_all_workers(model):
    """What `training_state` does not have: the pools of other workers' replicas."""
    return {
        _pool_name(part, variable, replica): value
        for part in POOLS
        for variable in getattr(model, part).variables
        for replica, value in enumerate(
            replicas.values_by_replica(model.distribute_strategy, variable)
        )
    }


def _pool_name(part, variable, replica):
    name = f"{part}/{variable.name}"
    return f"{name}/{replica}" if replica else name


def _is_of_further_replica(name):
    return name.startswith(POOLS) and name.count("/") == 2

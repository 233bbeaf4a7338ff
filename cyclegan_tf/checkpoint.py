"""Exact resume: everything a run needs to go on, in one file per checkpoint.

A checkpoint is an uncompressed `.npz` of named arrays, read without pickle, so that
loading one runs no code; the zip format's CRC of every array reveals damage. With
the order of the images, the crops and the coins of the pools being functions of the
step, these variables are the whole state of a run.
"""

import pathlib
import zipfile
from collections.abc import Iterable

import numpy as np

from cyclegan_tf.cyclegan import CycleGAN
from cyclegan_tf.errors import InputError
from cyclegan_tf.files import PARTIAL, written_aside

NUM_KEPT = 3
TRACKERS = "trackers/"


class DamagedCheckpoint(InputError):
    """A checkpoint file's content is not what was written."""


class NonFiniteState(Exception):
    """A loss or a variable is NaN or infinite; the message names it."""


def training_state(model: CycleGAN) -> dict:
    """All variables of a run by name: networks, optimizers, pools, loss trackers."""
    state = {}
    for part in ("gen_ab", "gen_ba", "disc_a", "disc_b"):
        for variable in getattr(model, part).variables:
            state[f"{part}/{variable.path}"] = variable
    for part in ("pool_a", "pool_b"):
        for variable in getattr(model, part).variables:
            state[f"{part}/{variable.name}"] = variable
    for part in ("generator_optimizer", "discriminator_optimizer"):
        # Both networks of an optimizer have variables of the same name.
        for i, variable in enumerate(getattr(model, part).variables):
            state[f"{part}/{i:03d}/{variable.name}"] = variable
    for name, tracker in model.trackers.items():
        for variable in tracker.variables:
            state[f"{TRACKERS}{name}/{variable.name}"] = variable
    return state


def require_finite(model: CycleGAN) -> None:
    """Raises `NonFiniteState` if the state is not worth keeping."""
    for name, variable in training_state(model).items():
        if not np.isfinite(np.asarray(variable)).all():
            raise NonFiniteState(f"{name} is not finite")


def save(model: CycleGAN, directory: pathlib.Path, step: int) -> pathlib.Path:
    """Writes the checkpoint of `step` and removes all but the newest few.

    Raises:
        NonFiniteState: the state is not worth keeping; nothing is written.
        OSError: the disk is full or not writable; earlier checkpoints stay.
    """
    require_finite(model)
    state = training_state(model)
    arrays = {name: np.asarray(variable) for name, variable in state.items()}
    path = directory / f"step-{step:09d}.npz"
    with written_aside(path) as aside, aside.open("wb") as file:
        np.savez(file, **arrays)
    for old in checkpoints(directory)[NUM_KEPT:]:
        old.unlink(missing_ok=True)
    return path


def checkpoints(directory: pathlib.Path) -> list[pathlib.Path]:
    """The whole checkpoints in a directory, newest first."""
    return sorted(directory.glob("step-*.npz"), reverse=True)


def step_of(path: pathlib.Path) -> int:
    """The step a checkpoint was taken after."""
    return int(path.stem.removeprefix("step-"))


def remove_partial(directories: Iterable[pathlib.Path]) -> None:
    """Removes what a killed process had begun to write."""
    for directory in directories:
        for path in directory.glob(f"{PARTIAL}*"):
            path.unlink(missing_ok=True)


def restore(model: CycleGAN, path: pathlib.Path) -> None:
    """Puts a checkpoint into a model of the same shape.

    Raises:
        DamagedCheckpoint: the file is damaged; the model is unchanged.
        InputError: it belongs to another model; likewise.
    """
    state = training_state(model)
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
    except (OSError, ValueError, EOFError, KeyError, zipfile.BadZipFile) as error:
        raise DamagedCheckpoint(f"{path} is damaged ({error}).") from None
    for name, variable in state.items():
        if name not in arrays or arrays[name].shape != tuple(variable.shape):
            raise InputError(f"{path} does not fit this model: it differs in {name}.")
    if len(arrays) != len(state):
        extra = sorted(set(arrays) - set(state))[0]
        raise InputError(f"{path} does not fit this model: it has {extra}, too.")
    for name, variable in state.items():
        variable.assign(arrays[name])


def tracker_state(model: CycleGAN) -> dict[str, np.ndarray]:
    """The loss trackers' values by name, as numbers."""
    return {
        name: np.asarray(variable)
        for name, variable in training_state(model).items()
        if name.startswith(TRACKERS)
    }


def set_trackers(model: CycleGAN, values: dict[str, np.ndarray]) -> None:
    """Puts back what `tracker_state` gave."""
    state = training_state(model)
    for name, value in values.items():
        state[name].assign(value)

"""Exact resume: the whole state of a training in one file per checkpoint."""

import pathlib
from collections.abc import Callable
from typing import Any

from cyclegan_tf.common.errors import Damaged, InputError
from cyclegan_tf.common.files import sync, write_json, written_aside
from cyclegan_tf.model import state
from cyclegan_tf.model.cyclegan import CycleGAN
from cyclegan_tf.runs.saved import BEST, checkpoints, read_arrays, write_arrays

NUM_KEPT = 3


def save(
    model: CycleGAN, directory: pathlib.Path, step: int, is_writer: bool = True
) -> pathlib.Path:
    """Writes the checkpoint of `step`, and removes all but the newest few. Collective.

    Of several workers one is the writer. A state that is not finite raises
    `NonFiniteState`, and nothing is written; a full disk `OSError`, and others stay.
    """
    path = directory / f"step-{step:09d}.npz"
    others = [other for other in checkpoints(directory) if other != path]
    pools = state.pools_of_all_workers(model)
    arrays = state.finite_arrays(model) | pools
    if is_writer:
        with written_aside(path) as aside:
            write_arrays(aside, arrays)
        for old in others[NUM_KEPT - 1 :]:
            old.unlink(missing_ok=True)
    return path


def save_best(model: CycleGAN, directory: pathlib.Path, about: dict[str, Any]) -> None:
    """Writes the checkpoint of the best score.

    `about` is what `best.json` beside it says: "step", and what it is the best by.
    """
    path = directory / f"{BEST}.npz"
    # Not to train on: without the pools of other workers' replicas.
    arrays = state.finite_arrays(model)
    with written_aside(path) as aside:
        write_arrays(aside, arrays)
        sync(aside)  # which takes long; what follows is seen by readers
        # At no moment does it describe another file; after a kill in between there is
        # no best checkpoint, and the epoch that is repeated writes it again.
        path.with_suffix(".json").unlink(missing_ok=True)
    write_json(path.with_suffix(".json"), about)


def restore_newest(
    model: CycleGAN, directory: pathlib.Path, say: Callable[[str], None]
) -> tuple[pathlib.Path, int] | None:
    """Puts the newest whole checkpoint into a model; a damaged one is told by `say`.

    Returns the checkpoint, and the number of replicas that it was written with; None
    where there is none. Raises `InputError` where none can be read.
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
    """Puts a checkpoint into a model; returns the number of replicas that wrote it.

    That number may have changed: a pool that the checkpoint does not have stays as it
    is, and one that has no replica any more is left out.

    Raises:
        Damaged: the file is damaged; the model is unchanged.
        InputError: it belongs to another model; likewise.
    """
    arrays, variables = read_arrays(path), state.variables_of(model)
    both = arrays.keys() & variables.keys()
    differing = {x for x in both if arrays[x].shape != tuple(variables[x].shape)}
    more, lacking = arrays.keys() - both, variables.keys() - both
    differing |= {name for name in more if not name.startswith(state.POOLS)}
    differing |= {name for name in lacking if not state.is_of_further_replica(name)}
    if differing:
        raise InputError(
            f"{path} does not fit this model: it differs in {min(differing)}."
        )
    for name in both:
        variables[name].assign(arrays[name])
    return state.num_replicas_of(arrays)

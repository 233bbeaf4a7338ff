"""What a run has saved: checkpoints and generators, and how to find and read them.

checkpoints/step-000000012.npz  the state after a step; the newest few are kept
checkpoints/best.npz, .json     that of the best score, and what it is the best by
model/generators.npz, .json     see `generators`

Arrays are in uncompressed `.npz` files, read without pickle, so that loading one runs
no code; the CRC-32 of each, which the zip format has, is compared when it is read.
Nothing here builds a network, so that no import of TensorFlow comes before an error.
"""

import contextlib
import io
import pathlib
import zipfile
import zlib
from typing import Any, NamedTuple

import numpy as np

from cyclegan_tf.common.errors import Damaged, InputError
from cyclegan_tf.common.files import current, read_json
from cyclegan_tf.data.domain import DIRECTIONS
from cyclegan_tf.runs.directory import read_config
from cyclegan_tf.runs.history import METRICS, read_history

CHECKPOINTS = "checkpoints"
BEST = "best"
BEST_REMEDY = "take another --checkpoint; the run's next better one replaces it"
FOLDER = "model"
WEIGHTS = "generators.npz"
ABOUT = "model.json"
LAST = "last"
ATTEMPTS = 3  # at a folder that a training may replace between two looks at it
WRITE_ANEW = (
    "the train.py command of the run, or a new import, writes it anew; --checkpoint "
    "takes the step of a checkpoint instead"
)
# What NumPy and zipfile raise for bytes that are no such file.
_UNREADABLE = (
    *(OSError, ValueError, EOFError, KeyError, NotImplementedError, RuntimeError),
    *(MemoryError, zipfile.BadZipFile, zlib.error),
)


def write_arrays(path: pathlib.Path, arrays: dict[str, np.ndarray]) -> None:
    """Writes arrays by name to a new file."""
    with path.open("wb") as file:
        np.savez(file, **arrays)


def read_arrays(
    path: pathlib.Path, prefix: str | tuple[str, ...] = ""
) -> dict[str, np.ndarray]:
    """The arrays of a file whose names begin with `prefix`, or one of them.

    A file that is missing, damaged, or holds anything but numbers, is `Damaged`.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
            # Nothing that would be larger in memory than it is on the disk.
            if sum(member.file_size for member in members) > path.stat().st_size:
                raise ValueError("its arrays are larger than the file")
            return {
                name: np.lib.format.read_array(io.BytesIO(archive.read(member)))
                for member in members
                if (name := member.filename.removesuffix(".npy")).startswith(prefix)
            }
    except _UNREADABLE as error:
        raise Damaged(f"{path} is damaged ({error}).") from None


def checkpoints(directory: pathlib.Path) -> list[pathlib.Path]:
    """The whole checkpoints in a directory, newest first."""
    paths = (p for p in directory.glob("step-*.npz") if p.stem[5:].isdecimal())
    return sorted(paths, reverse=True)


def step_of(path: pathlib.Path) -> int:
    """The step a checkpoint was taken after."""
    return int(path.stem.removeprefix("step-"))


def read_best(directory: pathlib.Path) -> dict[str, Any]:
    """What `best.json` says; empty where there is no best checkpoint.

    Without its checkpoint it is `Damaged`, too.
    """
    path = directory / f"{BEST}.json"
    try:
        about = read_json(path, BEST_REMEDY)
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
        return {}
    if not isinstance(about.get("step"), int):
        raise Damaged(f"{path} is damaged: it names no step; {BEST_REMEDY}.")
    if not path.with_suffix(".npz").is_file():
        raise Damaged(f"{path.with_suffix('.npz')} is missing; {BEST_REMEDY}.")
    return about


def find_checkpoint(directory: pathlib.Path, name: str) -> pathlib.Path:
    """The checkpoint that "best" or the number of a step names, or `InputError`."""
    if name == BEST and read_best(directory):
        return directory / f"{BEST}.npz"
    found = {step_of(path): path for path in checkpoints(directory)}
    if name.isdecimal() and int(name) in found:
        return found[int(name)]
    named = [LAST] if has_model(directory.parent) else []
    named += [BEST] if (directory / f"{BEST}.json").is_file() else []
    file = f"{BEST}.json" if name == BEST else f"step-{name:0>9}.npz"
    raise InputError(
        f"--checkpoint {name}: {directory} has no such checkpoint ({file}); there are "
        f"{', '.join([*named, *map(str, found)]) or 'none'}."
    )


def require_checkpoints(run_dir: pathlib.Path) -> None:
    """Raises `InputError` where the checkpoints of a run have been removed.

    A row of the history is written just before the checkpoint of its epoch, so that one
    alone may be of a run that was killed in between.
    """
    path = run_dir / CHECKPOINTS
    if checkpoints(path):
        return
    rows = read_history(run_dir / METRICS)
    if len(rows) > 1:
        raise InputError(
            f"{path} has no checkpoint, but {run_dir / METRICS} tells of {len(rows)} "
            f"epochs: put the newest checkpoint (step-*.npz) back, or begin anew with "
            f"--restart."
        )


def require_trained(run_dir: pathlib.Path, checkpoint: str = LAST) -> None:
    """Raises `InputError` where there is no run, or none of its generators' weights."""
    read_config(run_dir)
    if checkpoint == LAST:
        read_about(run_dir)
    else:
        find_checkpoint(run_dir / CHECKPOINTS, checkpoint)


class Weights(NamedTuple):
    """The directions, the step (of imports None), and arrays by name."""

    directions: list[str]
    step: int | None
    arrays: dict[str, np.ndarray]


def read_weights(run_dir: pathlib.Path, checkpoint: str = LAST) -> Weights:
    """The weights that `load_generators` takes, as they are stored, without networks.

    A run that goes on meanwhile may replace its files; all that is read is of one step.
    """
    while True:
        directions, step, path = source = _source(run_dir, checkpoint)
        arrays = problem = None
        try:
            arrays = read_arrays(path, ("gen_", "average_"))
        except Damaged as error:
            problem = f"{error} {WRITE_ANEW}."
        if _source(run_dir, checkpoint) == source:
            if problem:
                raise InputError(problem)
            return Weights(directions, step, arrays)


def _source(run_dir, checkpoint):
    """The directions that there are, the step that is asked for, and its file."""
    if checkpoint == LAST:
        about, path = read_about(run_dir), current(run_dir / FOLDER) / WEIGHTS
        return about["directions"], about.get("step"), path
    folder = run_dir / CHECKPOINTS
    path = find_checkpoint(folder, checkpoint)
    # A better one may replace the best just now: it is then read again.
    step = read_best(folder).get("step") if checkpoint == BEST else step_of(path)
    return list(DIRECTIONS), step, path  # what trains, trains both


def has_model(run_dir: pathlib.Path) -> bool:
    """Whether the generators of a finished epoch are there: not in the first one."""
    places = (current(run_dir / FOLDER) / ABOUT for _ in range(ATTEMPTS))
    return any(path.is_file() for path in places)


def read_about(run_dir: pathlib.Path) -> dict[str, Any]:
    """The content of `model.json`; `InputError` if there is none, or it is damaged."""
    for _ in range(ATTEMPTS):
        path = current(run_dir / FOLDER) / ABOUT
        with contextlib.suppress(FileNotFoundError, NotADirectoryError):
            about = read_json(path, WRITE_ANEW)
            break
    else:
        steps = [str(step_of(path)) for path in checkpoints(run_dir / CHECKPOINTS)]
        users = "evaluate, export, translate and demo"
        until = f" Until then {users} take --checkpoint {', '.join(steps)}."
        raise InputError(
            f"{run_dir} has no trained model yet ({FOLDER}/{ABOUT}); one is written "
            f"after each epoch.{until if steps else ''}"
        )
    directions = about.get("directions")
    if directions not in (list(DIRECTIONS), *([name] for name in DIRECTIONS)):
        raise Damaged(f"{path} is damaged (directions {directions!r}); {WRITE_ANEW}.")
    return about

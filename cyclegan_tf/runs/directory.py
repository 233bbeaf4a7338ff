"""A run's directory: who may use it, and whether a command continues the run in it.

config.json   the options, written before step 0
checkpoints/  the state every so often, and the best
tensorboard/  what TensorBoard reads
samples/      pictures
metrics.csv   one row per epoch
scores.json   scores of the end, and of evaluate.py, with their protocols
model/        both generators
"""

import contextlib
import dataclasses
import hashlib
import json
import os
import pathlib
import shlex
from collections.abc import Iterator
from typing import Any

from filelock import Timeout

from cyclegan_tf.common import checksums, files
from cyclegan_tf.common.console import say
from cyclegan_tf.common.errors import InputError
from cyclegan_tf.common.files import LOCK, PARTIAL, locked_folder
from cyclegan_tf.config import Nature, TrainConfig, flag, names_of
from cyclegan_tf.runs import generators

CONFIG = "config.json"
REMEDY = "restore it from a copy, or begin anew with --restart"

# Options that another value of leaves the result as it is.
FREE_OPTIONS = frozenset(
    names_of(TrainConfig, Nature.PLACE, Nature.MEANS, Nature.TELLING, Nature.COMMAND)
)
SCHEDULE_OPTIONS = frozenset(names_of(TrainConfig, Nature.SCHEDULE))


@contextlib.contextmanager
def locked(path: pathlib.Path, restart: bool) -> Iterator[pathlib.Path]:
    """Makes the directory, or takes the run in it, for this process alone.

    Args:
        path: the run directory.
        restart: rename a run that is there already and begin an empty one.

    Raises:
        InputError: another process is using it, or it holds something else.
        OSError: it cannot be made or written.
    """
    with contextlib.ExitStack() as stack:
        _require_a_run(path)
        checksums.require_no_links(path)
        try:
            stack.enter_context(locked_folder(path))
            if restart and (path / CONFIG).exists():
                earlier = _free_name(path)
                os.replace(path, earlier)
                say(f"the earlier run is now {earlier}")
                stack.enter_context(locked_folder(path))
        except Timeout:
            raise InputError(
                f"{path} is in use by another process; wait for it, stop it, or choose "
                f"another --run-dir."
            ) from None
        yield path


def _require_a_run(path):
    if not path.exists():
        return
    if not path.is_dir():
        raise InputError(f"--run-dir {path} is a file.")
    # A run that was killed before its config was written has begun nothing yet.
    names = {entry.name for entry in path.iterdir()}
    names = {name for name in names if name != LOCK and not name.startswith(PARTIAL)}
    if names and CONFIG not in names:
        raise InputError(
            f"--run-dir {path} holds {sorted(names)[0]!r} but no {CONFIG}, so it is "
            f"not a run; choose another --run-dir."
        )


def _free_name(path):
    number = 1
    while (earlier := path.with_name(f"{path.name}.old-{number}")).exists():
        number += 1
    return earlier


def write_config(
    path: pathlib.Path,
    config: TrainConfig,
    fingerprint: str | None,
    run_id: str | None = None,
) -> str:
    """Writes `config.json`: the options, and which data they were used on.

    Args:
        path: directory of the run.
        config: the options.
        fingerprint: of the data; none means that the models were imported.
        run_id: of a run that has one already.

    Returns:
        What the files of this run bear, so that none is taken for another run's: a
        function of the options that change the result, and of the data.
    """
    if run_id is None:
        fixed = {k: v for k, v in config.resolved().items() if k not in FREE_OPTIONS}
        identity = json.dumps([fixed, fingerprint], sort_keys=True)
        run_id = hashlib.sha256(identity.encode()).hexdigest()[:16]
    content = {
        "run_id": run_id,
        "options": dataclasses.asdict(config),
        "dataset_fingerprint": fingerprint,
    }
    files.write_json(path / CONFIG, content)
    return run_id


def read_config(path: pathlib.Path) -> tuple[TrainConfig, str | None]:
    """The options of a run and the fingerprint of its data; of an import, None.

    Raises:
        InputError: `config.json` is missing, damaged, or of another version.
    """
    content = _read(path)
    try:
        return TrainConfig(**content["options"]), content["dataset_fingerprint"]
    except (ValueError, TypeError, KeyError) as error:
        reason = f"{type(error).__name__}: {error}"
        raise InputError(
            f"{path / CONFIG} is damaged or of another version ({reason}); {REMEDY}."
        ) from None


def run_id_of(path: pathlib.Path) -> str:
    """What the files of a run bear, see `write_config`.

    Raises:
        InputError: `config.json` is missing or damaged.
    """
    return str(_read(path).get("run_id"))


def require_own_models(path: pathlib.Path) -> None:
    """Checks that `config.json` and `model/` are of the same run.

    Raises:
        InputError: they are not, or one is damaged.
    """
    if generators.read_about(path).get("run_id") != run_id_of(path):
        raise InputError(
            f"{path / CONFIG} and {path / generators.FOLDER} are of different runs; "
            f"restore the one that was replaced."
        )


def _read(path):
    try:
        return files.read_json(path / CONFIG, REMEDY)
    except FileNotFoundError:
        raise InputError(
            f"{path / CONFIG} is missing; expected the directory of a run."
        ) from None


def require_config(path: pathlib.Path) -> None:
    """Checks that what the first of several workers has written is seen here.

    Raises:
        InputError: it is not.
    """
    if not (path / CONFIG).exists():
        raise InputError(
            f"the first worker's {path} is not seen here; --run-dir must be on a disk "
            f"that all workers share."
        )


def continue_run(path: pathlib.Path, config: TrainConfig, fingerprint: str) -> str:
    """Begins the run in an empty directory, or checks that it can be continued.

    An exact continuation needs the same options on the same data. More `--epochs` are
    allowed; the schedule then follows the new number, which is said.

    Returns:
        What the files of this run bear, see `write_config`.

    Raises:
        InputError: an option differs from the run's; all that differ are named.
    """
    if not (path / CONFIG).exists():
        return write_config(path, config, fingerprint)
    earlier, earlier_fingerprint = read_config(path)
    if earlier_fingerprint is None:
        raise InputError(
            f"{path} holds imported models, not a training run; to train them on, "
            f"give --init-from {shlex.quote(str(path))} and another --run-dir."
        )
    differing = _differences(earlier, config)
    is_extended = config.epochs > earlier.epochs
    if is_extended:
        differing = {k: v for k, v in differing.items() if k not in SCHEDULE_OPTIONS}
    if differing:
        named = ", ".join(
            f"{flag(name)} was {old} and is now {new}"
            for name, (old, new) in differing.items()
        )
        raise InputError(
            f"{path} holds a run that cannot be continued like this: {named}. Give the "
            f"same options, another --run-dir, or --restart."
        )
    if fingerprint != earlier_fingerprint:
        raise InputError(
            f"{path} holds a run on other images of {config.dataset} than are there "
            f"now; choose another --run-dir, or --restart."
        )
    if is_extended:
        say(
            f"extended from {earlier.epochs} to {config.epochs} epochs: the learning "
            f"rate is now constant for {config.resolved_constant_epochs} epochs and "
            f"then falls to 0 over {config.epochs - config.resolved_constant_epochs} "
            f"(before: {earlier.resolved_constant_epochs} and "
            f"{earlier.epochs - earlier.resolved_constant_epochs})"
        )
        write_config(path, config, fingerprint, run_id_of(path))
    return run_id_of(path)


def _differences(earlier, config) -> dict[str, tuple[Any, Any]]:
    """Options that change what is computed, with the run's value and the new one."""
    old, new = earlier.resolved(), config.resolved()
    return {
        name: (old[name], new[name])
        for name in old
        if name not in FREE_OPTIONS and old[name] != new[name]
    }

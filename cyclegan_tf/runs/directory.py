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
import difflib
import glob
import itertools
import os
import pathlib
import shlex
from collections.abc import Iterator
from typing import NamedTuple

from cyclegan_tf.common.checksums import require_no_links
from cyclegan_tf.common.console import say
from cyclegan_tf.common.errors import Damaged, InputError
from cyclegan_tf.common.files import (
    PARTIAL,
    read_json,
    remove_remains,
    require_folder,
    write_json,
)
from cyclegan_tf.common.locks import LOCK, locked_folder
from cyclegan_tf.config import Nature, TrainConfig, flag, names_of
from cyclegan_tf.config.dataset import SOURCES
from cyclegan_tf.data.domain import Domain, Domains

CONFIG = "config.json"
REMEDY = "restore it from a copy, or begin anew with --restart"


@contextlib.contextmanager
def locked(path: pathlib.Path) -> Iterator[None]:
    """Makes the directory, or takes the run in it, for this process alone.

    Raises:
        InputError: another process is using it, or it holds something else.
        OSError: it cannot be made or written.
    """
    require_a_run(path)
    require_no_links(path)
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(locked_folder(path))
        except TimeoutError:
            raise InputError(
                f"{path} is in use by another process; wait for it, stop it, or choose "
                f"another --run-dir."
            ) from None
        remove_remains(path)  # of a process that was killed
        yield


@contextlib.contextmanager
def set_aside(path: pathlib.Path) -> Iterator[None]:
    """Renames the run in a directory that is locked, and makes an empty one for it.

    Where no other is begun in the block, it gets its name back.
    """
    names = (f"{path.name}.old-{i}" for i in itertools.count(1))
    earlier = next(x for x in map(path.with_name, names) if not x.exists())
    os.replace(path, earlier)
    try:
        with locked(path):
            say(f"the earlier run is now {earlier}")
            yield
    finally:
        if not path.exists():
            os.replace(earlier, path)
            say(f"no run is begun: {path} is the earlier one again")


def require_a_run(path: pathlib.Path, flag: str = "--run-dir") -> None:
    """Raises `InputError` for what is neither a run's directory nor a new one."""
    require_folder(flag, path)
    if not path.exists():
        return
    # A run that was killed before its config was written has begun nothing yet.
    names = {entry.name for entry in path.iterdir()}
    names = {name for name in names if name != LOCK and not name.startswith(PARTIAL)}
    if names and CONFIG not in names:
        raise InputError(
            f"{flag} {path} holds {sorted(names)[0]!r} but no {CONFIG}, so it is "
            f"not a run; choose another {flag}."
        )


class Recorded(NamedTuple):
    """What `config.json` says of a run."""

    options: TrainConfig
    # Of the images that it is trained on; of imported models, None.
    fingerprint: str | None
    # The form of these images.
    domains: Domains = Domains()
    # Whether with oneDNN's kernels; None, before this was noted: as TensorFlow decides.
    onednn: bool | None = None


def write_config(path: pathlib.Path, recorded: Recorded) -> None:
    """Writes `config.json` into the directory of a run."""
    domains = recorded.domains._asdict().items()
    content = {
        "options": dataclasses.asdict(recorded.options),
        "dataset_fingerprint": recorded.fingerprint,
        "domains": {name: dataclasses.asdict(domain) for name, domain in domains},
        "onednn": recorded.onednn,
    }
    write_json(path / CONFIG, content)


def read_config(path: pathlib.Path) -> Recorded:
    """What `config.json` says; `InputError` if it cannot be read, or is a link."""
    if (path / CONFIG).is_file():  # or any folder, however large, would be searched
        require_no_links(path)
    try:
        content = read_json(path / CONFIG, REMEDY)
        # Runs from before there were averages have none, and are of 8-bit RGB.
        options = {"average": False} | content["options"]
        domains = content.get("domains", {})
        return Recorded(
            TrainConfig(**options),
            content["dataset_fingerprint"],
            Domains(**{name: Domain(**form) for name, form in domains.items()}),
            content.get("onednn"),
        )
    except (FileNotFoundError, NotADirectoryError):
        if not path.is_dir():
            raise InputError(
                f"{path}: no such run directory{near_runs(path)}; train one with "
                f"train.py."
            ) from None
        raise InputError(
            f"{path} is not the directory of a run: it has no {CONFIG}."
        ) from None
    except Damaged:
        raise
    except (InputError, ValueError, TypeError, KeyError) as error:
        kind = "" if isinstance(error, InputError) else f"{type(error).__name__}: "
        reason = f"{kind}{error}".removesuffix(".")
        raise InputError(
            f"{path / CONFIG} is damaged or of another version ({reason}); {REMEDY}."
        ) from None


def near_runs(path: pathlib.Path) -> str:
    """Which run was probably meant by a path that is none; empty, if any may be."""
    folder = next(each for each in path.absolute().parents if each.is_dir())
    # Not Path.glob, to which a folder that another process just renames is an error.
    places = (f"{glob.escape(str(folder))}/{x}/{CONFIG}" for x in ("*", "*/*"))
    found = [pathlib.Path(each).parent for x in places for each in glob.iglob(x)]
    runs = {each.name: each for each in found}
    near = difflib.get_close_matches(path.name, runs, 1)
    return f" (did you mean {os.path.relpath(runs[near[0]])}?)" if near else ""


def require_same_options(
    path: pathlib.Path, config: TrainConfig, is_begun: bool = False
) -> Recorded | None:
    """Checks that the run in a directory, if there is one, can be continued so.

    An exact continuation needs the same options; more `--epochs` are allowed. Another
    worker knows that the run `is_begun`, by the first one. Returns what is recorded of
    the run, of a new one None; raises `InputError` that names all options that differ.
    """
    if not (path / CONFIG).exists():
        if is_begun:
            raise InputError(
                f"the first worker's {path} is not seen here; --run-dir must be on a "
                f"disk that all workers share."
            )
        return None
    recorded = read_config(path)
    if recorded.fingerprint is None:
        raise InputError(
            f"{path} holds imported models, not a training run; to train them on, "
            f"give --init-from {shlex.quote(str(path))} and another --run-dir."
        )
    names = names_of(config, Nature.RESULT, Nature.SOURCE)
    if config.epochs <= recorded.options.epochs:
        names += names_of(config, Nature.SCHEDULE)
    old, new = (_comparable(options) for options in (recorded.options, config))
    differing = [
        f"{flag(name)} was {old[name]} and is now {new[name]}"
        for name in names
        if old[name] != new[name]
    ]
    if differing:
        raise InputError(
            f"{path} holds a run that cannot be continued like this: "
            f"{', '.join(differing)}. Give the same options, another --run-dir, or "
            f"--restart."
        )
    return recorded


def _comparable(config):
    """Options as they will be used; the images are compared by their fingerprint."""
    places = dict.fromkeys(SOURCES)
    for name in ("init_from", "teacher"):
        if place := getattr(config, name):
            places[name] = str(pathlib.Path(place).expanduser().resolve())
    return config.resolved() | places


def continue_run(path: pathlib.Path, begun: Recorded | None, now: Recorded) -> None:
    """Begins the run in an empty directory, or continues it, perhaps extended.

    `begun` is what was recorded of the run, its options checked; None: it is begun.
    With more epochs `now`, the schedule follows the new number, which is said. Raises
    `InputError` if the run was on other images.
    """
    if begun is None:
        write_config(path, now)
        return
    config, earlier = now.options, begun.options
    # By what is there, not by where it is: a dataset may be moved.
    if (now.fingerprint, now.domains) != (begun.fingerprint, begun.domains):
        raise InputError(
            f"{path} holds a run on other images than {config.dataset_name} has now; "
            f"choose another --run-dir, which --init-from {shlex.quote(str(path))} "
            f"begins with its generators, or --restart."
        )
    if now.onednn != begun.onednn:
        say(
            f"continuing with other kernels (of oneDNN: {now.onednn}, before: "
            f"{begun.onednn}): the result will not be the same to the bit"
        )
    if config.epochs > earlier.epochs:
        constant, before = (c.resolved_constant_epochs for c in (config, earlier))
        say(
            f"extended from {earlier.epochs} to {config.epochs} epochs: the learning "
            f"rate is now constant for {constant} epochs and then falls to 0 over "
            f"{config.epochs - constant} (before: {before} and "
            f"{earlier.epochs - before})"
        )
        write_config(path, now)

"""Damages the files of a run, its dataset and its exports, and counts what is noticed.

    python -m tests.stress.corruption 3000

makes tiny ones with the real programs, and does so many trials: each damages one file
in one way, has it read by the function that the programs read it with, and puts it
back. Nothing may crash, and every refusal must be one line that names the file. What
has checksums must not be read as anything else than was written; of an edit of a JSON
file, which has none, only what cannot be is refused.
"""

import collections
import contextlib
import dataclasses
import os
import pathlib
import random
import subprocess
import sys
import tempfile
from collections.abc import Callable
from typing import Any

import numpy as np

from cyclegan_tf.common import checksums
from cyclegan_tf.common.errors import InputError
from cyclegan_tf.config import ExportConfig
from cyclegan_tf.data.dataset import Dataset
from cyclegan_tf.data.shards import names_of
from cyclegan_tf.exporting import exporter
from cyclegan_tf.inference import translator
from cyclegan_tf.runs import directory, generators, saved
from cyclegan_tf.runs.evaluations import read_evaluations
from cyclegan_tf.runs.history import read_history
from cyclegan_tf.training import run as training
from tests.damages import DAMAGES
from tests.helpers import tiny_config


@dataclasses.dataclass(frozen=True)
class Kind:
    """Files that are read in one way; one at a time is damaged."""

    name: str
    files: list[pathlib.Path]
    read: Callable[[], Any]  # what the programs make of them
    is_checked: bool = True  # they have checksums
    may_be_missing: bool = False


def make_run(folder: pathlib.Path) -> pathlib.Path:
    """A trained run with a dataset of its own; its directory."""
    config = tiny_config(folder, steps_per_epoch=2, synthetic_images=6)
    training.train(config)
    return config.resolved_run_dir


def kinds_of_run(run: pathlib.Path) -> list[Kind]:
    """The files of a run and its dataset."""
    config = directory.read_config(run).options
    dataset = run.parent / "tfrecords" / config.dataset_name
    checkpoints = run / "checkpoints"
    newest, best = saved.checkpoints(checkpoints)[0], checkpoints / "best.npz"

    def read_dataset():
        splits = Dataset.open(dataset).splits().values()
        return [(s.paths, s.places.tolist(), names_of(s)) for s in splits]

    def read_models():
        models = generators.load_generators(run).items()
        return {n: np.hstack([w.ravel() for w in m.get_weights()]) for n, m in models}

    def read_best():
        path = saved.find_checkpoint(checkpoints, "best")
        return path, saved.read_best(checkpoints)

    def of_run(name, read, **how):
        return Kind(name, [run / name], read, **how)

    plain = {"is_checked": False}
    optional = plain | {"may_be_missing": True}
    return [
        Kind("shards", sorted(dataset.glob("*.tfrecord")), read_dataset),
        Kind("index.npz", [dataset / "index.npz"], read_dataset),
        Kind("dataset.json", [dataset / "dataset.json"], read_dataset, **plain),
        Kind("checkpoint", [newest], lambda: saved.read_arrays(newest)),
        Kind("best.npz", [best], lambda: saved.read_arrays(best)),
        of_run("checkpoints/best.json", read_best, **optional),
        of_run("config.json", lambda: directory.read_config(run), **plain),
        of_run("model/generators.npz", read_models),
        of_run("model/model.json", read_models, **plain),
        of_run("scores.json", lambda: read_evaluations(run), **optional),
        of_run("metrics.csv", lambda: read_history(run / "metrics.csv"), **optional),
    ]


def kinds_of_exports(run: pathlib.Path, formats: str) -> list[Kind]:
    """Exports of a run, and their files."""
    export = run.parent / "export"
    list(exporter.export(ExportConfig(str(run), str(export), format=formats)))

    def check_by_hand(folder):
        # Nothing of ours reads these: their users have `sha256sum`.
        done = subprocess.run(
            ["sha256sum", "--check", "--strict", checksums.SUMS],
            cwd=folder,
            capture_output=True,
            text=True,
            errors="replace",  # it repeats the damaged names
        )
        if done.returncode:
            said = (done.stdout + done.stderr).splitlines()
            bad = [line for line in said if not line.endswith(": OK")]
            raise InputError(f"{folder / checksums.SUMS}: {' '.join(bad)}")

    kinds = []
    for sums in sorted(export.rglob(checksums.SUMS)):
        folder = next(path for path in sums.parents if path.name.isdecimal())
        files = sorted(path for path in folder.rglob("*") if path.is_file())
        if folder.parent == export:
            read = lambda: translator.load(export) and None  # noqa: E731
        else:
            read = lambda folder=folder: check_by_hand(folder)  # noqa: E731
        kinds.append(Kind(f"export {folder.relative_to(export)}", files, read))
    return kinds


def try_damages(kinds: list[Kind], num_trials: int, seed: int):
    """Damages files, and counts what comes of it, by kind and damage.

    Returns the counter, and a line on each trial that ended as none may.
    """
    rng = random.Random(seed)
    expected = {kind.name: kind.read() for kind in kinds}
    counts, failures = collections.Counter(), []
    for i in range(num_trials):
        kind = kinds[i % len(kinds)]
        path = rng.choice(kind.files)
        damage = rng.choice(list(DAMAGES))
        original = path.read_bytes()
        damaged = DAMAGES[damage](original, rng)
        if damaged == original or (damaged is None and kind.may_be_missing):
            continue
        path.unlink() if damaged is None else path.write_bytes(damaged)
        outcome, detail = _outcome(kind, path, expected[kind.name])
        counts[kind.name, damage, outcome] += 1
        allowed = ("named", "as before", *(() if kind.is_checked else ("otherwise",)))
        if outcome not in allowed:
            failures.append(f"{outcome}: {path.name}, {damage}: {detail}")
        path.write_bytes(original)
    for kind in kinds:
        assert _equal(kind.read(), expected[kind.name]), kind.name
    return counts, failures


def _outcome(kind, path, expected):
    try:
        found = kind.read()
    except InputError as error:
        message = str(error)
        # Of JSON that says something else, what does not fit to it is named.
        names = (path.name,) if kind.is_checked else (path.name, str(path.parent))
        is_named = any(name in message for name in names) and "\n" not in message
        return ("named" if is_named else "not named"), message
    except OSError as error:  # of which the programs make a line, too
        return ("named" if str(error.filename) == str(path) else "not named"), error
    except BaseException as error:
        return "crash", repr(error)
    return ("as before" if _equal(found, expected) else "otherwise"), found


def _equal(first, second):
    if isinstance(first, dict) and isinstance(second, dict):
        return first.keys() == second.keys() and all(
            np.array_equal(first[name], second[name]) for name in first
        )
    return first == second


def main():
    """Makes the files, does the trials, and prints what came of them."""
    with tempfile.TemporaryDirectory() as name:
        with open(os.devnull, "w") as nowhere, contextlib.redirect_stdout(nowhere):
            run = make_run(pathlib.Path(name))
            kinds = kinds_of_run(run) + kinds_of_exports(run, "savedmodel,onnx,litert")
        counts, failures = try_damages(kinds, int(sys.argv[1]), seed=1)
    for by in (0, 1):  # by kind, by damage
        for name in dict.fromkeys(key[by] for key in counts):
            row = collections.Counter()
            for key, number in counts.items():
                if key[by] == name:
                    row[key[2]] += number
            print(f"{name}: {dict(row)}")
    print(*failures, f"{counts.total()} trials, {len(failures)} failures", sep="\n")
    sys.exit(bool(failures))


if __name__ == "__main__":
    main()

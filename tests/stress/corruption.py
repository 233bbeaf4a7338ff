"""Damages the files of runs, datasets and exports, and counts what becomes of them.

    python -m tests.stress.corruption 3000

makes tiny artefacts with the real programs, and does so many trials: each damages one
file in one way, has it read by the function that the programs read it with, and puts
it back. `tests/test_corruption.py` does fewer.
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
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from cyclegan_tf.common import checksums
from cyclegan_tf.common.errors import InputError
from cyclegan_tf.config import ExportConfig
from cyclegan_tf.data import pipeline
from cyclegan_tf.data.convert import read_manifest
from cyclegan_tf.evaluation import scores as run_scores
from cyclegan_tf.exporting import exporter
from cyclegan_tf.inference import translator
from cyclegan_tf.runs import checkpoint, generators
from cyclegan_tf.runs import directory as run_directory
from cyclegan_tf.training import run as training
from tests.helpers import tiny_config

# How a file can be damaged; `other` is the same file of another run.
DAMAGES = {
    "one bit": lambda content, other, rng: _flipped(content, rng, 1),
    "some bits": lambda content, other, rng: _flipped(content, rng, rng.randint(2, 50)),
    "cut off": lambda content, other, rng: content[: rng.randrange(len(content))],
    "zeros": lambda content, other, rng: _zeroed(content, rng),
    "another run's": lambda content, other, rng: other,
    "appended": lambda content, other, rng: content + rng.randbytes(rng.randint(1, 99)),
    "emptied": lambda content, other, rng: b"",
    "missing": lambda content, other, rng: None,
}
OUTCOMES = ("named", "harmless", "accepted", "not named", "crash")


@dataclasses.dataclass(frozen=True)
class Kind:
    """Files that are read in one way.

    Attributes:
        name: of the kind, for the table.
        files: pairs of a file, and the same of another run.
        read: function without arguments: what the programs make of the files.
        may_be_missing: a file that need not be there.
    """

    name: str
    files: list[tuple[pathlib.Path, pathlib.Path]]
    read: Callable[[], Any]
    may_be_missing: bool = False


def make_runs(folder: pathlib.Path) -> list[pathlib.Path]:
    """Two trained runs, each with a dataset of its own; their directories."""
    runs = []
    for i, name in enumerate(("one", "other")):
        config = tiny_config(
            folder / name,
            seed=i,
            data_seed=29 + i,
            steps_per_epoch=2,
            synthetic_images=6,
        )
        training.train(config)
        runs.append(config.resolved_run_dir)
    return runs


def make_exports(runs, formats) -> list[pathlib.Path]:
    """An export of each run; the directories of the versions' folders."""
    for run in runs:
        output = run.parent / "export"
        list(exporter.export(ExportConfig(str(run), str(output), format=formats)))
    return [run.parent / "export" for run in runs]


def kinds_of_runs(run: pathlib.Path, other: pathlib.Path) -> list[Kind]:
    """The files of two runs and their datasets."""
    config, _ = run_directory.read_config(run)
    dataset, other_dataset = (
        x.parent / "tfrecords" / config.dataset for x in (run, other)
    )
    shards = [path.name for path in sorted(dataset.glob("*.tfrecord"))]
    run_id = run_directory.run_id_of(run)
    newest = checkpoint.checkpoints(run / "checkpoints")[0].name
    step = str(checkpoint.step_of(pathlib.Path(newest)))

    def pairs(place, *names):
        return [(run / place / name, other / place / name) for name in names]

    def read_dataset():
        splits = [
            pipeline.open_split(dataset, x) for x in read_manifest(dataset)["splits"]
        ]
        return [(split.paths, split.places.tolist()) for split in splits]

    def read_options():
        run_directory.require_own_models(run)
        return run_directory.read_config(run)

    def read_checkpoint(name):
        path = checkpoint.find(run / "checkpoints", name)
        return checkpoint.read_arrays(path, run_id)

    def read_models():
        models = generators.load_generators(run)
        return {
            n: np.concatenate([w.ravel() for w in m.get_weights()])
            for n, m in models.items()
        }

    places = [(dataset / n, other_dataset / n) for n in shards]
    manifest = [(dataset / "dataset.json", other_dataset / "dataset.json")]
    models = pairs("model", "gen_ab.keras", "gen_ba.keras")
    return [
        Kind("shards", places, read_dataset),
        Kind("dataset.json", manifest, read_dataset),
        Kind("config.json", pairs(".", "config.json"), read_options),
        Kind(
            "checkpoints/step-*.npz",
            pairs("checkpoints", newest),
            lambda: read_checkpoint(step),
        ),
        Kind(
            "checkpoints/best.npz",
            pairs("checkpoints", "best.npz"),
            lambda: read_checkpoint("best"),
        ),
        Kind(
            "checkpoints/best.json",
            pairs("checkpoints", "best.json"),
            lambda: (
                checkpoint.find(run / "checkpoints", "best"),
                checkpoint.read_best(run / "checkpoints"),
            ),
        ),
        Kind("model/*.keras", models, read_models),
        Kind("model/model.json", pairs("model", "model.json"), read_models),
        Kind(
            "scores.json",
            pairs(".", "scores.json"),
            lambda: run_scores.read(run),
            may_be_missing=True,
        ),
    ]


def kinds_of_exports(export: pathlib.Path, other: pathlib.Path) -> list[Kind]:
    """The files of two exports, in the formats that they have."""

    def pairs(folder):
        files = (p.relative_to(export) for p in folder.rglob("*") if p.is_file())
        return [(export / file, other / file) for file in sorted(files)]

    def read_saved_model():
        translator.load(export)

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

    kinds = [Kind("export: SavedModel", pairs(export / "1"), read_saved_model)]
    for name in ("onnx", "litert"):
        folder = export / name / "1"
        if folder.is_dir():
            read = lambda folder=folder: check_by_hand(folder)  # noqa: E731
            kinds.append(Kind(f"export: {name}", pairs(folder), read))
    return kinds


def try_damages(kinds: list[Kind], num_trials: int, seed: int):
    """Damages files, and counts the outcomes.

    Returns:
        A counter by `(kind, damage, outcome)`; and a line on each trial whose outcome
        is none of "named" and "harmless", or is the latter.
    """
    rng = random.Random(seed)
    expected = {kind.name: kind.read() for kind in kinds}
    counts, remarks = collections.Counter(), []
    for i in range(num_trials):
        kind = kinds[i % len(kinds)]
        path, other = rng.choice(kind.files)
        damage = rng.choice(list(DAMAGES))
        original = path.read_bytes()
        damaged = DAMAGES[damage](original, other.read_bytes(), rng)
        if damaged == original or (damaged is None and kind.may_be_missing):
            continue
        if damaged is None:
            path.unlink()
        else:
            path.write_bytes(damaged)
        outcome, detail = _outcome(kind, path, expected[kind.name])
        counts[kind.name, damage, outcome] += 1
        if outcome != "named":
            remarks.append(f"{outcome}: {path.name}, {damage}: {detail}")
        path.write_bytes(original)
    for kind in kinds:
        assert _equal(kind.read(), expected[kind.name]), kind.name
    return counts, remarks


def _outcome(kind, path, expected):
    try:
        found = kind.read()
    except InputError as error:
        message = str(error)
        is_named = path.name in message and "\n" not in message
        return ("named" if is_named else "not named"), message
    except OSError as error:  # of which the programs make a line, too
        return ("named" if str(error.filename) == str(path) else "not named"), error
    except BaseException as error:
        return "crash", repr(error)
    same = _equal(found, expected)
    return ("harmless" if same else "accepted"), "read as before" if same else found


def _equal(first, second):
    if isinstance(first, dict) and isinstance(second, dict):
        return first.keys() == second.keys() and all(
            np.array_equal(first[name], second[name]) for name in first
        )
    return first == second


def _flipped(content, rng, count):
    pipeline = bytearray(content)
    for _ in range(count if pipeline else 0):
        pipeline[rng.randrange(len(pipeline))] ^= 1 << rng.randrange(8)
    return bytes(pipeline)


def _zeroed(content, rng):
    start, length = rng.randrange(len(content)), rng.randint(1, 4096)
    stop = min(len(content), start + length)
    return content[:start] + bytes(stop - start) + content[stop:]


def table(counts, by: int) -> str:
    """The outcomes as lines of Markdown, by kind (0) or by damage (1)."""
    lines = [f"| | trials | {' | '.join(OUTCOMES)} |", f"|-|{'-|' * 6}"]
    for name in dict.fromkeys(key[by] for key in counts):
        row = [
            sum(n for key, n in counts.items() if key[by] == name and key[2] == outcome)
            for outcome in OUTCOMES
        ]
        lines.append(f"| {name} | {sum(row)} | {' | '.join(map(str, row))} |")
    return "\n".join(lines)


def main():
    """Makes the artefacts, does the trials, and prints what came of them."""
    with tempfile.TemporaryDirectory() as name:
        with open(os.devnull, "w") as nowhere, contextlib.redirect_stdout(nowhere):
            runs = make_runs(pathlib.Path(name))
            exports = make_exports(runs, "savedmodel,onnx,litert")
        kinds = kinds_of_runs(*runs) + kinds_of_exports(*exports)
        start = time.perf_counter()
        counts, remarks = try_damages(kinds, int(sys.argv[1]), seed=1)
    print(table(counts, by=0), table(counts, by=1), *remarks, sep="\n")
    print(f"{sum(counts.values())} trials in {time.perf_counter() - start:.0f} s")


if __name__ == "__main__":
    main()

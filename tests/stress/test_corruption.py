"""Damage to files: what is noticed, and what a run makes of it."""

import csv
import dataclasses
import random
import shutil
import subprocess

import numpy as np
import pytest

from cyclegan_tf.common import checksums
from cyclegan_tf.common.errors import InputError
from cyclegan_tf.data import pipeline
from cyclegan_tf.evaluation import pictures
from cyclegan_tf.runs import checkpoint, generators, history
from cyclegan_tf.runs import directory as run_directory
from cyclegan_tf.training import run as training
from tests.helpers import TINY, flags, run_script, tiny_model
from tests.stress import corruption

NUM_TRIALS = 300


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    return corruption.make_runs(tmp_path_factory.mktemp("damaged"))


@pytest.fixture
def run_dir(runs, tmp_path):
    """A copy of a run, to be damaged."""
    return shutil.copytree(runs[0], tmp_path / "run")


def test_damage_is_noticed_and_named(runs):
    kinds = corruption.kinds_of_runs(*runs)
    counts, remarks = corruption.try_damages(kinds, NUM_TRIALS, seed=0)
    outcomes = {outcome for _, _, outcome in counts}
    assert outcomes <= {"named", "harmless"}, remarks
    assert len({damage for _, damage, _ in counts}) == len(corruption.DAMAGES)


def test_export_has_checksums_that_sha256sum_reads(tmp_path):
    folder = tmp_path / "1"
    (folder / "variables").mkdir(parents=True)
    (folder / "assets.extra").mkdir()
    (folder / "saved_model.pb").write_bytes(b"graph")
    (folder / "variables" / "variables.index").write_bytes(b"index")
    name = "assets.extra/SHA256SUMS"
    checksums.write_sums(folder, name)
    command = ["sha256sum", "--check", "--strict", name]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0 and done.stdout.count(": OK") == 2
    checksums.check_sums(folder, name, "")
    (folder / "variables" / "variables.data").write_bytes(b"more")
    with pytest.raises(InputError, match="does not list variables/variables.data"):
        checksums.check_sums(folder, name, "")


def test_config_that_was_edited_says_so(run_dir):
    path = run_dir / "config.json"
    text = path.read_text()
    path.write_text(text.replace('"batch_size": 1', '"batch_size": 2'))
    with pytest.raises(InputError, match="config.json is damaged or was edited"):
        run_directory.read_config(run_dir)
    # Its layout may change.
    path.write_text(text.replace("\n", " "))
    run_directory.read_config(run_dir)


def test_checkpoint_of_another_run_is_refused(tmp_path):
    path = checkpoint.save(tiny_model(), tmp_path, 1, "one")
    with pytest.raises(checkpoint.DamagedCheckpoint, match="of another run"):
        checkpoint.restore(tiny_model(), path, "other")
    with np.load(path) as arrays:  # the seal leaves it a file for everybody
        assert len(arrays.files) == len(checkpoint.read_arrays(path, "one"))


@pytest.mark.parametrize("name", ["gen_ab.keras", "model.json"])
def test_finished_run_writes_a_damaged_model_anew(run_dir, name, capsys):
    config, _ = run_directory.read_config(run_dir)
    config = dataclasses.replace(config, run_dir=str(run_dir))
    before = generators.load_generators(run_dir)["a_to_b"]
    path = run_dir / "model" / name
    path.write_bytes(path.read_bytes()[:-9])
    training.train(config)
    assert f"{name} is damaged" in capsys.readouterr().err
    after = generators.load_generators(run_dir)["a_to_b"]
    for old, new in zip(before.get_weights(), after.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


def test_damaged_metrics_never_end_a_run(run_dir, tmp_path, capsys):
    path = run_dir / "metrics.csv"
    content = path.read_bytes()
    rng = random.Random(0)
    num_rows = set()
    for _ in range(300):
        damage = rng.choice(["one bit", "some bits", "cut off", "zeros", "appended"])
        path.write_bytes(corruption.DAMAGES[damage](content, b"", rng))
        rows = history.read_rows(path)
        assert all(float(row["G_A"]) is not None for row in rows)
        num_rows.add(len(rows))
    assert num_rows == {0, 1, 2}
    assert "metrics.csv is damaged: going on without" in capsys.readouterr().err
    path.write_bytes(content[:-20] + b"\xff\x00\n")
    assert pictures.loss_plot(history.read(path)).startswith(b"\x89PNG")


def test_run_goes_on_over_damaged_checkpoint_best_and_metrics(tmp_path, tiny_data_dir):
    options = TINY | {"evaluate_every": 1, "data_dir": tiny_data_dir}
    run_dir = tmp_path / "run"

    def train(**more):
        return run_script("train.py", *flags(options | {"run_dir": run_dir} | more))

    assert train(epochs=2, checkpoint_every=3).returncode == 0
    newest, before = checkpoint.checkpoints(run_dir / "checkpoints")[:2]
    for path in (newest, run_dir / "checkpoints" / "best.npz"):
        content = bytearray(path.read_bytes())
        content[len(content) // 2] ^= 1
        path.write_bytes(content)
    metrics = run_dir / "metrics.csv"
    metrics.write_text(metrics.read_text().replace("\n1,", "\n1x,"))
    done = train(epochs=3)
    assert done.returncode == 0 and "Traceback" not in done.stderr
    assert f"{newest} is damaged" in done.stderr
    assert f"continuing after step {checkpoint.step_of(before)} from" in done.stderr
    assert "best.npz is damaged" in done.stderr
    assert "metrics.csv is damaged: going on without 1 of its rows" in done.stderr
    with metrics.open(newline="") as file:
        assert [row["epoch"] for row in csv.DictReader(file)] == ["2", "3"]
    assert checkpoint.read_best(run_dir / "checkpoints")["step"] > 0


def test_every_start_compares_the_shards(runs):
    dataset = runs[0].parent / "tfrecords" / "synthetic" / "horse2zebra"
    shard = next(dataset.glob("trainA-*"))
    content = shard.read_bytes()
    # What TensorFlow itself would not look at: the checksum of a record's length.
    shard.write_bytes(content[:8] + bytes([content[8] ^ 1]) + content[9:])
    try:
        with pytest.raises(InputError, match=f"{shard.name} is damaged"):
            pipeline.open_split(dataset, "trainA")
    finally:
        shard.write_bytes(content)

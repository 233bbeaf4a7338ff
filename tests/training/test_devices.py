"""Several devices and several workers against one process with the same batch."""

import shutil
import subprocess
import sys

import numpy as np
import pytest

from cyclegan_tf.runs import checkpoint
from cyclegan_tf.training import run as training
from tests.helpers import ROOT, assert_same_checkpoint, run_script
from tests.workers import OPTIONS, arguments, run_workers

LAST = "checkpoints/step-000000006.npz"


def run_mirrored(arguments):
    done = subprocess.run(
        [sys.executable, "-m", "tests.train_on_cpus", "2", *map(str, arguments)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    return done.stderr


@pytest.fixture(scope="module")
def one_run(tmp_path_factory, tiny_data_dir):
    """One process with the batch of two replicas."""
    path = tmp_path_factory.mktemp("one") / "run"
    done = run_script("train.py", *arguments(tiny_data_dir, path, batch_size=2))
    assert done.returncode == 0, done.stderr
    return path


@pytest.fixture(scope="module")
def mirrored_run(tmp_path_factory, tiny_data_dir):
    path = tmp_path_factory.mktemp("mirrored") / "run"
    said = run_mirrored(arguments(tiny_data_dir, path, strategy="mirrored"))
    assert "6 steps of batch size 2 (2 x 1)" in said
    return path


def assert_same_training(run_dir, one_run):
    """Weights, losses and the images in the pools, up to rounding."""
    with np.load(run_dir / LAST) as arrays, np.load(one_run / LAST) as expected:
        for name in expected.files:
            if name.startswith(("gen_", "disc_")):
                np.testing.assert_allclose(
                    arrays[name], expected[name], atol=1e-5, rtol=0, err_msg=name
                )
            elif name.startswith("trackers/"):
                np.testing.assert_allclose(arrays[name], expected[name], rtol=1e-4)
        for pool in ("pool_a", "pool_b"):
            assert (arrays[f"{pool}/count"], arrays[f"{pool}/count/1"]) == (6, 6)
            # A step's two positions go to one replica each.
            pairs = zip(
                arrays[f"{pool}/images"][:6],
                arrays[f"{pool}/images/1"][:6],
                strict=True,
            )
            alternating = np.concatenate([np.stack(pair) for pair in pairs])
            np.testing.assert_allclose(
                alternating, expected[f"{pool}/images"][:12], atol=1e-4
            )


@pytest.mark.slow
def test_two_devices_equal_one_with_their_batch(mirrored_run, one_run):
    assert_same_training(mirrored_run, one_run)


@pytest.mark.slow
def test_two_workers_equal_one_with_their_batch(tmp_path, tiny_data_dir, one_run):
    run_dir = tmp_path / "run"
    first, second = run_workers(arguments(tiny_data_dir, run_dir), tmp_path)
    assert_same_training(run_dir, one_run)
    assert {path.name for path in run_dir.iterdir()} == {
        path.name for path in one_run.iterdir()
    }
    # One speaks for all.
    assert "worker 0 of 2" in first and "finished: models in" in first
    assert second.splitlines() == [
        "worker 1 of 2: training on 2 devices of all workers together, 1 of them here"
    ]


@pytest.mark.slow
def test_two_devices_resume_to_the_same_bits(tmp_path, tiny_data_dir, mirrored_run):
    run_dir = tmp_path / "run"
    shutil.copytree(mirrored_run, run_dir)
    (run_dir / LAST).unlink()
    said = run_mirrored(arguments(tiny_data_dir, run_dir, strategy="mirrored"))
    assert "continuing after step 4" in said
    assert_same_checkpoint(run_dir / LAST, mirrored_run / LAST)


@pytest.mark.slow
def test_run_of_two_devices_continues_on_one(tmp_path, tiny_run, mirrored_run, capsys):
    shutil.copytree(mirrored_run, tmp_path / "run")
    training.train(tiny_run(**(OPTIONS | {"epochs": 2})))
    said = capsys.readouterr().err
    # An epoch is 6 steps of two devices, and 12 of one.
    assert (
        "not be the same to the bit; step 6 was one of batch size 2 and is now 12"
        in said
    )
    newest = checkpoint.checkpoints(tmp_path / "run" / "checkpoints")
    assert [checkpoint.step_of(path) for path in newest] == [24, 20, 16]
    with np.load(newest[0]) as arrays:
        assert "pool_a/count/1" not in arrays.files and arrays["pool_a/count"] == 12

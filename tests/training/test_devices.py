"""Several devices and several workers against one process with the same batch."""

import json
import os
import shutil
import socket
import subprocess
import sys
import time

import numpy as np
import pytest

from cyclegan_tf.runs import saved
from cyclegan_tf.training import run as training
from tests.helpers import (
    ROOT,
    TINY,
    assert_same_checkpoint,
    command,
    flags,
    tiny_config,
)

# Two replicas with a batch of 1 each: 12 images are an epoch of 6 steps. Pools that
# are not full return what they are given, in one process as in several.
OPTIONS = TINY | {
    "steps_per_epoch": None,
    "epochs": 1,
    "learning_rate": 2e-4,
    "discriminator_learning_rate": 2e-4,
    "identity_weight": 5.0,
    "pool_size": 12,
    "diffaugment": "color,translation,cutout",
    "checkpoint_every": 4,
}
LAST = "checkpoints/step-000000006.npz"


def arguments(tiny_data_dir, run_dir, **options):
    given = OPTIONS | {"data_dir": tiny_data_dir, "run_dir": run_dir} | options
    return flags({name: value for name, value in given.items() if value is not None})


def start_workers(arguments, logs, num_workers=2):
    """Starts `train.py --strategy multiworker` on free ports of this machine."""
    sockets = [socket.create_server(("localhost", 0)) for _ in range(num_workers)]
    addresses = [f"localhost:{s.getsockname()[1]}" for s in sockets]
    for opened in sockets:
        opened.close()
    processes = []
    for index, log in enumerate(logs):
        task = {"type": "worker", "index": index}
        config = {"cluster": {"worker": addresses}, "task": task}
        with open(log, "w") as file:
            processes.append(
                subprocess.Popen(
                    command("train.py", *arguments, "--strategy", "multiworker"),
                    stdout=file,
                    stderr=subprocess.STDOUT,
                    env=os.environ | {"TF_CONFIG": json.dumps(config)},
                )
            )
    return processes


def run_workers(arguments, directory):
    logs = [directory / "log0", directory / "log1"]
    processes = start_workers(arguments, logs)
    statuses = [process.wait(300) for process in processes]
    texts = [log.read_text() for log in logs]
    assert statuses == [0, 0], texts
    return texts


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
    options = OPTIONS | {"data_dir": str(tiny_data_dir), "batch_size": 2}
    config = tiny_config(tmp_path_factory.mktemp("one"), **options)
    training.train(config)
    return config.resolved_run_dir


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
    newest = saved.checkpoints(tmp_path / "run" / "checkpoints")
    assert [saved.step_of(path) for path in newest] == [24, 20, 16]
    with np.load(newest[0]) as arrays:
        assert "pool_a/count/1" not in arrays.files and arrays["pool_a/count"] == 12


@pytest.mark.slow
def test_killed_worker_ends_the_others_and_all_continue(tmp_path, tiny_data_dir):
    # Full pools, so that each replica's own coins and images matter.
    options = {"steps_per_epoch": 60, "checkpoint_every": 8, "pool_size": 2}
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    run_workers(arguments(tiny_data_dir, whole, **options), tmp_path)
    given = arguments(tiny_data_dir, cut, **options)
    # The one that writes is killed.
    said = kill_after_next_checkpoint(0, given, cut, tmp_path)
    assert "Traceback" not in said
    last_line = said.splitlines()[-1]
    assert "error: worker 1 of 2: another worker has ended" in last_line
    first, _ = run_workers(given, tmp_path)
    assert "continuing after step" in first
    last = "checkpoints/step-000000060.npz"
    assert_same_checkpoint(cut / last, whole / last)


def kill_after_next_checkpoint(victim, arguments, run_dir, directory):
    """Kills one of two workers in the middle; returns what the other one said."""
    logs = [directory / "killed0", directory / "killed1"]
    before = set(saved.checkpoints(run_dir / "checkpoints"))
    processes = start_workers(arguments, logs)
    deadline = time.monotonic() + 200
    while not set(saved.checkpoints(run_dir / "checkpoints")) - before:
        texts = [log.read_text() for log in logs]
        assert all(process.poll() is None for process in processes), texts
        assert time.monotonic() < deadline, texts
        time.sleep(0.01)
    processes[victim].kill()
    processes[victim].wait()
    assert processes[1 - victim].wait(120) == 2
    return logs[1 - victim].read_text()

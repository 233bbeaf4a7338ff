"""Several devices and several workers against one process with the same batch."""

import contextlib
import json
import os
import shutil
import socket
import subprocess
import sys

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
    wait_until,
)

# Two replicas with a batch of 1 each: 12 images are an epoch of 6 steps. Until then the
# pools of each are filling, and return what they are given, as in one process.
OPTIONS = TINY | {
    "steps_per_epoch": None,
    "epochs": 2,
    "learning_rate": 2e-4,
    "discriminator_learning_rate": 2e-4,
    "identity_weight": 5.0,
    "pool_size": 6,
    "diffaugment": "color,translation,cutout",
    "checkpoint_every": 4,
}
FIRST_EPOCH = "checkpoints/step-000000006.npz"
LAST = "checkpoints/step-000000012.npz"
# On two devices, then again from the checkpoint before the last, which lies aside.
TWICE = """
import os, sys
from cyclegan_tf import cli
from tests.train_on_cpus import make_devices

make_devices(2)
last, aside, *given = sys.argv[1:]
cli.main(["train", *given])
os.rename(last, aside)
cli.main(["train", *given])
"""


def arguments(tiny_data_dir, **options):
    given = OPTIONS | {"data_dir": tiny_data_dir} | options
    return flags({name: value for name, value in given.items() if value is not None})


@contextlib.contextmanager
def kept_ports(number):
    """Ports of this machine that only processes which share them can listen at."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(number)]
        for keeper in sockets:
            keeper.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            keeper.bind(("localhost", 0))
        yield [keeper.getsockname()[1] for keeper in sockets]


def start_workers(arguments, logs, ports):
    """Starts `train.py --strategy multiworker` on ports that are kept."""
    addresses = [f"localhost:{port}" for port in ports]
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
                    env=os.environ
                    | {"TF_CONFIG": json.dumps(config), "TF_GRPC_REUSE_PORT": "1"},
                )
            )
    return processes


def run_workers(arguments, directory):
    logs = [directory / "log0", directory / "log1"]
    with kept_ports(2) as ports:
        processes = start_workers(arguments, logs, ports)
        statuses = [process.wait(300) for process in processes]
    texts = [log.read_text() for log in logs]
    assert statuses == [0, 0], texts
    return texts


@pytest.fixture(scope="module")
def one_run(tmp_path_factory, tiny_data_dir):
    """One process with the batch of two replicas."""
    options = {"data_dir": str(tiny_data_dir), "batch_size": 2, "pool_size": 12}
    config = tiny_config(tmp_path_factory.mktemp("one"), **(OPTIONS | options))
    training.train(config)
    return config.resolved_run_dir


@pytest.fixture(scope="module")
def two_workers_run(tmp_path_factory, tiny_data_dir):
    """The directory of a run of two workers; and what each said."""
    path = tmp_path_factory.mktemp("workers") / "run"
    said = run_workers(arguments(tiny_data_dir, run_dir=path), path.parent)
    return path, said


@pytest.fixture(scope="module")
def mirrored_run(tmp_path_factory, tiny_data_dir):
    """The directory of a run of two devices, which was resumed; and what it said.

    The last checkpoint of when it was not lies beside it.
    """
    path = tmp_path_factory.mktemp("mirrored") / "run"
    places = str(path / LAST), str(path.with_name("whole.npz"))
    given = arguments(tiny_data_dir, run_dir=path, strategy="mirrored")
    done = subprocess.run(
        [sys.executable, "-c", TWICE, *places, *given],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    assert "12 steps of batch size 2 (2 x 1)" in done.stderr
    return path, done.stderr


def assert_same_training(run_dir, one_run):
    """Weights, losses and the images in the pools, up to rounding, after an epoch."""
    paths = run_dir / FIRST_EPOCH, one_run / FIRST_EPOCH
    with np.load(paths[0]) as arrays, np.load(paths[1]) as expected:
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
def test_two_devices_equal_one_with_their_batch_and_resume_to_the_same_bits(
    mirrored_run, one_run
):
    run_dir, said = mirrored_run
    assert_same_training(run_dir, one_run)
    assert "continuing after step 8" in said
    assert_same_checkpoint(run_dir / LAST, run_dir.with_name("whole.npz"))


@pytest.mark.slow
def test_run_of_two_devices_continues_on_one(tmp_path, tiny_run, mirrored_run, capsys):
    shutil.copytree(mirrored_run[0], tmp_path / "run")
    training.train(tiny_run(**(OPTIONS | {"epochs": 3})))
    said = capsys.readouterr().err
    # An epoch is 6 steps of two devices, and 12 of one.
    assert (
        "not be the same to the bit; step 12 was one of batch size 2 and is now 24"
        in said
    )
    newest = saved.checkpoints(tmp_path / "run" / "checkpoints")
    assert [saved.step_of(path) for path in newest] == [36, 32, 28]
    with np.load(newest[0]) as arrays:
        assert "pool_a/count/1" not in arrays.files and arrays["pool_a/count"] == 6


@pytest.mark.slow
def test_two_workers_equal_one_with_their_batch(two_workers_run, one_run):
    run_dir, (first, second) = two_workers_run
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
def test_killed_worker_ends_the_others_and_all_continue(
    tmp_path, tiny_data_dir, two_workers_run
):
    cut = tmp_path / "cut"
    given = arguments(tiny_data_dir, run_dir=cut)
    # The one that writes is killed after the first checkpoint.
    logs = [tmp_path / "killed0", tmp_path / "killed1"]
    with kept_ports(2) as ports:
        victim, other = start_workers(given, logs, ports)
        wait_until(lambda: saved.checkpoints(cut / "checkpoints"), victim)
        victim.kill()
        victim.wait()
        assert other.wait(120) == 2
    said = logs[1].read_text()
    assert "Traceback" not in said
    last_line = said.splitlines()[-1]
    assert "error: worker 1 of 2: another worker has ended" in last_line
    first, _ = run_workers(given, tmp_path)
    assert "continuing after step" in first
    assert_same_checkpoint(cut / LAST, two_workers_run[0] / LAST)

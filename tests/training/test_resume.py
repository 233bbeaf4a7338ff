"""A run that is stopped, in any way, and started again."""

import csv
import dataclasses
import signal
import subprocess
import time

import numpy as np
import pytest

from cyclegan_tf.common.errors import InputError
from cyclegan_tf.runs import generators, saved
from cyclegan_tf.training import run as training
from tests.helpers import TINY, assert_same_checkpoint, command, flags, tiny_config

OPTIONS = TINY | {
    "steps_per_epoch": 40,
    "checkpoint_every": 7,
    "evaluate_every": 1,
    # As a config has them; a command takes others with the embedded dataset.
    "identity_weight": 5.0,
    "discriminator_learning_rate": 1e-3,
    "diffaugment": "color,translation,cutout",
}
LAST = "checkpoints/step-000000080.npz"
BEST = "checkpoints/best.npz"


@pytest.fixture(scope="module")
def whole(tmp_path_factory, tiny_data_dir):
    """The options of a run that was never interrupted."""
    directory = tmp_path_factory.mktemp("whole")
    config = tiny_config(directory, **OPTIONS, data_dir=str(tiny_data_dir))
    training.train(config)
    return config


@pytest.fixture(scope="module")
def whole_run(whole):
    return whole.resolved_run_dir


@pytest.fixture
def config(tmp_path, whole):
    """The same options for another directory."""
    return dataclasses.replace(whole, run_dir=str(tmp_path / "run"))


@pytest.fixture
def started(tmp_path, tiny_data_dir):
    """A run in a process of its own, which is about to have trained so many steps."""
    places = {"data_dir": tiny_data_dir, "run_dir": tmp_path / "run"}
    processes = []

    def start(step):
        path = tmp_path / "run" / "checkpoints" / f"step-{step:09d}.npz"
        with open(tmp_path / "log", "w") as file:
            process = subprocess.Popen(
                command("train.py", *flags(OPTIONS | places)),
                stdout=file,
                stderr=subprocess.STDOUT,
            )
        processes.append(process)
        deadline = time.monotonic() + 500
        while not path.exists():
            assert process.poll() is None and time.monotonic() < deadline
            time.sleep(0.01)
        return process

    yield start
    for process in processes:
        process.kill()
        process.wait()


@pytest.mark.parametrize("step", [21, 42])
def test_killed_run_continues_to_the_same_bits(
    started, config, whole_run, step, capsys
):
    process = started(step)
    process.kill()
    process.wait()
    training.train(config)
    assert "continuing after step" in capsys.readouterr().err
    run_dir = config.resolved_run_dir
    # All weights, optimizer slots, pools and trackers.
    assert_same_checkpoint(run_dir / LAST, whole_run / LAST)
    assert_same_checkpoint(run_dir / BEST, whole_run / BEST)
    for name in ("checkpoints/best.json", "scores.json"):
        assert (run_dir / name).read_bytes() == (whole_run / name).read_bytes()
    for column in ("epoch", "G_A", "cycle_B", "D_A", "learning_rate", "swd_b_to_a"):
        assert read_column(run_dir, column) == read_column(whole_run, column)


def read_column(run_dir, column):
    with (run_dir / "metrics.csv").open(newline="") as file:
        return [row[column] for row in csv.DictReader(file)]


def test_run_is_one_process_and_ctrl_c_saves_and_the_same_command_continues(
    started, config, whole_run, tmp_path
):
    process, run_dir = started(7), config.resolved_run_dir
    with pytest.raises(InputError, match="run is in use by another process"):
        training.train(config)
    process.send_signal(signal.SIGINT)
    assert process.wait(60) == 128 + signal.SIGINT
    output = (tmp_path / "log").read_text()
    assert "the same command continues" in output and "Traceback" not in output
    # Saved at the step it was stopped at, not only at every seventh.
    newest = saved.step_of(saved.checkpoints(run_dir / "checkpoints")[0])
    assert f"saved after step {newest};" in output
    training.train(config)
    assert_same_checkpoint(run_dir / LAST, whole_run / LAST)


def test_checkpoints_are_few_and_the_newest(whole_run):
    found = saved.checkpoints(whole_run / "checkpoints")
    assert [saved.step_of(path) for path in found] == [80, 77, 70]


def test_run_directory_holds_what_the_readme_lists(whole_run):
    names = {path.name for path in whole_run.iterdir()} - {".lock", ".scores.lock"}
    assert names == {
        "config.json",
        "checkpoints",
        "tensorboard",
        "samples",
        "metrics.csv",
        "scores.json",
        "model",
    }
    samples = {path.name for path in (whole_run / "samples").iterdir()}
    assert samples == {
        *(f"epoch-000{e}-{domain}.png" for e in (1, 2) for domain in "ab"),
        "losses.png",
    }


@pytest.mark.parametrize(
    "weights, prefix", [("average", "average_ab"), ("raw", "gen_ab")]
)
def test_saved_generators_are_those_of_the_checkpoint(whole_run, weights, prefix):
    generator = generators.load_generators(whole_run, weights=weights)["a_to_b"]
    with np.load(whole_run / LAST) as arrays:
        for variable in generator.variables:
            saved = arrays[f"{prefix}/{variable.path}"]
            np.testing.assert_array_equal(variable.numpy(), saved)

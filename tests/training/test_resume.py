"""A run that is stopped, in any way, and started again."""

import csv
import signal
import subprocess
import time

import numpy as np
import pytest

from cyclegan_tf.runs import generators, saved
from tests.helpers import (
    TINY,
    assert_one_line_error,
    assert_same_checkpoint,
    command,
    flags,
    run_script,
)

OPTIONS = TINY | {
    "steps_per_epoch": 40,
    "checkpoint_every": 7,
    "evaluate_every": 1,
    "diffaugment": "color,translation,cutout",
}
LAST = "checkpoints/step-000000080.npz"
BEST = "checkpoints/best.npz"


@pytest.fixture(scope="module")
def arguments(tiny_data_dir):
    return flags(OPTIONS | {"data_dir": tiny_data_dir})


@pytest.fixture(scope="module")
def whole_run(tmp_path_factory, arguments):
    """A run that was never interrupted."""
    path = tmp_path_factory.mktemp("whole") / "run"
    done = run_script("train.py", *arguments, "--run-dir", path)
    assert done.returncode == 0, done.stderr
    return path


def start(arguments, run_dir, log):
    with open(log, "w") as file:
        return subprocess.Popen(
            command("train.py", *arguments, "--run-dir", run_dir),
            stdout=file,
            stderr=subprocess.STDOUT,
        )


def wait_for(path, process, seconds=120):
    deadline = time.monotonic() + seconds
    while not path.exists():
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.01)


@pytest.mark.parametrize("step", [21, 42])
def test_killed_run_continues_to_the_same_bits(tmp_path, arguments, whole_run, step):
    run_dir = tmp_path / "run"
    process = start(arguments, run_dir, tmp_path / "log")
    wait_for(run_dir / f"checkpoints/step-{step:09d}.npz", process)
    process.kill()
    process.wait()
    done = run_script("train.py", *arguments, "--run-dir", run_dir)
    assert done.returncode == 0, done.stderr
    assert "continuing after step" in done.stderr
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


def test_ctrl_c_saves_and_the_same_command_continues(tmp_path, arguments, whole_run):
    run_dir = tmp_path / "run"
    process = start(arguments, run_dir, tmp_path / "log")
    wait_for(run_dir / "checkpoints/step-000000007.npz", process)
    process.send_signal(signal.SIGINT)
    assert process.wait(60) == 128 + signal.SIGINT
    output = (tmp_path / "log").read_text()
    assert "the same command continues" in output and "Traceback" not in output
    # Saved at the step it was stopped at, not only at every seventh.
    newest = saved.step_of(saved.checkpoints(run_dir / "checkpoints")[0])
    assert f"saved after step {newest};" in output
    done = run_script("train.py", *arguments, "--run-dir", run_dir)
    assert done.returncode == 0, done.stderr
    assert_same_checkpoint(run_dir / LAST, whole_run / LAST)


def test_second_run_in_the_same_directory_is_refused(tmp_path, arguments):
    run_dir = tmp_path / "run"
    process = start(arguments, run_dir, tmp_path / "log")
    try:
        wait_for(run_dir / "config.json", process)
        done = run_script("train.py", *arguments, "--run-dir", run_dir)
        assert_one_line_error(done, run_dir, "in use by another process")
    finally:
        process.kill()
        process.wait()


def test_finished_run_says_so_and_stays_as_it_is(whole_run, arguments):
    before = (whole_run / LAST).stat().st_mtime_ns
    done = run_script("train.py", *arguments, "--run-dir", whole_run)
    assert done.returncode == 0
    assert "is finished" in done.stderr
    assert (whole_run / LAST).stat().st_mtime_ns == before


def test_checkpoints_are_few_and_the_newest(whole_run):
    steps = [
        saved.step_of(path) for path in saved.checkpoints(whole_run / "checkpoints")
    ]
    assert steps == [80, 77, 70]


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


def test_tensorboard_has_what_was_promised(whole_run):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(whole_run / "tensorboard"))
    events.Reload()
    tags = set(events.Tags()["tensors"])
    losses = {"G_A", "G_B", "cycle_A", "cycle_B", "identity_A", "identity_B"}
    assert {f"losses/{name}" for name in losses | {"D_A", "D_B"}} <= tags
    assert {"learning_rate", "speed/images_per_s", "speed/input_wait"} <= tags
    assert "memory/host_peak_mib" in tags
    assert {"samples/A", "samples/B", "config"} <= tags
    for network in ("generator", "discriminator"):
        graph = EventAccumulator(str(whole_run / "tensorboard" / network))
        graph.Reload()
        assert graph.Tags()["graph"]

"""A run that is stopped, in any way, and started again; and what a whole one leaves."""

import dataclasses
import json
import os
import shutil
import signal
import subprocess

import numpy as np
import pytest

from cyclegan_tf.common.errors import InputError
from cyclegan_tf.runs import generators, saved
from cyclegan_tf.runs.evaluations import read_evaluations
from cyclegan_tf.training import run as training
from cyclegan_tf.training.steps import Steps
from tests.helpers import (
    TINY,
    assert_same_checkpoint,
    command,
    flags,
    rows_of,
    run_here,
    tiny_config,
    wait_until,
)

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
    """A run in a process of its own, which has just trained at least so many steps."""
    places = {"data_dir": tiny_data_dir, "run_dir": tmp_path / "run"}
    processes = []

    def start(step):
        def is_there():
            # Not that of the step, which is soon removed.
            found = saved.checkpoints(tmp_path / "run" / "checkpoints")
            return found and saved.step_of(found[0]) >= step

        with open(tmp_path / "log", "w") as file:
            process = subprocess.Popen(
                command("train.py", *flags(OPTIONS | places)),
                stdout=file,
                stderr=subprocess.STDOUT,
            )
        processes.append(process)
        wait_until(is_there, process)
        return process

    yield start
    for process in processes:
        process.kill()
        process.wait()


def assert_same_run(run_dir, whole_run):
    """All weights, optimizer slots, pools and trackers; and all but the speed."""
    assert_same_checkpoint(run_dir / LAST, whole_run / LAST)
    assert_same_checkpoint(run_dir / BEST, whole_run / BEST)
    for name in ("checkpoints/best.json", "scores.json"):
        assert (run_dir / name).read_bytes() == (whole_run / name).read_bytes()
    rows, expected = rows_of(run_dir), rows_of(whole_run)
    for row in rows + expected:
        del row["images_per_s"], row["input_wait"]
    assert rows == expected


def test_run_that_is_interrupted_and_then_killed_continues_to_the_same_bits(
    started, config, whole_run, tmp_path, capsys
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
    # Then killed in its second epoch.
    process = started(max(42, 7 * (newest // 7 + 1)))
    process.kill()
    process.wait()
    assert f"continuing after step {newest} " in (tmp_path / "log").read_text()
    training.train(config)
    assert "continuing after step" in capsys.readouterr().err
    assert_same_run(run_dir, whole_run)


def test_stop_in_the_last_step_of_an_epoch_costs_nothing_of_its_report(
    config, whole_run, monkeypatch, capsys
):
    begin = Steps.on_train_batch_begin

    def stop_in_last(self, batch, logs=None):
        begin(self, batch, logs)
        if self.step + 1 in (40, 80):
            os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setattr(Steps, "on_train_batch_begin", stop_in_last)
    for step in (40, 80):
        with pytest.raises(SystemExit) as end:
            training.train(config)
        assert end.value.code == 128 + signal.SIGTERM
        assert f"stopped and saved after step {step};" in capsys.readouterr().err
    training.train(config)
    assert_same_run(config.resolved_run_dir, whole_run)


def test_run_directory_holds_what_the_readme_lists(whole_run):
    names = {path.name for path in whole_run.iterdir()} - {".lock", ".scores.lock"}
    assert names == {
        *("config.json", "metrics.csv", "scores.json"),
        *("checkpoints", "tensorboard", "samples", "model"),
    }
    samples = {path.name for path in (whole_run / "samples").iterdir()}
    assert samples == {
        *(f"epoch-000{e}-{domain}.png" for e in (1, 2) for domain in "ab"),
        "losses.png",
    }
    found = saved.checkpoints(whole_run / "checkpoints")
    assert [saved.step_of(path) for path in found] == [80, 77, 70]


def test_embedded_dataset_is_learned_a_little_in_a_minute(whole_run):
    first, second = rows_of(whole_run)
    for name in ("cycle_A", "cycle_B", "identity_A", "identity_B"):
        assert float(second[name]) < 0.95 * float(first[name])


# Averages of the weights, which are not the raw ones from 20 steps on.


@pytest.mark.parametrize(
    "weights, prefix", [("average", "average_ab"), ("raw", "gen_ab")]
)
@pytest.mark.parametrize("checkpoint, step", [("last", 80), ("77", 77)])
def test_saved_generators_are_those_of_the_checkpoint(
    whole_run, weights, prefix, checkpoint, step
):
    found = generators.load_generators(whole_run, checkpoint, weights)
    with np.load(whole_run / f"checkpoints/step-{step:09d}.npz") as arrays:
        for variable in found["a_to_b"].variables:
            expected = arrays[f"{prefix}/{variable.path}"]
            np.testing.assert_array_equal(variable, expected)


def test_scores_are_of_the_averages_or_on_request_of_the_raw_weights(
    tmp_path, whole_run, capsys
):
    run_dir = shutil.copytree(whole_run, tmp_path / "run")
    for weights in ("average", "raw"):
        done = run_here(capsys, "evaluate", "--run-dir", run_dir, "--weights", weights)
        assert f"step 80, {weights} weights" in done.stdout
    cycles = {
        evaluation["weights"]: evaluation["scores"][0]["scores"]["cycle_mae"]
        for evaluation in read_evaluations(run_dir)
    }
    told = float(rows_of(run_dir)[-1]["cycle_mae_a_to_b"])
    assert cycles["average"] == pytest.approx(told, rel=1e-5)
    assert cycles["raw"] != pytest.approx(told, rel=1e-5)


def test_training_does_not_see_the_averages_and_does_without(config, whole_run, capsys):
    config = dataclasses.replace(config, average=False)
    training.train(config)
    run_dir = config.resolved_run_dir
    with np.load(whole_run / LAST) as on, np.load(run_dir / LAST) as off:
        extra = {name for name in on if name.startswith("average_")}
        assert set(on) - extra == set(off) and extra
        for name in off:
            np.testing.assert_array_equal(on[name], off[name], err_msg=name)
        assert any(
            not np.array_equal(on[n], on[n.replace("average_", "gen_")]) for n in extra
        )
    # As from before there was the option, it is used as it is, which is said.
    path = run_dir / "config.json"
    content = json.loads(path.read_text())
    assert content["options"].pop("average") is False
    path.write_text(json.dumps(content))
    for weights, is_said in (("average", True), ("raw", False)):
        done = run_here(capsys, "evaluate", "--run-dir", run_dir, "--weights", weights)
        line = "has no average weights: the raw ones are used"
        assert (line in done.stderr) == is_said
        assert "step 80, raw weights" in done.stdout

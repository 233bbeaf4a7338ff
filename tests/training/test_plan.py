"""What `--dry-run` says, and that it leaves nothing behind."""

import dataclasses
import json
import os
import pathlib
import signal
import subprocess
import tempfile
import time

import pytest

from cyclegan_tf.common.errors import InputError
from cyclegan_tf.runs import checkpoint
from cyclegan_tf.training import plan as planning
from cyclegan_tf.training.run import train
from tests.helpers import (
    TINY,
    assert_one_line_error,
    command,
    flags,
    run_here,
    run_script,
)


@pytest.fixture
def scratch(tmp_path, monkeypatch):
    """Where temporary files go."""
    folder = tmp_path / "scratch"
    folder.mkdir()
    monkeypatch.setenv("TMPDIR", str(folder))
    monkeypatch.setattr(tempfile, "tempdir", None)
    return folder


def contents(folder):
    """Each file with the time at which it was changed."""
    return {path: path.stat().st_mtime_ns for path in folder.rglob("*")}


def test_plan_converts_measures_and_leaves_the_dataset_only(
    tmp_path, scratch, monkeypatch, capsys
):
    monkeypatch.setattr(planning, "TRIED_SECONDS", 0)
    monkeypatch.setattr(planning, "TRIED_STARTS", 0)  # that is tested below
    options = TINY | {"data_dir": tmp_path / "data", "run_dir": tmp_path / "run"}
    done = run_here(capsys, "train", *flags(options), "--dry-run", "--json")
    assert done.returncode == 0, done.stderr
    planned = json.loads(done.stdout)
    assert {path.name for path in tmp_path.iterdir()} == {"data", "scratch"}
    assert not list(scratch.iterdir())
    assert planned["options"]["filters"] == 2 and planned["options"]["load_size"] == 36
    assert planned["dataset"]["was_converted"]
    assert planned["dataset"]["images"] == {"A": 12, "B": 12}
    assert planned["steps"] == {"per_epoch": 4, "done": 0, "left": 8}
    seconds, times = planned["seconds"], planned["times"]
    assert all(value > 0 for value in seconds.values())
    assert seconds["total"] > seconds["start"] + 8 * seconds["step"]
    assert (times["epochs"], times["evaluations"], times["checkpoints"]) == (2, 2, 2)
    memory = planned["memory"]
    assert 2**28 < memory["host_bytes"] < memory["free_bytes"]
    text = planning.text(planned)
    for line in ("run: ends after", "memory: ", "disk: ", "filters 2"):
        assert line in text


def test_plan_is_what_a_run_then_is(tiny_run, scratch):
    config = tiny_run(epochs=3, checkpoint_every=3)
    planned = planning.plan(config, tried_seconds=0)
    assert planned["largest"] == {} and not planned["dataset"]["was_converted"]
    train(config)
    path = config.resolved_run_dir
    newest, *others = checkpoint.checkpoints(path / checkpoint.CHECKPOINTS)
    disk = planned["disk"]
    assert disk["checkpoint_bytes"] == newest.stat().st_size
    assert disk["checkpoints_kept"] == len([newest, *others, "best"]) == 4
    written = sum(x.stat().st_size for x in path.rglob("*") if x.is_file())
    assert disk["run_bytes"] == pytest.approx(written, rel=0.15)

    # A run that is there is only looked at.
    before = contents(path)
    longer = dataclasses.replace(config, epochs=5)
    planned = planning.plan(longer, tried_seconds=0)
    assert planned["steps"] == {"per_epoch": 4, "done": 12, "left": 8}
    assert contents(path) == before
    with pytest.raises(InputError, match="cannot be continued like this: --filters"):
        planning.plan(dataclasses.replace(config, filters=3))
    # The run of this process had its code translated by TensorFlow, into files there.
    names = {path.name for path in scratch.iterdir()}
    assert not {name for name in names if not name.startswith("__autograph")}


def test_run_that_does_not_fit_is_refused(tiny_run, scratch):
    with pytest.raises(InputError, match=r"does not fit in 180 MiB.* --batch-size"):
        planning.plan(tiny_run(), free_bytes=200 * 2**20)
    assert not list(scratch.iterdir())


def test_larger_values_that_do_not_fit_are_named(tiny_run, tmp_path):
    most = 1000 * 2**20
    found = planning._largest(
        *(
            tiny_run(image_size=256, load_size=256),
            "image_size",
            planning.LARGER["image_size"],
        ),
        *(tmp_path, most, 200),
    )
    assert found["stopped_by"] == "memory"
    assert 256 <= found["largest"] < found["stopped_at"] <= 2 * found["largest"]
    assert all(each["host_bytes"] <= most for each in found["tried"])
    text = planning._found(found)
    assert text.endswith(f"({found['stopped_at']} does not fit in 0.977 GiB)")


@pytest.mark.skipif(not os.path.exists("/proc/self/stat"), reason="needs /proc")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupted_plan_leaves_nothing(tmp_path, tiny_data_dir, scratch, number):
    options = TINY | {"data_dir": tiny_data_dir, "run_dir": tmp_path / "run"}
    process = subprocess.Popen(
        command("train.py", *flags(options), "--dry-run"),
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    deadline = time.monotonic() + 240
    while not list(scratch.glob("*-plan/run/config.json")):
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.05)
    with open(f"/proc/{process.pid}/task/{process.pid}/children") as file:
        children = file.read().split()
    os.killpg(process.pid, number)  # as a terminal does
    output, errors = process.communicate(timeout=60)
    assert process.returncode == 128 + number, errors
    assert "Traceback" not in errors and not output
    assert not list(scratch.iterdir()) and not (tmp_path / "run").exists()
    while any(map(is_measuring, children)):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def is_measuring(pid):
    try:
        return "spawn_main" in pathlib.Path(f"/proc/{pid}/cmdline").read_text()
    except FileNotFoundError:
        return False


@pytest.mark.parametrize(
    "options, fragments",
    [
        (["--dataset", "gone/"], ["--dataset gone/", "no such folder"]),
        (["--run-dir", "foreign"], ["foreign", "notes.txt", "--run-dir"]),
        (["--strategy", "multiworker"], ["--strategy multiworker", "one machine"]),
    ],
)
def test_what_would_end_a_run_ends_a_plan(tmp_path, options, fragments):
    (tmp_path / "foreign").mkdir()
    (tmp_path / "foreign" / "notes.txt").write_text("mine")
    done = run_script("train.py", *options, "--dry-run", cwd=tmp_path)
    assert_one_line_error(done, *fragments)
    assert {path.name for path in tmp_path.iterdir()} <= {"foreign", "tfrecords"}

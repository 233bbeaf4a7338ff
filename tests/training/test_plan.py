"""What `--dry-run` says, and that it leaves nothing behind."""

import dataclasses
import json
import tempfile

import pytest

from cyclegan_tf.common.errors import InputError
from cyclegan_tf.config import TrainConfig
from cyclegan_tf.data.convert import ensure_dataset
from cyclegan_tf.data.dataset import Dataset
from cyclegan_tf.runs.directory import Recorded, read_config, write_config
from cyclegan_tf.runs.run_dir import RunDir
from cyclegan_tf.training import plan as planning
from tests.helpers import TINY, assert_one_line_error, flags, run_here, write_images


@pytest.fixture
def scratch(tmp_path, monkeypatch):
    """Where temporary files go."""
    folder = tmp_path / "scratch"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


@pytest.fixture(autouse=True)
def memory(monkeypatch):
    """Enough of it, whatever this process has taken before, and others have left."""
    monkeypatch.setattr(planning, "available_memory", lambda: 2**40)


def is_clean(scratch):
    # TensorFlow keeps code that it has translated until the process ends.
    return all(path.name.startswith("__autograph") for path in scratch.iterdir())


def test_plan_converts_measures_and_leaves_the_dataset_only(tmp_path, scratch, capsys):
    options = TINY | {"data_dir": tmp_path / "data", "run_dir": tmp_path / "run"}
    done = run_here(capsys, "train", *flags(options), "--dry-run", "--json")
    assert done.returncode == 0, done.stderr
    plan = json.loads(done.stdout)
    assert {path.name for path in tmp_path.iterdir()} == {"data", "scratch"}
    assert is_clean(scratch)
    assert plan["options"]["filters"] == 2 and plan["options"]["load_size"] == 36
    assert plan["dataset"]["images"] == {"A": 12, "B": 12}
    assert plan["steps"] == {"per_epoch": 4, "done": 0, "left": 8}
    assert plan["times"] == {"start": 1, "step": 8, "evaluation": 2, "checkpoint": 2}
    seconds = plan["seconds"]
    assert all(value > 0 for value in seconds.values())
    assert seconds["epoch_of_steps"] == 4 * seconds["step"]
    total = sum(count * seconds[name] for name, count in plan["times"].items())
    assert seconds["total"] == total
    memory = plan["memory"]
    assert 2**28 < memory["host_bytes"] < memory["free_bytes"]
    text = planning.plan_text(plan)
    for line in ("run: ", "memory: ", "disk: 3 checkpoints of ", "filters 2"):
        assert line in text


def test_plan_of_a_run_that_is_there_is_of_what_is_left(scored_run, scratch, capsys):
    before = {path: path.stat().st_mtime_ns for path in scored_run.rglob("*")}
    config = read_config(scored_run).options
    plan = planning.plan_run(dataclasses.replace(config, epochs=5))
    assert plan["steps"] == {"per_epoch": 4, "done": 12, "left": 8}
    newest = max((scored_run / "checkpoints").glob("step-*"))
    assert plan["disk"]["checkpoint_bytes"] == newest.stat().st_size
    assert plan["disk"]["checkpoints_kept"] == 3
    assert {path: path.stat().st_mtime_ns for path in scored_run.rglob("*")} == before
    assert is_clean(scratch)
    given = "--run-dir", scored_run, "--filters", "3", "--dry-run"
    done = run_here(capsys, "train", *given)
    assert_one_line_error(done, "cannot be continued like this: --filters")


def test_plan_counts_the_head_start_until_it_is_over(tiny_run, scratch):
    config = tiny_run(discriminator_head_start=7)
    plan = planning.plan_run(config)
    seconds, times = plan["seconds"], plan["times"]
    assert times["head_start_step"] == 7 and seconds["head_start_step"] > 0
    assert seconds["total"] == sum(n * seconds[name] for name, n in times.items())
    assert "7 steps of " in planning.plan_text(plan)
    begun = config.resolved_run_dir / "checkpoints" / "step-000000000.npz"
    begun.parent.mkdir(parents=True)
    begun.touch()
    assert "head_start_step" not in planning.plan_run(config)["times"]


def test_plan_has_no_head_start_where_discriminators_come_from_another_run(
    tiny_run, scored_run, scratch
):
    config = tiny_run(discriminator_head_start=7, init_from=str(scored_run))
    plan = planning.plan_run(config)
    assert "head_start_step" not in plan["times"] | plan["seconds"]


def test_plan_of_a_begun_run_is_of_what_that_run_has(tiny_run, scored_run, scratch):
    photos = scratch.parent / "photos"
    for name in "AB":
        write_images(photos / name, 3)
    data_dir = scratch.parent / "data"
    origins = {"init_from": "runs/gone", "teacher": "runs/taught"}
    config = tiny_run(dataset=str(photos), data_dir=str(data_dir), **origins)
    path, data = config.resolved_run_dir, Dataset.open(ensure_dataset(config))
    write_config(path, Recorded(config, data.fingerprint))
    RunDir.open(scored_run).copy_generators(path / "teacher")
    (path / "checkpoints").mkdir()
    (path / "checkpoints" / "step-000000004.npz").touch()
    for name in "AB":
        write_images(photos / name, 5)
    plan = planning.plan_run(dataclasses.replace(config, epochs=3))
    images = {name: data.manifest["splits"][f"train{name}"]["count"] for name in "AB"}
    assert plan["dataset"] == {"directory": str(data.directory), "images": images}
    assert plan["steps"] == {"per_epoch": 4, "done": 4, "left": 8}
    assert [each.name for each in data_dir.glob("photos*")] == ["photos"]


def test_run_that_does_not_fit_is_refused(tiny_run, scratch, monkeypatch):
    monkeypatch.setattr(planning, "available_memory", lambda: 200 * 2**20)
    problem = r"does not fit \(it takes more than 180 MiB\).* --batch-size"
    with pytest.raises(InputError, match=problem):
        planning.plan_run(tiny_run())
    assert is_clean(scratch)


def test_times_are_counted_as_the_callbacks_do():
    # Scores after 5, 10 and 12; of 600 steps there is one checkpoint within, after 300.
    config = TrainConfig(epochs=12, evaluate_every=5, checkpoint_every=300)
    whole = {"start": 1, "step": 7200, "evaluation": 3, "checkpoint": 24}
    assert planning.count_times(config, 600, 0) == whole
    # From the middle of the tenth epoch on.
    rest = {"start": 1, "step": 1500, "evaluation": 2, "checkpoint": 6}
    assert planning.count_times(config, 600, 5700) == rest
    assert set(planning.count_times(config, 600, 7200).values()) == {0}


@pytest.mark.parametrize(
    "options, fragments",
    [
        (["--dataset", "gone/"], ["--dataset gone/", "no such folder"]),
        (["--run-dir", "foreign"], ["foreign", "notes.txt", "--run-dir"]),
        (["--strategy", "multiworker"], ["--strategy multiworker", "one machine"]),
    ],
)
def test_what_would_end_a_run_ends_a_plan(
    tmp_path, monkeypatch, capsys, options, fragments
):
    (tmp_path / "foreign").mkdir()
    (tmp_path / "foreign" / "notes.txt").write_text("mine")
    monkeypatch.chdir(tmp_path)
    done = run_here(capsys, "train", *options, "--dry-run")
    assert_one_line_error(done, *fragments)
    assert {path.name for path in tmp_path.iterdir()} <= {"foreign", "tfrecords"}

"""What happens to a run whose logs, or whose checkpoints, cannot be written."""

import contextlib
import csv
import os
import shutil
import subprocess
import sys
import textwrap

import pytest
import tensorflow as tf
from tensorboard.backend.event_processing.event_file_loader import EventFileLoader

from cyclegan_tf.runs import saved
from cyclegan_tf.training import event_log
from tests.helpers import (
    ROOT,
    TINY,
    assert_one_line_error,
    assert_same_checkpoint,
    flags,
)


@contextlib.contextmanager
def small_disk(path, kilobytes):
    """A disk of its own at a path; skips where that is not permitted."""
    path.mkdir(parents=True, exist_ok=True)
    options = ["-t", "tmpfs", "-o", f"size={kilobytes}k", "tmpfs", str(path)]
    if not shutil.which("mount"):
        pytest.skip("there is no mount")
    mounted = subprocess.run(["mount", *options], capture_output=True)
    if mounted.returncode:
        pytest.skip("a small disk cannot be mounted here")
    try:
        yield path
    finally:
        # Writers may have it open still.
        subprocess.run(["umount", "-l", path], check=True)


def events_in(folder):
    """Steps of the texts in all event files."""
    return [
        event.step
        for file in sorted(folder.glob("events.*"))
        for event in EventFileLoader(str(file)).Load()
        if event.HasField("summary")
    ]


def write(log, step, size=10):
    with log.as_default(step=step):
        tf.summary.text("text", "x" * size)
    log.flush()


def test_folder_that_cannot_be_written_is_said_once(tmp_path, capsys):
    (tmp_path / "log").write_text("a file")
    log = event_log.EventLog(tmp_path / "log")
    for step in range(3):
        write(log, step)
    log.close()
    (line,) = capsys.readouterr().err.splitlines()
    assert "warning: the tensorboard of this run cannot be written" in line


def test_events_are_read_back(tmp_path):
    log = event_log.EventLog(tmp_path / "log")
    for step in (1, 2):
        write(log, step)
    log.close()
    assert events_in(tmp_path / "log") == [1, 2]


DRIVER = """
    import pathlib, shutil, sys
    from cyclegan_tf.cli import arguments
    from cyclegan_tf.config import TrainConfig
    from cyclegan_tf.training import fit
    from cyclegan_tf.training.run import train

    def keep(path):
        pass

    def remove(path):
        shutil.rmtree(path / "tensorboard", ignore_errors=True)
        shutil.rmtree(path / "samples")
        (path / "metrics.csv").unlink()

    def block(path):
        remove(path)
        for name in ("tensorboard", "samples"):
            (path / name).touch()
        (path / "metrics.csv").mkdir()

    def unblock(path):
        for name in ("tensorboard", "samples"):
            (path / name).unlink()
        (path / "metrics.csv").rmdir()

    def fill(path):
        with (path / "fill").open("wb", buffering=0) as file:
            try:
                while file.write(bytes(4096)):
                    pass
            except OSError:
                pass

    acts = [globals()[name] for name in sys.argv.pop(1).split(",")]

    class Checkpoints(fit.Checkpoints):
        def on_epoch_end(self, epoch, logs=None):
            super().on_epoch_end(epoch, logs)
            if epoch < len(acts):
                acts[epoch](self.directory.parent)

    fit.Checkpoints = Checkpoints
    with arguments.errors_in_one_line():
        train(arguments.parse(TrainConfig, ""))
"""
CLOCK = """
    import itertools, time
    # An hour forward and two back, again and again.
    now, moments = time.time, itertools.count()
    time.time = lambda: now() + 3600 * (next(moments) // 7 % 3 - 1)
"""
OPTIONS = TINY | {"epochs": 5, "evaluate_every": 5}


def train(script, run_dir, data_dir, python_path=""):
    """A run of 5 epochs by a script, and what it printed."""
    arguments = flags(OPTIONS | {"data_dir": data_dir})
    return subprocess.run(
        [sys.executable, *script, *arguments, "--run-dir", str(run_dir)],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(python_path)},
        capture_output=True,
        text=True,
        timeout=200,
    )


def driven_by(acts):
    """A script that does something to the run directory after each epoch."""
    return ["-c", textwrap.dedent(DRIVER), acts]


@pytest.fixture(scope="module")
def eventful_run(tmp_path_factory, tiny_data_dir):
    """After an epoch its logs vanish, after the next they cannot be written.

    All the while the clock is set.
    """
    folder = tmp_path_factory.mktemp("eventful")
    (folder / "sitecustomize.py").write_text(textwrap.dedent(CLOCK))
    run_dir = folder / "run"
    done = train(driven_by("remove,block,unblock"), run_dir, tiny_data_dir, folder)
    assert done.returncode == 0, done.stderr
    return run_dir, done.stderr


def test_run_goes_on_without_its_logs_and_writes_them_again(eventful_run):
    path, said = eventful_run
    with (path / "metrics.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["epoch"] for row in rows] == ["1", "2", "3", "4", "5"]
    for row in rows:
        assert 0 < float(row["images_per_s"]) < 10_000
        assert 0 <= float(row["input_wait"]) <= 1
    assert {x.name for x in (path / "samples").iterdir()} == {
        "epoch-0004-a.png",
        "epoch-0004-b.png",
        "epoch-0005-a.png",
        "epoch-0005-b.png",
        "losses.png",
    }
    lines = [line for line in said.splitlines() if "warning:" in line]
    for words in ("samples", "metrics"):
        assert sum(words in line for line in lines) == 1, lines


def test_full_disk_ends_the_run_in_one_line_with_the_checkpoints_intact(
    tmp_path, tiny_data_dir, eventful_run
):
    with small_disk(tmp_path / "run", 20_000) as run_dir:
        done = train(driven_by("keep,keep,fill"), run_dir, tiny_data_dir)
        assert_one_line_error(done, "No space left on device")
        for name in ("samples", "metrics"):
            lines = [x for x in done.stderr.splitlines() if "warning:" in x]
            assert sum(name in line for line in lines) == 1, done.stderr
        kept = saved.checkpoints(run_dir / "checkpoints")
        assert [saved.step_of(path) for path in kept] == [12, 8, 4]
        # Neither logs nor clocks change what is learned.
        other = eventful_run[0] / "checkpoints" / kept[0].name
        assert_same_checkpoint(kept[0], other)
        assert not list(run_dir.rglob(".partial*"))

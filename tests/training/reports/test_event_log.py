"""What happens to a run whose logs, or whose checkpoints, cannot be written."""

import contextlib
import itertools
import shutil
import time

import pytest
import tensorflow as tf

from cyclegan_tf.runs import saved
from cyclegan_tf.training import fit
from cyclegan_tf.training.reports import event_log
from tests.helpers import (
    TINY,
    assert_one_line_error,
    assert_same_checkpoint,
    flags,
    rows_of,
    run_here,
    small_disk,
)


def test_folder_that_cannot_be_written_is_said_once(tmp_path, capsys):
    (tmp_path / "log").write_text("a file")
    log = event_log.EventLog(tmp_path / "log")
    for step in range(3):
        with log.at(step):
            tf.summary.text("name", "text")
        log.flush()
    log.close()
    (line,) = capsys.readouterr().err.splitlines()
    assert "warning: the tensorboard of this run cannot be written" in line


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
    with (path / "fill").open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while file.write(bytes(4096)):
            pass


@pytest.fixture
def train(monkeypatch, capsys, tiny_data_dir):
    """A run of 5 epochs, to whose directory something is done after each."""

    def start(run_dir, *acts):
        class Steps(fit.Steps):
            def on_epoch_end(self, epoch, logs=None):
                super().on_epoch_end(epoch, logs)
                if epoch < len(acts) and acts[epoch]:
                    acts[epoch](self.run.path)

        monkeypatch.setattr(fit, "Steps", Steps)
        options = {"epochs": 5, "evaluate_every": 5, "data_dir": tiny_data_dir}
        given = flags(TINY | options | {"run_dir": run_dir})
        return run_here(capsys, "train", *given)

    return start


def test_run_whose_logs_fail_goes_on_and_a_full_disk_ends_it_with_its_checkpoints(
    tmp_path, train, monkeypatch
):
    # After an epoch its logs vanish, after the next they cannot be written; all the
    # while the clock is set: an hour forward and two back, again and again.
    path, now, moments = tmp_path / "run", time.time, itertools.count()
    with monkeypatch.context() as patch:
        set_clock = lambda: now() + 3600 * (next(moments) // 7 % 3 - 1)  # noqa: E731
        patch.setattr(time, "time", set_clock)
        done = train(path, remove, block, unblock)
    assert done.returncode == 0, done.stderr
    rows = rows_of(path)
    assert [row["epoch"] for row in rows] == ["1", "2", "3", "4", "5"]
    assert [bool(row["swd_a_to_b"]) for row in rows] == [False] * 4 + [True]
    for row in rows:
        assert 0 < float(row["images_per_s"]) < 10_000
        assert 0 <= float(row["input_wait"]) <= 1
    names = {f"epoch-000{epoch}-{domain}.png" for epoch in (4, 5) for domain in "ab"}
    assert {x.name for x in (path / "samples").iterdir()} == names | {"losses.png"}
    assert_warned_once(done)

    # Neither logs nor clocks change what is learned.
    with small_disk(tmp_path / "small", 20_000) as full:
        done = train(full, None, None, fill)
        assert_one_line_error(done, full, "No space left on device")
        assert_warned_once(done)
        kept = saved.checkpoints(full / "checkpoints")
        assert [saved.step_of(file) for file in kept] == [12, 8, 4]
        assert_same_checkpoint(kept[0], path / "checkpoints" / kept[0].name)
        assert not list(full.rglob(".partial*"))


def assert_warned_once(done):
    lines = [line for line in done.stderr.splitlines() if "warning:" in line]
    for words in ("samples", "metrics"):
        assert sum(words in line for line in lines) == 1, lines

"""Files of a run that are damaged, or that a killed process was writing."""

import os
import random
import shutil
import signal
import sys

import numpy as np
import pytest

from cyclegan_tf.common import files
from cyclegan_tf.common.errors import Damaged
from cyclegan_tf.runs import history, saved
from cyclegan_tf.runs.evaluations import read_evaluations
from tests.damages import DAMAGES
from tests.helpers import rows_of, run_here


def write(path, value):
    with files.written_aside(path) as aside:
        saved.write_arrays(aside, {"gen_ab/stem/kernel": np.full(9, value)})


def value_in(path):
    return saved.read_arrays(path)["gen_ab/stem/kernel"][0]


@pytest.mark.parametrize("damage", DAMAGES)
def test_damaged_checkpoint_is_named_or_the_same(tmp_path, damage):
    path, rng = tmp_path / "step-000000001.npz", random.Random(0)
    for _ in range(50):
        write(path, 1.0)
        content = DAMAGES[damage](path.read_bytes(), rng)
        path.unlink()
        if content is not None:
            path.write_bytes(content)
        try:
            assert value_in(path) == 1  # of some bits in the names, nobody asks
        except Damaged as error:
            assert str(path) in str(error) and "\n" not in str(error)


def test_damaged_metrics_never_end_a_run(tmp_path, capsys):
    path, rng, lengths = tmp_path / "metrics.csv", random.Random(0), set()
    rows = [{"epoch": i, "step": 4 * i, "G_A": 0.5} for i in (1, 2)]
    history.write_history(path, rows)
    content = path.read_bytes()
    for damage in ["one bit", "some bits", "cut off", "zeros", "appended"] * 40:
        path.write_bytes(DAMAGES[damage](content, rng))
        lengths.add(len(history.read_history(path)))
    assert lengths >= {0, 1, 2}
    assert "metrics.csv is damaged: going on without 1 of" in capsys.readouterr().err


@pytest.mark.parametrize(
    "change",
    [
        {"nothing": None},
        {"scores": {"swd": "low"}},
        {"scores": [1.0]},
        {"direction": "c_to_d"},
        {"protocol": "as ever"},
    ],
)
def test_damaged_scores_are_named(tmp_path, change):
    entry = {"direction": "a_to_b", "scores": {"swd": 1.0}, "nothing": {}}
    entry |= {"protocol": {}, "of a later version": 1}

    def write_scores(entry):
        evaluations = [{"step": 4, "weights": "raw", "scores": [entry]}]
        files.write_json(tmp_path / "scores.json", {"evaluations": evaluations})

    write_scores(entry)
    assert read_evaluations(tmp_path)[0]["scores"] == [entry]
    write_scores(entry | change)
    with pytest.raises(Damaged, match="scores.json is damaged .*; delete it"):
        read_evaluations(tmp_path)
    del entry["nothing"]
    write_scores(entry)
    with pytest.raises(Damaged, match="'nothing'"):
        read_evaluations(tmp_path)


def test_run_goes_on_over_damaged_checkpoint_best_metrics_and_models(
    tmp_path, scored_run, capsys
):
    run_dir = shutil.copytree(scored_run, tmp_path / "run")
    newest, before, _ = saved.checkpoints(run_dir / "checkpoints")
    whole = newest.read_bytes()
    for path in (newest, run_dir / "checkpoints" / "best.npz"):
        content = bytearray(path.read_bytes())
        content[len(content) // 2] ^= 1
        path.write_bytes(content)
    metrics = run_dir / "metrics.csv"
    metrics.write_text(metrics.read_text().replace("\n1,", "\n1x,"))
    done = run_here(capsys, "train", "--run-dir", run_dir)
    assert done.returncode == 0 and "Traceback" not in done.stderr
    assert f"{newest} is damaged" in done.stderr
    assert f"continuing after step {saved.step_of(before)} from" in done.stderr
    assert "metrics.csv is damaged: going on without 1 of its rows" in done.stderr
    # The same step again, to the same bits.
    assert newest.read_bytes() == whole
    assert [row["epoch"] for row in rows_of(run_dir)] == ["2", "3"]
    assert saved.read_best(run_dir / "checkpoints")["step"] > 0

    # Of a run that is finished, the models are written anew.
    models = run_dir / "model" / "generators.npz"
    content = models.read_bytes()
    models.write_bytes(content[:-9])
    done = run_here(capsys, "train", "--run-dir", run_dir)
    assert done.returncode == 0 and "generators.npz is damaged" in done.stderr
    assert models.read_bytes() == content


# Kills.


def killed_at_rename(number, write_something):
    """Kills a fork of this process just before its n-th rename."""
    pid = os.fork()
    if not pid:
        renames = iter(range(99))

        def hook(event, _):
            if event == "os.rename" and next(renames) == number:
                os.kill(os.getpid(), signal.SIGKILL)

        sys.addaudithook(hook)
        write_something()
        os._exit(0)
    assert os.WIFSIGNALED(os.waitpid(pid, 0)[1])


needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="forks")


@needs_fork
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_kill_between_write_and_rename_leaves_the_checkpoint_before(tmp_path):
    write(tmp_path / "step-000000001.npz", 1.0)
    killed_at_rename(0, lambda: write(tmp_path / "step-000000002.npz", 2.0))
    assert len(os.listdir(tmp_path)) == 2
    (found,) = saved.checkpoints(tmp_path)
    assert value_in(found) == 1
    write(tmp_path / "step-000000002.npz", 2.0)  # the same again
    assert [value_in(p) for p in saved.checkpoints(tmp_path)] == [2, 1]
    assert len(os.listdir(tmp_path)) == 2


@needs_fork
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
@pytest.mark.parametrize("number", [0, 1, 2])
def test_kill_while_the_models_are_replaced_leaves_a_whole_folder(tmp_path, number):
    def replace(value):
        with files.folder_written_aside(tmp_path / "model") as aside:
            write(aside / "generators.npz", value)

    replace(1.0)
    killed_at_rename(number, lambda: replace(2.0))
    assert value_in(files.current(tmp_path / "model") / "generators.npz") == 1
    replace(3.0)
    assert value_in(tmp_path / "model" / "generators.npz") == 3
    assert os.listdir(tmp_path) == ["model"]

import concurrent.futures
import dataclasses
import shutil

import numpy as np
import pytest

from cyclegan_tf.common.errors import InputError
from cyclegan_tf.runs import saved
from cyclegan_tf.training import run as training
from tests.helpers import rows_of, tiny_config


@pytest.fixture(scope="module")
def trained(tmp_path_factory, tiny_data_dir):
    """The options of a finished run, which is not to be changed.

    It was trained in a thread, as within Gradio or a tracker: without signal handlers.
    """
    config = tiny_config(
        tmp_path_factory.mktemp("trained"),
        data_dir=str(tiny_data_dir),
        checkpoint_every=3,
    )
    with concurrent.futures.ThreadPoolExecutor(1) as threads:
        threads.submit(training.train, config).result()
    return config


@pytest.fixture
def finished(trained, tmp_path, capsys):
    """Those of a copy of it."""
    path = tmp_path / "run"
    shutil.copytree(trained.resolved_run_dir, path)
    capsys.readouterr()
    return dataclasses.replace(trained, run_dir=str(path))


def test_loss_that_is_not_finite_stops_with_the_checkpoint_intact(finished):
    directory = finished.resolved_run_dir / "checkpoints"
    newest = saved.checkpoints(directory)[0]
    # Weights that overflow in the next step's forward pass, as after an explosion.
    with np.load(newest) as file:
        arrays = dict(file)
    name = next(n for n in arrays if n.startswith("disc_a/") and "kernel" in n)
    arrays[name] = np.full_like(arrays[name], 3e38)
    np.savez(newest, **arrays)
    content = newest.read_bytes()
    with pytest.raises(InputError, match="loss .* after step 9.*is intact.*--restart"):
        training.train(dataclasses.replace(finished, epochs=3))
    assert saved.checkpoints(directory)[0] == newest
    assert newest.read_bytes() == content


def test_damaged_record_stops_with_the_checkpoint_intact(
    finished, tmp_path, tiny_data_dir
):
    shutil.copytree(tiny_data_dir, tmp_path / "data")
    shard = tmp_path / "data" / finished.dataset_name / "trainB-00000.tfrecord"
    content = bytearray(shard.read_bytes())
    for byte in range(100, len(content), 1000):  # of every record
        content[byte] ^= 1
    shard.write_bytes(content)
    places = {"data_dir": str(tmp_path / "data"), "cache": "none"}
    with pytest.raises(InputError, match="trainB-00000.tfrecord: record .* intact"):
        training.train(dataclasses.replace(finished, epochs=3, **places))
    newest, *_ = saved.checkpoints(finished.resolved_run_dir / "checkpoints")
    assert newest.name == "step-000000008.npz"


def test_extended_run_trains_on_by_the_longer_schedule(finished, capsys):
    training.train(dataclasses.replace(finished, epochs=3))
    path = finished.resolved_run_dir
    newest = saved.checkpoints(path / "checkpoints")[0]
    assert saved.step_of(newest) == 12
    rows = rows_of(path)
    assert [row["epoch"] for row in rows] == ["1", "2", "3"]
    # Of one constant epoch, and a decay over one and then over two.
    rates = [float(row["learning_rate"]) for row in rows]
    np.testing.assert_allclose(rates, [1e-3, 1e-3 / 2, 1e-3 / 3], rtol=1e-4)
    assert "from 2 to 3 epochs" in capsys.readouterr().err


def test_lost_checkpoints_do_not_begin_anew_silently(finished, capsys):
    run_dir = finished.resolved_run_dir
    for path in saved.checkpoints(run_dir / "checkpoints"):
        path.write_bytes(b"")
    with pytest.raises(InputError, match="no checkpoint .* --restart"):
        training.train(finished)
    for path in saved.checkpoints(run_dir / "checkpoints"):
        path.unlink()
    with pytest.raises(InputError, match="has no checkpoint, but .* of 2 epochs"):
        training.train(finished)
    # Such may be a run that was killed in its first epoch.
    metrics = run_dir / "metrics.csv"
    metrics.write_text("".join(metrics.read_text().splitlines(True)[:2]))
    training.train(finished)
    assert "has no checkpoint: beginning again at step 0" in capsys.readouterr().err


def test_run_stopped_after_its_last_checkpoint_is_concluded(finished, capsys):
    path = finished.resolved_run_dir
    scores = (path / "scores.json").read_text()
    (path / "scores.json").write_text('{"step": 8, "scores_against_the_truth": []}')
    (path / "samples" / "losses.png").unlink()
    training.train(finished)
    output = capsys.readouterr()
    assert "is finished" in output.err and "continuing" not in output.err
    assert (path / "samples" / "losses.png").exists()
    assert (path / "scores.json").read_text() == scores
    # The scores stand beside those of doing nothing.
    rows = {
        line.split()[0]: line.split()[1:] for line in output.out.splitlines() if line
    }
    for name in ("background_error", "coat_distance", "swd"):
        for model, nothing in (rows[name][:2], rows[name][2:]):
            assert float(model) > 0
            if name == "background_error":
                assert float(nothing) == 0
            else:
                assert float(nothing) > 20
    newest = saved.checkpoints(path / "checkpoints")[0]
    before = newest.stat().st_mtime_ns
    training.train(finished)
    output = capsys.readouterr()
    assert not output.out and "is finished" in output.err
    assert newest.stat().st_mtime_ns == before


@pytest.mark.parametrize(
    "options, problem",
    [({"init_from": "gone"}, "no such run"), ({"pool_size": 10**9}, "out of memory")],
)
def test_restart_that_begins_no_run_leaves_the_earlier_one(finished, options, problem):
    path = finished.resolved_run_dir
    before = {each.relative_to(path) for each in path.rglob("*")}
    with pytest.raises(InputError, match=problem):
        training.train(dataclasses.replace(finished, restart=True, **options))
    assert {each.relative_to(path) for each in path.rglob("*")} == before
    assert [each.name for each in path.parent.iterdir()] == ["run"]


def test_pool_that_does_not_fit_is_refused_and_no_run_is_begun(tiny_run, scored_run):
    config = tiny_run(pool_size=10**9, teacher=str(scored_run))
    with pytest.raises(InputError, match="out of memory"):
        training.train(config)
    assert not config.resolved_run_dir.exists()

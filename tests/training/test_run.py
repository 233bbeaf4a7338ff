import concurrent.futures
import csv
import dataclasses
import shutil

import numpy as np
import pytest

from cyclegan_tf.common.errors import InputError
from cyclegan_tf.runs import saved
from cyclegan_tf.training import fit
from cyclegan_tf.training import run as training
from tests.helpers import tiny_config


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


def test_extended_run_trains_on_by_the_longer_schedule(finished, capsys):
    training.train(dataclasses.replace(finished, epochs=3))
    path = finished.resolved_run_dir
    newest = saved.checkpoints(path / "checkpoints")[0]
    assert saved.step_of(newest) == 12
    with (path / "metrics.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["epoch"] for row in rows] == ["1", "2", "3"]
    # Of one constant epoch, and a decay over one and then over two.
    rates = [float(row["learning_rate"]) for row in rows]
    np.testing.assert_allclose(rates, [1e-3, 1e-3 / 2, 1e-3 / 3], rtol=1e-4)
    assert "from 2 to 3 epochs" in capsys.readouterr().err


@pytest.mark.slow
def test_embedded_dataset_is_learned_a_little_in_a_minute(tiny_run):
    config = tiny_run(filters=8, steps_per_epoch=60, epochs=2, image_size=32)
    training.train(config)
    with (config.resolved_run_dir / "metrics.csv").open() as file:
        rows = list(csv.DictReader(file))
    for name in ("cycle_A", "cycle_B", "identity_A", "identity_B"):
        assert float(rows[1][name]) < 0.95 * float(rows[0][name])


def test_damaged_newest_checkpoint_falls_back_to_the_one_before(finished, capsys):
    directory = finished.resolved_run_dir / "checkpoints"
    newest, before, _ = saved.checkpoints(directory)
    whole = newest.read_bytes()
    newest.write_bytes(whole[: len(whole) // 2])
    training.train(finished)
    said = capsys.readouterr().err
    assert f"{newest} is damaged" in said
    assert f"continuing after step {saved.step_of(before)}" in said
    # The same step again, to the same bits.
    assert newest.read_bytes() == whole


def test_only_damaged_checkpoints_do_not_begin_anew_silently(finished):
    for path in saved.checkpoints(finished.resolved_run_dir / "checkpoints"):
        path.write_bytes(b"")
    with pytest.raises(InputError, match="no checkpoint .* --restart"):
        training.train(finished)


def test_removed_checkpoints_do_not_begin_anew_silently(finished, capsys):
    run_dir = finished.resolved_run_dir
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
    (finished.resolved_run_dir / "scores.json").unlink()
    (finished.resolved_run_dir / "samples" / "losses.png").unlink()
    training.train(finished)
    output = capsys.readouterr()
    assert "is finished" in output.err and "continuing" not in output.err
    assert (finished.resolved_run_dir / "samples" / "losses.png").exists()
    # The scores stand beside those of doing nothing.
    lines = [line.split() for line in output.out.splitlines() if line]
    rows = {line[0]: line[1:] for line in lines}
    for name in ("background_error", "coat_distance", "swd"):
        there, back = rows[name][:2], rows[name][2:]
        for model, nothing in (there, back):
            assert float(model) > 0
            if name == "background_error":
                assert float(nothing) == 0
            else:
                assert float(nothing) > 20
    newest = saved.checkpoints(finished.resolved_run_dir / "checkpoints")[0]
    before = newest.stat().st_mtime_ns
    training.train(finished)
    output = capsys.readouterr()
    assert not output.out and "is finished" in output.err
    assert newest.stat().st_mtime_ns == before


def test_damaged_scores_are_made_anew(finished):
    scores = finished.resolved_run_dir / "scores.json"
    whole = scores.read_text()
    scores.write_text('{"step": 8, "scores_against_the_truth": []}')
    training.train(finished)
    assert scores.read_text() == whole


def test_weights_that_are_not_finite_reach_neither_model_nor_checkpoint(tiny_run):
    class PoisonLastStep(fit.Steps):
        def on_train_batch_end(self, batch, logs=None):
            super().on_train_batch_end(batch, logs)
            if self.step == 4:
                bias = self.model.gen_ab.get_layer("head").bias
                bias.assign(bias * float("nan"))

    config = tiny_run(epochs=1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fit, "Steps", PoisonLastStep)
        with pytest.raises(InputError, match="gen_ab/head/bias is not finite"):
            training.train(config)
    assert not (config.resolved_run_dir / "model").exists()
    assert not saved.checkpoints(config.resolved_run_dir / "checkpoints")


def test_damaged_record_stops_with_the_checkpoint_intact(tmp_path):
    config = tiny_config(tmp_path, cache="none", epochs=1)
    training.train(config)
    shard = tmp_path / "tfrecords" / config.dataset_name / "trainB-00000.tfrecord"
    content = bytearray(shard.read_bytes())
    for byte in range(100, len(content), 1000):  # of every record
        content[byte] ^= 1
    shard.write_bytes(content)
    with pytest.raises(InputError, match="trainB-00000.tfrecord: record .* intact"):
        training.train(dataclasses.replace(config, epochs=2))
    [newest] = saved.checkpoints(config.resolved_run_dir / "checkpoints")
    assert newest.name == "step-000000004.npz"


def test_pool_that_does_not_fit_is_refused_and_no_run_is_begun(tiny_run):
    config = tiny_run(pool_size=10**9)
    with pytest.raises(InputError, match="out of memory"):
        training.train(config)
    assert not config.resolved_run_dir.exists()

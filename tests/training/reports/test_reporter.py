import json
import time

import numpy as np
import pytest
import tensorflow as tf
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from cyclegan_tf.common.errors import InputError
from cyclegan_tf.config.losses import LOSSES
from cyclegan_tf.runs.evaluations import read_evaluations
from cyclegan_tf.training import run as training
from cyclegan_tf.training.reports import reporter
from cyclegan_tf.training.reports.record import Speed
from tests.helpers import rows_of, tiny_config, write_images


def test_every_epoch_has_its_scores_in_the_csv(scored_run):
    rows = rows_of(scored_run)
    assert len(rows) == 3
    (last,) = read_evaluations(scored_run)
    for scores in last["scores"]:
        for name, value in scores["scores"].items():
            written = float(rows[-1][f"{name}_{scores['direction']}"])
            assert written == pytest.approx(value, rel=1e-5)


def test_best_checkpoint_is_the_best_of_the_curve(scored, scored_run):
    curve = [
        (float(row["swd_a_to_b"]) + float(row["swd_b_to_a"])) / 2
        for row in rows_of(scored_run)
    ]
    best = json.loads((scored_run / "checkpoints" / "best.json").read_text())
    assert best["best_by"] == "swd"
    assert f"best by swd: step {best['step']} with" in scored.err
    assert best["value"] == pytest.approx(min(curve), rel=1e-5)
    assert best["value"] <= curve[-1] * (1 + 1e-5)
    assert best["epoch"] == 1 + int(np.argmin(curve))
    assert best["scores"][0]["protocol"]["compared_with"] == "1 image of testB"


def test_best_by_kid_without_weights_ends_before_anything_is_written(
    tiny_run, no_weights
):
    config = tiny_run(best_by="kid")
    with pytest.raises(InputError, match="no weights are at hand"):
        training.train(config)
    assert not config.resolved_run_dir.exists()


def test_best_by_truth_without_pairs_is_refused(tmp_path):
    for split in ("trainA", "trainB"):
        write_images(tmp_path / "photos" / split, 2)
    config = tiny_config(
        tmp_path, dataset=str(tmp_path / "photos"), best_by="truth_mae"
    )
    with pytest.raises(InputError, match="truth_mae needs test images in pairs"):
        training.train(config)
    assert not (config.resolved_run_dir / "config.json").exists()


def test_epochs_are_told_in_a_line(scored):
    lines = [line for line in scored.err.splitlines() if "peak memory" in line]
    assert len(lines) == 3
    for words in ("G_A 0.", "swd a_to_b", "images/s", "waiting for input", "host"):
        assert words in lines[2]


def test_tensorboard_has_what_was_promised(scored_run):
    events = EventAccumulator(str(scored_run / "tensorboard"))
    events.Reload()
    tags = set(events.Tags()["tensors"])
    assert {f"losses/{name}" for name in LOSSES} <= tags
    assert {"learning_rate", "speed/images_per_s", "speed/input_wait"} <= tags
    assert "memory/host_peak_mib" in tags
    assert {"samples/A", "samples/B", "config"} <= tags
    assert {"scores/swd_a_to_b", "scores/cycle_ssim_b_to_a"} <= tags


def test_curves_are_means_of_as_many_steps_up_to_the_end_of_an_epoch(
    tiny_run, monkeypatch
):
    monkeypatch.setattr(reporter, "RECORD_EVERY", 2)
    config = tiny_run(epochs=1, steps_per_epoch=3)
    training.train(config)
    events = EventAccumulator(str(config.resolved_run_dir / "tensorboard"))
    events.Reload()
    (first, second), (last, third) = (
        (event.step, float(tf.make_ndarray(event.tensor_proto)))
        for event in events.Tensors("losses/D_B")
    )
    assert (first, last) == (2, 3)
    [row] = rows_of(config.resolved_run_dir)
    assert float(row["D_B"]) == pytest.approx((2 * second + third) / 3, rel=1e-4)


def test_speed_and_wait_are_of_the_time_since_the_first_step(monkeypatch):
    now = iter([100.0, 104.0, 110.0])
    monkeypatch.setattr(time, "monotonic", lambda: next(now))
    speed = Speed(images_per_step=2)
    speed.measure(7, waited=50.0)  # compiles, and is left out
    assert (speed.images_per_s, speed.input_wait) == (0, 0)
    speed.measure(9, waited=51.0)
    assert (speed.images_per_s, speed.input_wait) == (1.0, 0.25)
    speed.measure(12, waited=58.0)
    assert speed.images_per_s == 1.0
    assert speed.input_wait == pytest.approx(0.8)

import csv
import json

import numpy as np
import pytest

from cyclegan_tf.common.errors import InputError
from cyclegan_tf.runs.evaluations import read_evaluations
from cyclegan_tf.training import run as training
from tests.helpers import tiny_config, write_images


def read_csv(run_dir):
    with (run_dir / "metrics.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def test_every_epoch_has_its_scores_in_the_csv(scored_run):
    rows = read_csv(scored_run)
    assert len(rows) == 3
    (last,) = read_evaluations(scored_run)
    for scores in last["scores"]:
        for name, value in scores["scores"].items():
            written = float(rows[-1][f"{name}_{scores['direction']}"])
            assert written == pytest.approx(value, rel=1e-5)


def test_best_checkpoint_is_the_best_of_the_curve(scored_run):
    curve = [
        (float(row["swd_a_to_b"]) + float(row["swd_b_to_a"])) / 2
        for row in read_csv(scored_run)
    ]
    best = json.loads((scored_run / "checkpoints" / "best.json").read_text())
    assert best["best_by"] == "swd"
    assert best["value"] == pytest.approx(min(curve), rel=1e-5)
    assert best["value"] <= curve[-1] * (1 + 1e-5)
    assert best["epoch"] == 1 + int(np.argmin(curve))
    assert best["scores"][0]["protocol"]["compared_with"] == "1 images of testB"


def test_scoring_does_not_change_the_training(tiny_run, scored_run):
    config = tiny_run(epochs=3, evaluate_every=3)
    training.train(config)
    rows = read_csv(config.resolved_run_dir)
    assert [row["swd_a_to_b"] != "" for row in rows] == [False, False, True]
    name = "checkpoints/step-000000012.npz"
    with (
        np.load(scored_run / name) as first,
        np.load(config.resolved_run_dir / name) as second,
    ):
        for array in first.files:
            np.testing.assert_array_equal(first[array], second[array])


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


def test_scores_are_in_tensorboard_and_in_the_line_of_the_epoch(tiny_run, capsys):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    config = tiny_run(epochs=1, best_by="truth_mae")
    training.train(config)
    output = capsys.readouterr()
    assert "truth_mae a_to_b" in output.err and "best by truth_mae" in output.err
    events = EventAccumulator(str(config.resolved_run_dir / "tensorboard"))
    events.Reload()
    tags = set(events.Tags()["tensors"])
    assert {"scores/swd_a_to_b", "scores/cycle_ssim_b_to_a"} <= tags

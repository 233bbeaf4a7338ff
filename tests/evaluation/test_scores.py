import csv
import dataclasses
import json
import shutil

import numpy as np
import pytest

from cyclegan_tf.common.errors import Damaged, InputError
from cyclegan_tf.config import EvaluateConfig
from cyclegan_tf.data import convert as conversion
from cyclegan_tf.data import pipeline
from cyclegan_tf.evaluation import scores as run_scores
from cyclegan_tf.inference import pixels
from cyclegan_tf.runs import checkpoint, generators
from cyclegan_tf.runs import directory as run_directory
from cyclegan_tf.training import run as training
from tests.helpers import (
    assert_one_line_error,
    run_script,
    tiny_config,
    tiny_model,
    write_images,
)


@pytest.fixture(scope="module")
def trained(tmp_path_factory, tiny_data_dir):
    """A finished run of three epochs, each scored."""
    directory = tmp_path_factory.mktemp("trained")
    config = tiny_config(
        directory, data_dir=str(tiny_data_dir), epochs=3, evaluate_every=1
    )
    training.train(config)
    return config.resolved_run_dir


@pytest.fixture
def run_dir(trained, tmp_path):
    """A copy of the run, to be changed."""
    return shutil.copytree(trained, tmp_path / "run")


def evaluate(run_dir, **options):
    return run_scores.evaluate(EvaluateConfig([str(run_dir)], **options))


def read_csv(run_dir):
    with (run_dir / "metrics.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def read_best(run_dir):
    return json.loads((run_dir / "checkpoints" / "best.json").read_text())


def test_every_epoch_has_its_scores_in_the_csv(trained):
    rows = read_csv(trained)
    assert len(rows) == 3
    (last,) = run_scores.read(trained)
    for scores in last["scores"]:
        for name, value in scores["scores"].items():
            written = float(rows[-1][f"{name}_{scores['direction']}"])
            assert written == pytest.approx(value, rel=1e-5)


def test_best_checkpoint_is_the_best_of_the_curve(trained):
    curve = [
        (float(row["swd_a_to_b"]) + float(row["swd_b_to_a"])) / 2
        for row in read_csv(trained)
    ]
    best = read_best(trained)
    assert best["best_by"] == "swd"
    assert best["value"] == pytest.approx(min(curve), rel=1e-5)
    assert best["value"] <= curve[-1] * (1 + 1e-5)
    assert best["epoch"] == 1 + int(np.argmin(curve))
    assert best["scores"][0]["protocol"]["compared_with"] == "1 images of testB"


def test_best_checkpoint_has_the_score_that_it_says(run_dir, no_weights):
    evaluate(run_dir, checkpoint="best")
    newest = run_scores.read(run_dir)[-1]
    best = read_best(run_dir)
    assert newest["step"] == best["step"]
    assert newest["scores"] == best["scores"]


def test_best_checkpoint_stays_where_the_next_one_cannot_be_written(
    run_dir, monkeypatch
):
    def fail(file, **_):
        raise OSError(28, "No space left on device")

    directory = run_dir / "checkpoints"
    before = {path.name: path.read_bytes() for path in directory.glob("best.*")}
    monkeypatch.setattr(np, "savez", fail)
    with pytest.raises(OSError):
        checkpoint.save_best(tiny_model(), directory, {"step": 99, "value": 0.0})
    after = {path.name: path.read_bytes() for path in directory.glob("*best.*")}
    assert after == before and len(before) == 2


def test_generators_of_a_step_are_those_of_its_checkpoint(trained):
    loaded = generators.load_generators(trained, "4")
    with np.load(trained / "checkpoints" / "step-000000004.npz") as arrays:
        for direction, name in generators.DIRECTIONS.items():
            for variable in loaded[direction].variables:
                expected = arrays[f"{name}/{variable.path}"]
                np.testing.assert_array_equal(variable, expected)
    last = generators.load_generators(trained)["a_to_b"]
    assert not np.array_equal(last.get_weights()[0], loaded["a_to_b"].get_weights()[0])


def test_evaluation_twice_is_one_entry_with_the_same_numbers(run_dir, no_weights):
    during_training = run_scores.read(run_dir)[0]["scores"]
    for _ in range(2):
        text = evaluate(run_dir)
    (entry,) = run_scores.read(run_dir)
    assert entry["scores"] == during_training
    assert (entry["step"], entry["checkpoint"]) == (12, "last")
    assert entry["seconds"] > 0
    assert "added to" in text


def test_other_protocol_is_another_entry(run_dir, no_weights, capsys):
    evaluate(run_dir, split="train", limit=5)
    evaluate(run_dir, split="train", limit=6)
    evaluate(run_dir, split="train", limit=6, checkpoint="4")
    entries = run_scores.read(run_dir)
    assert [entry["step"] for entry in entries] == [12, 12, 12, 4]
    protocol = entries[1]["scores"][0]["protocol"]
    assert protocol["fakes_from"] == "5 images of trainA"
    # Training images are no pairs, and said to have no KID in one line.
    assert "truth_mae" not in entries[1]["scores"][0]["scores"]
    said = capsys.readouterr().err
    assert said.count("going on without KID and FID: no weights are at hand") == 3


def test_damaged_scores_are_begun_anew(run_dir, no_weights, capsys):
    (run_dir / "scores.json").write_text("{")
    evaluate(run_dir)
    assert "scores.json is damaged" in capsys.readouterr().err
    assert len(run_scores.read(run_dir)) == 1


def test_run_with_one_direction_is_scored_in_that_one(run_dir, no_weights):
    loaded = generators.load_generators(run_dir)
    only = {"b_to_a": loaded["b_to_a"]}
    generators.save_generators(run_dir, only, {"step": 12})
    evaluate(run_dir)
    (scores,) = run_scores.read(run_dir)[-1]["scores"]
    assert scores["direction"] == "b_to_a" and "cycle_mae" not in scores["scores"]


def test_imported_models_are_scored_without_a_fingerprint(run_dir, no_weights):
    config, _ = run_directory.read_config(run_dir)
    run_directory.write_config(run_dir, config, None)
    evaluate(run_dir)


def test_other_images_than_the_runs_are_refused(run_dir, no_weights, tmp_path):
    config, _ = run_directory.read_config(run_dir)
    other = dataclasses.replace(config, data_dir=str(tmp_path / "d"), data_seed=1)
    run_directory.write_config(run_dir, other, "beef")
    with pytest.raises(InputError, match="holds other images than"):
        evaluate(run_dir)


# Pairs in folders, as of maps and facades.


@pytest.fixture
def make_pairs(tmp_path):
    """Makes a run, not trained, on folders with the test images of given names."""

    def make(names_a, names_b):
        folder = tmp_path / "photos"
        for split in ("trainA", "trainB"):
            write_images(folder / split, 2)
        for split, names in (("testA", names_a), ("testB", names_b)):
            write_images(folder / split, len(names))
            for i, name in enumerate(names):
                (folder / split / f"{i:03d}.png").rename(folder / split / name)
        config = tiny_config(tmp_path, dataset=str(folder))
        directory = conversion.ensure_dataset(config)
        fingerprint = conversion.read_manifest(directory)["fingerprint"]
        run_dir = config.resolved_run_dir
        run_directory.write_config(run_dir, config, fingerprint)
        generators.save_generators(run_dir, tiny_model().generators, {"step": 0})
        return run_dir

    return make


@pytest.mark.parametrize(
    "names_a, names_b",
    [
        (["1_A.png", "10_A.png", "2_A.png"], ["1_B.png", "10_B.png", "2_B.png"]),
        (["x.png", "y.png"], ["x.png", "y.png"]),
    ],
)
def test_paired_folders_are_scored_against_the_truth(
    make_pairs, no_weights, names_a, names_b
):
    run_dir = make_pairs(names_a, names_b)
    evaluate(run_dir)
    evaluate(run_dir, paired=True)
    (unpaired, _), (there, _) = (e["scores"] for e in run_scores.read(run_dir)[-2:])
    assert "truth_mae" not in unpaired["scores"]
    config, _ = run_directory.read_config(run_dir)
    directory = conversion.ensure_dataset(config)
    reals, truths = (
        np.float64(pipeline.load_images(pipeline.open_split(directory, name), 32))
        for name in ("testA", "testB")
    )
    expected = np.abs(reals - truths).mean()
    assert there["nothing"]["truth_mae"] == pytest.approx(expected)
    there_again = generators.load_generators(run_dir)["a_to_b"]
    fakes = pixels.translate(there_again, np.uint8(reals)).numpy()
    expected = np.abs(fakes - truths).mean()
    assert there["scores"]["truth_mae"] == pytest.approx(expected, rel=1e-3)


@pytest.mark.parametrize(
    "names_a, names_b, problem",
    [
        (["1_A.png", "2_A.png"], ["1_B.png", "3_B.png"], "'testA/2_A.png' .* beside"),
        (["1_A.png", "2_A.png"], ["1_B.png"], "'testA/2_A.png' .* beside 'no image'"),
    ],
)
def test_images_that_are_no_pairs_are_refused(
    make_pairs, no_weights, names_a, names_b, problem
):
    with pytest.raises(InputError, match=f"--paired: {problem}"):
        evaluate(make_pairs(names_a, names_b), paired=True)


def test_names_that_tfds_makes_up_are_no_pairs():
    name = "cycle_gan-test{}.tfrecord-00000-of-00001__7"
    scenes = {run_scores._scene(name.format(domain), domain) for domain in "AB"}
    assert len(scenes) == 2


# The best checkpoint.


def test_best_survives_the_rotation_and_a_worse_epoch(tmp_path):
    model = tiny_model()
    checkpoint.save_best(model, tmp_path, {"step": 1, "value": 2.0})
    for step in range(1, 6):
        checkpoint.save(model, tmp_path, step)
    assert checkpoint.read_best(tmp_path) == {"step": 1, "value": 2.0}
    assert checkpoint.find(tmp_path, "best").name == "best.npz"
    assert checkpoint.find(tmp_path, "4").name == "step-000000004.npz"
    assert len(checkpoint.checkpoints(tmp_path)) == 3


@pytest.mark.parametrize("name", ["best", "1", "7"])
def test_checkpoint_that_is_not_there_is_named_beside_those_that_are(tmp_path, name):
    for step in (1, 2, 3, 4):
        checkpoint.save(tiny_model(), tmp_path, step)
    with pytest.raises(InputError, match=f"{name}: .* there are last, 4, 3, 2"):
        checkpoint.find(tmp_path, name)


def test_kill_while_the_best_is_written_leaves_none_that_is_wrong(
    tmp_path, monkeypatch
):
    checkpoint.save_best(tiny_model(), tmp_path, {"step": 1})

    def killed(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(checkpoint, "write_json", killed)
    with pytest.raises(KeyboardInterrupt):
        checkpoint.save_best(tiny_model(seed=1), tmp_path, {"step": 2})
    assert checkpoint.read_best(tmp_path) == {}


@pytest.mark.parametrize("content", ["", "{", "[]", '{"value": 1}', "3"])
def test_damaged_best_is_named(tmp_path, content):
    checkpoint.save_best(tiny_model(), tmp_path, {"step": 1})
    (tmp_path / "best.json").write_text(content)
    with pytest.raises(Damaged, match=r"best\.(json|npz) is damaged"):
        checkpoint.find(tmp_path, "best")


# While training.


def test_scoring_does_not_change_the_training(tiny_run, trained):
    config = tiny_run(epochs=3, evaluate_every=3)
    training.train(config)
    rows = read_csv(config.resolved_run_dir)
    assert [row["swd_a_to_b"] != "" for row in rows] == [False, False, True]
    name = "checkpoints/step-000000012.npz"
    with (
        np.load(trained / name) as first,
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


# The command.


@pytest.mark.slow
def test_command_scores_with_weights_from_a_file(run_dir, inception_weights):
    done = run_script(
        *("evaluate.py", "--run-dir", run_dir, "--split", "train", "--limit", 3),
        *("--inception-weights", inception_weights),
    )
    assert done.returncode == 0, done.stderr
    rows = {line.split()[0]: line.split() for line in done.stdout.splitlines()}
    assert len(rows["kid"]) == len(rows["fid"]) == 5
    assert "SHA-256" in done.stdout and " s; added to" in done.stdout
    protocol = run_scores.read(run_dir)[-1]["scores"][0]["protocol"]
    assert len(protocol["kid_and_fid"]["sha256"]) == 64


@pytest.mark.slow
def test_wrong_input_of_the_command_ends_in_one_line(run_dir, tmp_path):
    (tmp_path / "weights.h5").write_text("nothing")
    before = (run_dir / "scores.json").read_bytes()
    for options, fragments in (
        (["--run-dir", tmp_path / "none"], ["no such run directory"]),
        (["--checkpoint", "newest"], ["--checkpoint takes last, best"]),
        (["--checkpoint", "7"], ["--checkpoint 7", "last, best, 12, 8, 4"]),
        (["--limit", "1"], ["--limit must be at least 2"]),
        (["--split", "validation"], ["--split"]),
        (["--run-dir", run_dir, tmp_path], ["takes one run, got 2", "--report"]),
        (["--inception-weights", tmp_path / "none.h5"], ["no such file"]),
        (["--inception-weights", tmp_path / "weights.h5"], ["cannot be used"]),
        (["--split", "train", "--paired"], ["--paired", "brown-00000.png"]),
    ):
        done = run_script("evaluate.py", "--run-dir", run_dir, *options)
        assert_one_line_error(done, *fragments)
    assert (run_dir / "scores.json").read_bytes() == before

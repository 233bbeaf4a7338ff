import json
import shutil

import numpy as np
import pytest

from cyclegan_tf.common.errors import InputError
from cyclegan_tf.config import EvaluateConfig
from cyclegan_tf.data import pipeline
from cyclegan_tf.data.domain import Domain, Domains
from cyclegan_tf.evaluation import comparison, scoring
from cyclegan_tf.inference import pixels
from cyclegan_tf.inference.direction import Translator
from cyclegan_tf.runs import directory as run_directory
from cyclegan_tf.runs import generators
from cyclegan_tf.runs.evaluations import read_evaluations
from cyclegan_tf.runs.run_dir import RunDir
from tests.helpers import (
    assert_one_line_error,
    run_here,
    tiny_config,
    tiny_model,
    write_images,
    write_run,
)


@pytest.fixture
def run_dir(scored_run, tmp_path):
    """A copy of the run, to be changed."""
    return shutil.copytree(scored_run, tmp_path / "run")


def evaluate(run_dir, **options):
    return scoring.evaluate(EvaluateConfig([str(run_dir)], **options))


def test_best_checkpoint_has_the_score_that_it_says(run_dir, no_weights):
    evaluate(run_dir, checkpoint="best")
    newest = read_evaluations(run_dir)[-1]
    best = json.loads((run_dir / "checkpoints" / "best.json").read_text())
    assert newest["step"] == best["step"]
    assert newest["scores"] == best["scores"]


def test_evaluation_twice_is_one_entry_with_the_same_numbers(run_dir, no_weights):
    during_training = read_evaluations(run_dir)[0]["scores"]
    for _ in range(2):
        text = evaluate(run_dir)
    (entry,) = read_evaluations(run_dir)
    assert entry["scores"] == during_training
    assert (entry["step"], entry["checkpoint"]) == (12, "last")
    assert "added to" in text


def test_scores_that_cannot_be_written_are_shown(run_dir, no_weights):
    (run_dir / "scores.json").unlink()
    (run_dir / "scores.json").mkdir()
    text = evaluate(run_dir, limit=2)
    assert "cycle_mae" in text
    assert f"not added (Is a directory) to {run_dir / 'scores.json'}" in text


def test_protocol_is_printed_with_what_training_has_seen(run_dir, no_weights):
    assert "protocol of" not in evaluate(run_dir)
    lines = evaluate(run_dir, protocol=True).splitlines()
    [entry] = read_evaluations(run_dir)  # asking for it changes no score
    protocol = entry["scores"][1]["protocol"]
    shown = lines[lines.index("protocol of b_to_a:") :]
    for name in ("fakes_from", "compared_with", "resize", "swd"):
        assert f"  {name}: {protocol[name]}" in shown
    assert "  kid_and_fid: not computed" in shown
    assert shown[-3].startswith("testA: none of ") and shown[-3].endswith("trainA")
    assert shown[-2].startswith("testB: none of ") and "added to" in shown[-1]


def test_other_protocol_is_another_entry(run_dir, no_weights, capsys):
    evaluate(run_dir, split="train", limit=5)
    evaluate(run_dir, split="train", limit=6)
    evaluate(run_dir, split="train", limit=6, checkpoint="4")
    entries = read_evaluations(run_dir)
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
    assert len(read_evaluations(run_dir)) == 1


def test_run_with_one_direction_is_scored_in_that_one(run_dir, no_weights):
    loaded = generators.load_generators(run_dir)
    only = {"b_to_a": loaded["b_to_a"]}
    generators.save_generators(run_dir, only, {"step": 12})
    evaluate(run_dir)
    (scores,) = read_evaluations(run_dir)[-1]["scores"]
    assert scores["direction"] == "b_to_a" and "cycle_mae" not in scores["scores"]


def test_imported_models_are_scored_without_a_fingerprint(run_dir, no_weights):
    recorded = run_directory.read_config(run_dir)
    run_directory.write_config(run_dir, recorded._replace(fingerprint=None))
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
        return write_run(config, tiny_model().generators)

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
    (unpaired, _), (there, _) = (e["scores"] for e in read_evaluations(run_dir)[-2:])
    assert "truth_mae" not in unpaired["scores"]
    run = RunDir.open(run_dir)
    reals, truths = (
        np.float64(pipeline.load_images(split, run.options.frame))
        for split in run.images("test").values()
    )
    expected = np.abs(reals - truths).mean()
    assert there["nothing"]["truth_mae"] == pytest.approx(expected)
    there_again = generators.load_generators(run_dir)["a_to_b"]
    fakes = pixels.translate(there_again, np.uint8(reals), *Domains()).numpy()
    expected = np.abs(fakes - truths).mean()
    assert there["scores"]["truth_mae"] == pytest.approx(expected, rel=1e-3)


def test_images_of_a_dataset_are_seen_at_the_size_asked_for(
    make_pairs, no_weights, tmp_path
):
    run_dir, photos = make_pairs(["x.png"], ["y.png"]), str(tmp_path / "photos")
    text = evaluate(run_dir, dataset=photos, image_size="16x24", protocol=True)
    assert "stretched to 16x24" in text
    # Without, as the first model was trained to see them.
    config = tiny_config(tmp_path, image_size=20, run_dir=str(tmp_path / "other"))
    other = write_run(config, tiny_model().generators)
    for first, second, side in ((run_dir, other, 32), (other, run_dir, 20)):
        models = [str(first), str(second)]
        where = {"dataset": photos, "data_dir": str(tmp_path / "tfrecords")}
        text = scoring.evaluate(EvaluateConfig(models, **where))
        assert f"stretched to {side}x{side}\n" in text


def test_model_that_cannot_be_scored_on_the_images_is_named(
    run_dir, no_weights, tmp_path
):
    config = tiny_config(tmp_path, run_dir=str(tmp_path / "grey"))
    domains = Domains(Domain(1), Domain())
    models = {"a_to_b": generators.new_generator(config, domains, "a_to_b")}
    grey = write_run(config, models, domains, step=None)
    problem = f"{grey} is a model of uint8 with 1 channel.* on uint8 with 3"
    with pytest.raises(InputError, match=problem):
        scoring.evaluate(EvaluateConfig([str(run_dir), str(grey)]))
    config = EvaluateConfig([str(run_dir)])
    evaluator = scoring._evaluator_of(RunDir.open(run_dir), config)
    fixed = {"a_to_b": Translator(Domain(), Domain(), lambda x: x, size=(16, 16))}
    with pytest.raises(InputError, match="^fixed: the images cannot be translated"):
        comparison.score_alone(evaluator, fixed, "fixed")


def test_models_of_one_direction_each_stand_beside_all_of_nothing(
    make_pairs, no_weights, tmp_path
):
    run_dir = make_pairs(["x.png"], ["y.png"])
    other = shutil.copytree(run_dir, tmp_path / "other")
    for path, only in ((run_dir, "b_to_a"), (other, "a_to_b")):
        models = generators.load_generators(path)
        generators.save_generators(path, {only: models[only]}, {"step": 4})
    text = scoring.evaluate(EvaluateConfig([str(run_dir), str(other)]))
    rows = {line.split()[0]: line.split()[1:] for line in text.splitlines()}
    # Untranslated images, and the one model that has the direction.
    assert len(rows["swd_a_to_b"]) == len(rows["swd_b_to_a"]) == 2
    assert "a_to_b:" in rows and "b_to_a:" in rows


def test_images_of_a_dataset_have_the_range_of_the_run(no_weights, tmp_path):
    for split in ("trainA", "trainB", "testA", "testB"):
        write_images(tmp_path / "photos" / split, 2)
    photos = str(tmp_path / "photos")
    config = tiny_config(tmp_path, dataset=photos, range_a="0,200")
    domains = Domains(Domain(high=200.0), Domain())
    run_dir = write_run(config, tiny_model().generators, domains)
    text = evaluate(run_dir, dataset=photos, protocol=True, data_dir=config.data_dir)
    assert "from uint8 with 3 channels, 0 to 200, to" in text


def test_images_of_a_dataset_have_the_channels_of_the_run(no_weights, tmp_path):
    for split in ("trainA", "trainB", "testA", "testB"):
        write_images(tmp_path / "photos" / split, 2)
    photos = str(tmp_path / "photos")
    config = tiny_config(tmp_path, dataset=photos, channels_a=1)
    domains = Domains(Domain(1), Domain())
    models = {"a_to_b": generators.new_generator(config, domains, "a_to_b")}
    run_dir = write_run(config, models, domains)
    text = evaluate(run_dir, dataset=photos, protocol=True, data_dir=config.data_dir)
    assert "from uint8 with 1 channel, 0 to 255, to uint8 with 3" in text
    assert "testA: 1 of 2 images are in trainA, too" in text


def test_memory_that_does_not_suffice_is_named(make_pairs, no_weights, tmp_path):
    run_dir = make_pairs(["x.png"], ["y.png"])
    where = {
        "dataset": str(tmp_path / "photos"),
        "data_dir": str(tmp_path / "tfrecords"),
    }
    with pytest.raises(InputError, match="out of memory .*and --image-size, or free"):
        evaluate(run_dir, image_size=10**6, **where)  # of which one takes 12 TB


@pytest.mark.parametrize(
    "names_b, beside",
    [(["1_B.png", "3_B.png"], "testB/3_B.png"), (["1_B.png"], "no image")],
)
def test_images_that_are_no_pairs_are_refused(make_pairs, no_weights, names_b, beside):
    run_dir = make_pairs(["1_A.png", "2_A.png"], names_b)
    problem = f"--paired: 'testA/2_A.png' of testA stands beside '{beside}'"
    with pytest.raises(InputError, match=problem):
        evaluate(run_dir, paired=True)


def test_names_that_tfds_makes_up_are_no_pairs():
    name = "cycle_gan-test{}.tfrecord-00000-of-00001__7"
    scenes = {scoring._scene(name.format(domain), domain) for domain in "AB"}
    assert len(scenes) == 2


# The command.


@pytest.mark.slow
def test_command_scores_with_weights_from_a_file(run_dir, inception_weights, capsys):
    done = run_here(
        *(capsys, "evaluate", run_dir, "--split", "train", "--limit", 3),
        *("--inception-weights", inception_weights, "--protocol"),
    )
    assert done.returncode == 0, done.stderr
    rows = {line.split()[0]: line.split() for line in done.stdout.splitlines()}
    assert len(rows["kid"]) == len(rows["fid"]) == 5
    assert "added to" in done.stdout
    protocol = read_evaluations(run_dir)[-1]["scores"][0]["protocol"]
    assert len(protocol["kid_and_fid"]["sha256"]) == 64
    for name, text in protocol["kid_and_fid"].items():
        assert f"  kid_and_fid {name}: {text}\n" in done.stdout


def test_wrong_input_ends_in_one_line_and_adds_nothing(run_dir, tmp_path, capsys):
    (tmp_path / "weights.h5").write_text("nothing")
    before = (run_dir / "scores.json").read_bytes()
    for options, fragments in (
        (["--checkpoint", "7"], ["--checkpoint 7", "last, best, 12, 8, 4"]),
        (["--run-dir", run_dir, tmp_path], [f"{tmp_path} is no model"]),
        (["--inception-weights", tmp_path / "weights.h5"], ["cannot be used"]),
        (["--split", "train", "--paired"], ["--paired", "brown-00000.png"]),
    ):
        done = run_here(capsys, "evaluate", "--run-dir", run_dir, *options)
        assert_one_line_error(done, *fragments)
    assert (run_dir / "scores.json").read_bytes() == before

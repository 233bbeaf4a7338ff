import keras
import numpy as np
import pytest
import tensorflow as tf

from cyclegan_tf.config.sizes import Frame
from cyclegan_tf.data import pipeline
from cyclegan_tf.data.dataset import Dataset
from cyclegan_tf.evaluation import evaluator as evaluation
from cyclegan_tf.evaluation import scores
from cyclegan_tf.evaluation.evaluator import Evaluator
from cyclegan_tf.evaluation.features import NUM_FEATURES, FeatureNetwork
from cyclegan_tf.metrics import wasserstein
from cyclegan_tf.metrics.feature_distances import fid, kid
from cyclegan_tf.metrics.similarity import MAX_PSNR
from tests.helpers import ROOT, tiny_model

FRAME = Frame(32, 32)


@pytest.fixture(scope="module")
def dataset(tiny_data_dir):
    return Dataset.open(tiny_data_dir / "synthetic" / "horse2zebra")


@pytest.fixture(scope="module")
def splits(dataset):
    """Training images, 12 of each domain."""
    return [dataset.split(name) for name in ("trainA", "trainB")]


@pytest.fixture(scope="module")
def pair(dataset):
    """The test set: one image in both coats, with its mask."""
    return [dataset.split(name) for name in ("testA", "testB")]


@pytest.fixture(scope="module")
def pixels(splits):
    return [np.float64(pipeline.load_images(split, FRAME)) for split in splits]


def pooled_colours(images):
    """Stands for a network: mean colours of 4 x 4 fields."""
    pooled = tf.image.resize(images, (4, 4), "area") / 64
    flat = tf.reshape(pooled, (len(images), 48))
    return tf.pad(flat, [[0, 0], [0, NUM_FEATURES - 48]])


COLOURS = FeatureNetwork(pooled_colours, {"sha256": "beef"})


def unchanged(images, training):
    return images


def inverted(images, training):
    return -images


def brighter(images, training):
    return images + 20 / 127.5


def test_generators_that_do_nothing_score_like_nothing(splits):
    evaluator = Evaluator(*splits, FRAME, features=COLOURS)
    results = evaluator.evaluate({"a_to_b": unchanged, "b_to_a": unchanged})
    for result in results:
        for name, value in result.nothing.items():
            assert result.scores[name] == value
        assert result.scores["cycle_mae"] == result.scores["identity_mae"] == 0
        assert result.scores["cycle_ssim"] == pytest.approx(1)
    assert list(results[0].scores) == evaluator.names


def test_errors_equal_longhand_in_each_direction(splits, pixels):
    evaluator = Evaluator(*splits, FRAME)
    there, back = evaluator.evaluate({"a_to_b": inverted, "b_to_a": brighter})
    images_a, images_b = pixels
    # a_to_b: identity is of images of B; the round trip inverts, then brightens.
    expected = np.abs(255 - 2 * images_b).mean()
    assert there.scores["identity_mae"] == pytest.approx(expected)
    cycled = np.minimum(255 - images_a + 20, 255)
    assert there.scores["cycle_mae"] == pytest.approx(np.abs(cycled - images_a).mean())
    bright = np.minimum(images_a + 20, 255)
    assert back.scores["identity_mae"] == pytest.approx((bright - images_a).mean())
    cycled = 255 - np.minimum(images_b + 20, 255)
    assert back.scores["cycle_mae"] == pytest.approx(np.abs(cycled - images_b).mean())


def test_score_is_added_by_its_row(splits, pixels, monkeypatch):
    def largest(first, second):
        return np.abs(np.float64(first) - second).max(axis=(1, 2, 3))

    row = scores.Score("identity_largest", "identity", largest, "largest error")
    rows = (*scores.SCORES, row)
    for module in (scores, evaluation):
        monkeypatch.setattr(module, "SCORES", rows)
    (result,) = Evaluator(*splits, FRAME).evaluate({"a_to_b": inverted})
    expected = np.abs(255 - 2 * pixels[1]).max(axis=(1, 2, 3)).mean()
    assert result.scores["identity_largest"] == pytest.approx(expected)
    assert list(result.scores)[-1] == "identity_largest"


def test_every_score_is_explained_in_the_documents():
    text = (ROOT / "docs" / "evaluation.md").read_text()
    for score in scores.SCORES:
        name = score.of if score.of in scores.PAIRS else score.name
        assert f"**{name}**" in text or f"`{name}`" in text, name


def test_distances_are_those_of_the_fakes_to_the_targets(splits, pixels):
    evaluator = Evaluator(*splits, FRAME, features=COLOURS)
    there, back = evaluator.evaluate({"a_to_b": inverted, "b_to_a": unchanged})
    fakes, reals = 255 - pixels[0], pixels[1]
    levels = wasserstein.pyramid_distance(
        *(wasserstein.pyramid_patches(images, 128) for images in (fakes, reals))
    )
    assert there.scores["swd"] == pytest.approx(np.mean(levels))
    features = [COLOURS(np.uint8(images)) for images in (fakes, reals)]
    assert there.scores["kid"] == pytest.approx(kid(*features).value)
    assert there.scores["fid"] == pytest.approx(fid(*features))
    assert there.scores["swd"] > back.scores["swd"]
    assert there.scores["fid"] > back.scores["fid"]


def test_paired_images_are_scored_against_the_truth(pair):
    reals, truths = (np.float64(pipeline.load_images(split, FRAME)) for split in pair)
    evaluator = Evaluator(*pair, FRAME, is_paired=True)
    result, _ = evaluator.evaluate({"a_to_b": brighter, "b_to_a": unchanged})
    fakes = np.minimum(reals + 20, 255)
    error = np.abs(fakes - truths).mean()
    assert result.scores["truth_mae"] == pytest.approx(error)
    squares = ((fakes - truths) ** 2).mean()
    assert result.scores["truth_psnr"] == pytest.approx(10 * np.log10(255**2 / squares))
    assert result.nothing["truth_mae"] == pytest.approx(np.abs(reals - truths).mean())
    # It brightens the background, which nothing does not.
    assert 15 < result.scores["background_error"] <= 20
    assert result.nothing["background_error"] == 0
    assert result.nothing["coat_distance"] > 20
    assert list(result.scores) == evaluator.names


def test_truth_itself_has_the_best_scores(pair):
    truths = pipeline.load_images(pair[1], FRAME)
    evaluator = Evaluator(*pair, FRAME, is_paired=True)
    (result,) = evaluator.evaluate(
        {"a_to_b": lambda images, training: truths / np.float32(127.5) - 1}
    )
    found = result.scores
    assert found["swd"] == found["truth_mae"] == found["coat_distance"] == 0
    assert found["truth_psnr"] == MAX_PSNR
    assert "cycle_mae" not in found  # there is no way back


def test_evaluation_twice_gives_the_same_numbers_and_changes_nothing(splits):
    model = tiny_model()
    before = [variable.numpy() for variable in model.variables]
    keras.utils.set_random_seed(3)
    expected_next = tf.random.uniform((3,)).numpy()
    keras.utils.set_random_seed(3)
    evaluator = Evaluator(*splits, FRAME, features=COLOURS)
    first = evaluator.evaluate(model.generators)
    assert evaluator.evaluate(model.generators) == first
    assert (
        Evaluator(*splits, FRAME, features=COLOURS).evaluate(model.generators) == first
    )
    # Nor did it draw from the common random numbers.
    np.testing.assert_array_equal(tf.random.uniform((3,)), expected_next)
    for variable, value in zip(model.variables, before, strict=True):
        np.testing.assert_array_equal(variable, value)


def test_size_of_the_batches_does_not_matter(splits, monkeypatch):
    generators = {"a_to_b": inverted, "b_to_a": brighter}
    whole = Evaluator(*splits, FRAME).evaluate(generators)
    monkeypatch.setattr(evaluation, "BATCH_PIXELS", 5 * 32 * 32)
    assert Evaluator(*splits, FRAME).evaluate(generators) == whole


def test_first_images_of_a_split_are_scored(splits, pixels):
    evaluator = Evaluator(*(split.first(4) for split in splits), FRAME)
    (result,) = evaluator.evaluate({"a_to_b": inverted})
    expected = np.abs(255 - 2 * pixels[1][:4]).mean()
    assert result.scores["identity_mae"] == pytest.approx(expected)


@pytest.mark.parametrize("counts, has", [((3, 12), False), ((4, 4), True)])
def test_kid_of_a_few_images_has_no_interval(splits, counts, has):
    some = [split.first(n) for split, n in zip(splits, counts, strict=True)]
    evaluator = Evaluator(*some, FRAME, features=COLOURS)
    (result,) = evaluator.evaluate({"a_to_b": inverted})
    assert "kid" in result.scores and "fid" in result.scores
    for found in (result.scores, result.nothing, evaluator.names):
        assert ("kid_low" in found) == ("kid_high" in found) == has


def test_protocol_says_what_was_compared(splits):
    fours, fives = ([split.first(n) for split in splits] for n in (4, 5))
    evaluator = Evaluator(*fours, FRAME, features=COLOURS)
    protocol = evaluator.protocol("b_to_a")
    assert protocol["fakes_from"] == "4 images of trainB"
    assert protocol["compared_with"] == "4 images of trainA"
    assert "32x32" in protocol["resize"]
    assert protocol["kid_and_fid"]["sha256"] == "beef"
    assert protocol != Evaluator(*fives, FRAME, features=COLOURS).protocol("b_to_a")

"""Scores, samples and reports of images that are not squares of 8-bit RGB."""

import types

import numpy as np
import pytest
import tensorflow as tf
import tifffile

from cyclegan_tf.common.errors import InputError
from cyclegan_tf.config import EvaluateConfig, TrainConfig
from cyclegan_tf.config.sizes import Frame
from cyclegan_tf.data import convert, pipeline
from cyclegan_tf.data.dataset import Dataset
from cyclegan_tf.data.domain import Domain, Domains
from cyclegan_tf.data.ranges import to_shown
from cyclegan_tf.data.writing import write
from cyclegan_tf.evaluation import pictures, report, scoring
from cyclegan_tf.evaluation.evaluator import Evaluator
from cyclegan_tf.evaluation.features import FeatureNetwork
from cyclegan_tf.model.networks import build_discriminator, build_generator
from cyclegan_tf.training import doctor
from cyclegan_tf.training.reports import checkup
from cyclegan_tf.training.reports.event_log import EventLog
from cyclegan_tf.training.reports.record import Record
from cyclegan_tf.training.reports.samples import Samples
from tests.helpers import random_pixels, tiny_config, write_run

RNG = np.random.default_rng(0)
WIDE = Frame(32, 48)
GREY16 = Domain(1, "uint16", 0, 65535)


def unchanged(images, training):
    return images


def repeated(images, training):
    return tf.repeat(images, 3, axis=-1)


def averaged(images, training):
    return tf.reduce_mean(images, axis=-1, keepdims=True)


def photos(first_seed, count=4, height=32, width=48):
    seeds = range(first_seed, first_seed + count)
    return np.stack([random_pixels(height, width, seed) for seed in seeds])


@pytest.fixture
def open_splits(tmp_path):
    """Converts images of A and B to a dataset; returns its test images, and options."""

    def make(images_a, images_b, suffix=".tif", domains=(None, None)):
        for split, images in (("A", images_a), ("B", images_b)):
            for part in ("train", "test"):
                folder = tmp_path / "images" / f"{part}{split}"
                folder.mkdir(parents=True)
                for i, image in enumerate(images):
                    write(folder / f"{i}{suffix}", image)
        config = tiny_config(tmp_path, dataset=str(tmp_path / "images"))
        dataset = Dataset.open(convert.ensure_dataset(config))
        pairs = zip(("testA", "testB"), domains, strict=True)
        return [dataset.split(*pair) for pair in pairs], config

    return make


def test_same_pictures_in_16_bits_have_the_same_scores(open_splits, tmp_path):
    images = photos(0), photos(10)
    domain = Domain(3, "uint16", 0, 65535)
    deep = (np.uint16(x) * 257 for x in images)
    splits, _ = open_splits(*deep, domains=(domain, domain))
    there, back = Evaluator(*splits, WIDE, is_paired=True).evaluate(
        {"a_to_b": unchanged, "b_to_a": unchanged}
    )
    assert "0 to 65535" in there.protocol["grey_levels"]
    assert there.protocol["resize"].endswith("stretched to 32x48")
    error = np.abs(np.float64(images[0]) - images[1]).mean()
    assert there.scores["truth_mae"] == pytest.approx(error, rel=1e-4)
    assert back.scores["truth_mae"] == there.nothing["truth_mae"]
    assert there.scores["cycle_mae"] == there.scores["identity_mae"] == 0


def test_grey_16_bits_and_rgb_8_bits_are_compared_as_the_target_is(open_splits):
    deep = np.uint16(RNG.integers(0, 1000, (4, 32, 48, 1)))
    grey = Domain(1, "uint16", 0, 500)  # the upper half is clipped
    rgb = photos(0)
    splits, _ = open_splits(deep, rgb, ".png", (grey, Domain()))
    evaluator = Evaluator(*splits, WIDE, is_paired=True)
    batches = {}
    there, back = evaluator.evaluate(
        {"a_to_b": repeated, "b_to_a": averaged},
        lambda direction, batch: batches.setdefault(direction, batch),
    )
    levels = np.clip(deep / 500, 0, 1) * 255
    fakes = np.round(levels)  # as the product would write them
    error = np.abs(fakes - np.float64(rgb)).mean()
    assert there.scores["truth_mae"] == pytest.approx(error, rel=1e-5)
    # RGB from grey and back is the same but for the 8 bits between.
    assert 0 < there.scores["cycle_mae"] < 0.5
    fakes = np.round(rgb.mean(axis=-1, keepdims=True) / 255 * 500) / 500 * 255
    error = np.abs(fakes - levels).mean()
    assert back.scores["truth_mae"] == pytest.approx(error, rel=1e-5)
    # Doing nothing is to repeat the grey image, or to take the luminance.
    repeats = np.abs(levels - np.float64(rgb)).mean()
    assert there.nothing["truth_mae"] == pytest.approx(repeats, rel=1e-5)
    luminance = np.round(rgb @ [0.299, 0.587, 0.114])[..., None]
    error = np.abs(luminance - levels).mean()
    assert back.nothing["truth_mae"] == pytest.approx(error, rel=1e-2)
    assert batches["a_to_b"].fake.dtype == np.uint8
    assert batches["a_to_b"].fake.shape == (4, 32, 48, 3)
    # No generator can take images of its own target.
    assert not any("identity" in name for name in (*there.scores, *back.scores))
    assert list(there.scores) == evaluator.names


def test_channels_with_ranges_of_their_own_have_no_luminance(open_splits):
    grey = photos(10)[..., :1]
    ranged = Domain(3, "uint8", (0.0,) * 3, (200.0,) * 3)
    splits, _ = open_splits(photos(0), grey, ".png", (ranged, Domain(1)))
    there, back = Evaluator(*splits, WIDE, is_paired=True).evaluate(
        {"a_to_b": averaged, "b_to_a": repeated}
    )
    # Of the one there is no doing nothing; grey levels repeat as ever.
    assert there.nothing == {} and "truth_mae" in there.scores
    levels = np.minimum(np.float64(photos(0)) / 200, 1) * 255
    error = np.abs(grey - levels).mean()
    assert back.nothing["truth_mae"] == pytest.approx(error, rel=1e-5)


def test_bands_of_floats_have_scores_and_no_kid(open_splits, capsys):
    bands = RNG.normal(0, 3, (4, 32, 48, 5)).astype(np.float32)
    splits, _ = open_splits(bands, bands[::-1] + 1)
    domains = Domains(*(split.domain for split in splits))
    assert domains.b.low == pytest.approx(bands.min() + 1)
    (result,) = Evaluator(*splits, WIDE, True).evaluate({"a_to_b": unchanged})
    a, b = ((x - x.min()) / (x.max() - x.min()) * 255 for x in (bands, bands[::-1] + 1))
    # Both ranges are mapped to the same grey levels.
    assert result.scores["truth_mae"] == pytest.approx(np.abs(a - b).mean(), rel=1e-4)
    assert result.nothing["swd"] == pytest.approx(result.scores["swd"], rel=1e-3)
    # An evaluation has no --best-by.
    assert scoring._network_if_possible(None, domains) is None
    assert "domain A have 5; the other scores follow.\n" in capsys.readouterr().err
    with pytest.raises(InputError, match="5; leave out --inception-weights"):
        scoring._network_if_possible("inception.h5", domains)


def test_pixels_without_a_true_value_are_not_held_against_the_fakes(tmp_path):
    rng, holes = np.random.default_rng(0), {"A": np.s_[:, :8], "B": np.s_[:16]}
    has_both = np.ones((32, 48), bool)
    for hole in holes.values():
        has_both[hole] = False
    for i in range(3):
        scene = rng.integers(50, 200, (32, 48), np.uint8)
        for name, hole in holes.items():
            pixels = scene.copy()
            pixels[hole] = 0
            for part in ("train", "test"):
                path = tmp_path / "scenes" / f"{part}{name}" / f"{i}.tif"
                path.parent.mkdir(parents=True, exist_ok=True)
                tifffile.imwrite(path, pixels, extratags=[(42113, 2, 0, "0", True)])
    config = tiny_config(tmp_path, dataset=str(tmp_path / "scenes"))
    dataset = Dataset.open(convert.ensure_dataset(config))
    splits = [dataset.split(name) for name in ("testA", "testB")]
    there, back = Evaluator(*splits, WIDE, is_paired=True).evaluate(
        {"a_to_b": unchanged, "b_to_a": lambda x, training: x + 20 / 127.5}
    )
    for scores in (there.scores, there.nothing, back.nothing):
        found = [scores[f"truth_{name}"] for name in ("mae", "ssim", "psnr")]
        assert found == [0, pytest.approx(1), 100]
    assert back.scores["truth_mae"] == pytest.approx(20 * has_both.mean())


def test_other_numbers_of_bands_have_no_scores_of_doing_nothing(open_splits):
    bands = RNG.uniform(0, 1, (4, 32, 48, 2)).astype(np.float32)
    splits, _ = open_splits(bands, photos(0))
    (result,) = Evaluator(*splits, WIDE, True).evaluate(
        {"a_to_b": lambda x, training: tf.concat([x, x[..., :1]], axis=-1)}
    )
    assert result.nothing == {} and "truth_psnr" in result.scores


def test_kid_of_grey_images_is_that_of_the_same_in_rgb():
    def network(images):
        assert images.shape[1:] == (299, 299, 3)
        return tf.reduce_mean(images, [1, 2])[:, :1] * tf.ones([1, 2048])

    features = FeatureNetwork(network, {})
    grey = photos(0)[..., :1]
    repeats = np.repeat(grey, 3, axis=-1)
    np.testing.assert_array_equal(features(grey), features(repeats))
    np.testing.assert_array_equal(features(np.float32(grey)), features(repeats))


# Shape.


def disc(height, width):
    y, x = np.mgrid[:height, :width]
    centred = (y - height / 2 + 0.5) ** 2 + (x - width / 2 + 0.5) ** 2 < 12**2
    return np.uint8(255 * centred)[..., None]


def assert_round(image):
    """A white disc on black is as wide as it is high."""
    rows, columns = (np.ptp(np.flatnonzero((image > 127).any(x))) for x in (1, 0))
    assert abs(rows - columns) <= 1 and rows > 12


@pytest.mark.parametrize(
    "frame",
    [Frame(32, 64), Frame(32, 32, "fit"), Frame(28, 40, "fit"), Frame(32, 48, "none")],
)
def test_circles_stay_circles_in_scores_and_samples(open_splits, tmp_path, frame):
    images = np.stack([disc(40, 80)] * 2)
    splits, _ = open_splits(images, images, ".png")

    def look(direction, batch):
        for image in (*batch.real, *batch.fake, *batch.cycled):
            assert image.shape == (*frame[:2], 1)
            assert_round(image[..., 0])

    both = {"a_to_b": unchanged, "b_to_a": unchanged}
    Evaluator(*splits, frame).evaluate(both, look)
    domains = Domains(*(split.domain for split in splits))
    loaded = [pipeline.load_images(split, frame) for split in splits]
    draw(tmp_path, loaded, domains, both)
    sheet = pictures.read_png(tmp_path / "samples" / "epoch-0001-a.png")
    sheet = sheet[pictures.STRIP_HEIGHT :]
    scale = sheet.shape[1] // (4 * frame.width)
    first = sheet[: scale * frame.height : scale, ::scale]
    for cell in np.split(first, 4, axis=1):
        assert_round(cell[..., 0])


def draw(run_dir, images, domains, models):
    """Draws the samples of a run's only epoch, in its directory."""
    (run_dir / "samples").mkdir()
    run = types.SimpleNamespace(
        path=run_dir,
        domains=domains,
        config=types.SimpleNamespace(sample_every=1, epochs=1),
        model=types.SimpleNamespace(trained_generators=models),
    )
    log = EventLog(run_dir / "tensorboard")
    Samples(run, list(images), log).draw(0, 1)
    log.close()


# What is shown.


def test_samples_of_other_channels_have_three_columns(tmp_path):
    deep = np.uint16(RNG.integers(0, 4096, (2, 32, 48, 1)))
    rgb, domains = photos(0, 2), Domains(Domain(1, "uint16", 0, 4095), Domain())
    models = {"a_to_b": repeated, "b_to_a": averaged}
    draw(tmp_path, (deep, rgb), domains, models)
    for name, shown in (("a", to_shown(deep, domains.a)), ("b", rgb)):
        path = tmp_path / f"samples/epoch-0001-{name}.png"
        sheet = pictures.read_png(path)[pictures.STRIP_HEIGHT :: 2, ::2]
        np.testing.assert_array_equal(sheet[:, :48].reshape(shown.shape), shown)
    assert sheet.shape == (2 * 32, 3 * 48, 3)
    np.testing.assert_allclose(sheet[:32, 48:96, 0], rgb[0].mean(-1), atol=1)


def test_doctor_looks_at_what_is_shown(tmp_path, monkeypatch):
    seen = []
    keep = lambda *images: seen.append(images)  # noqa: E731
    monkeypatch.setattr(doctor, "checkerboard_levels", keep)
    images = (
        np.uint16(RNG.integers(0, 4096, (2, 16, 24, 1))),
        np.float32(RNG.normal(size=(2, 16, 24, 5))),
    )
    domains = Domains(Domain(1, "uint16", 0, 4095), Domain(5, "float32", -4, 4))
    log = EventLog(tmp_path)
    model = types.SimpleNamespace(
        trained_generators={
            "a_to_b": build_generator(2, 1, 1, out_channels=5),
            "b_to_a": build_generator(2, 1, 5, out_channels=1),
        },
        disc_a=build_discriminator(filters=2, channels=1),
        disc_b=build_discriminator(filters=2, channels=5),
    )
    losses = {"D_A": 0.2, "D_B": 0.2, "G_A": 0.3, "G_B": 0.3}
    record = Record(checkup.CHECK_EVERY, losses, 1e-3, 1.0, 0.0, {}, [])
    run = types.SimpleNamespace(
        config=TrainConfig(), domains=domains, model=model, num_steps=1000
    )
    checkup.Checkup(run, list(images), log).examine(record)
    log.close()
    shown = [to_shown(*pair) for pair in zip(images, domains, strict=True)]
    for (fakes, real), expected in zip(seen, shown[::-1], strict=True):
        assert fakes.shape == (2, 16, 24, 3) and fakes.dtype == np.uint8
        np.testing.assert_array_equal(real, expected)


def test_report_shows_bands_and_says_which(open_splits, tmp_path, no_weights, capsys):
    deep = np.uint16(RNG.integers(0, 4096, (4, 32, 48, 5)))
    splits, config = open_splits(deep, photos(0))
    domains = Domains(*(split.domain for split in splits))
    models = {
        "a_to_b": build_generator(2, 1, 5, out_channels=3),
        "b_to_a": build_generator(2, 1, 3, out_channels=5),
    }
    sizes = {"image_size": "32x48", "load_size": None}
    options = tiny_config(tmp_path, dataset=config.dataset, **sizes)
    run_dir = write_run(options, models, domains)
    draw(run_dir, (deep, photos(0)), domains, models)
    report.write(EvaluateConfig([str(run_dir)], report=True, paired=True))
    text, said = capsys.readouterr()
    assert "identity" not in text and "truth_mae" in text
    assert "without KID and FID: KID and FID are for images of 1 or 3 channels" in said
    page = (run_dir / "report.html").read_text()
    assert (
        "A: uint16 with 5 channels, 0 to 4095 (pictures show the first three)" in page
    )
    assert page.count('alt="samples of') == 2

import dataclasses

import numpy as np
from PIL import Image

from cyclegan_tf.data.domain import Domain, Domains
from cyclegan_tf.demo import answers
from cyclegan_tf.evaluation.pictures import sample_grid, save_png
from cyclegan_tf.inference.translator import Translator
from cyclegan_tf.runs import directory as run_directory
from tests.helpers import random_pixels, tiny_config

DEEP = Domain(1, "uint16", 0.0, 1023.0)
BANDS = Domain(5, "float32", -1.0, 1.0)


def to_bands(images):
    return np.repeat(np.float32(images) / 511.5 - 1, 5, axis=-1)


def to_deep(images):
    return np.uint16(np.round((images[..., :1] + 1) * 511.5))


TRANSLATORS = {
    "a_to_b": Translator(DEEP, BANDS, to_bands),
    "b_to_a": Translator(BANDS, DEEP, to_deep),
}


def test_other_forms_are_shown_in_8_bits_and_kept_whole(tmp_path):
    pixels = np.uint16(random_pixels(20, 30)[..., :1]) * 4
    there = answers.answer(pixels, "a_to_b", TRANSLATORS, tmp_path, "scan.tif")
    assert there.file.name == "scan-a_to_b.tif"
    expected = np.repeat(np.round(pixels * (255 / 1023)), 3, axis=-1)
    for shown in (there.before, there.after, there.cycled):
        assert shown.dtype == np.uint8 and np.abs(shown - expected).max() <= 1
    back = answers.answer(
        to_bands(pixels), "b_to_a", {"b_to_a": TRANSLATORS["b_to_a"]}, tmp_path, "x"
    )
    assert back.cycled is None
    assert np.array_equal(np.asarray(Image.open(back.file)), pixels[..., 0])


def test_range_of_an_export_is_that_of_the_picture(tmp_path):
    domain = dataclasses.replace(DEEP, high=255.0)
    same = {"a_to_b": Translator(domain, domain, lambda images: images)}
    pixels = np.linspace(1000, 2000, 400).astype(np.uint16).reshape(20, 20, 1)
    shown = answers.answer(pixels, "a_to_b", same, tmp_path, "x").after
    assert (shown.min(), shown.max()) == (0, 255)


def test_examples_are_the_real_ones_of_the_newest_samples(tmp_path):
    reals = np.stack([random_pixels(32, 32, seed) for seed in range(4)])
    grid = sample_grid({name: reals for name in ("real A", "fake B", "cycled A")})
    domains = Domains(DEEP, BANDS)
    recorded = run_directory.Recorded(tiny_config(tmp_path), "f", domains)
    run_directory.write_config(tmp_path, recorded)
    (tmp_path / "samples").mkdir()
    save_png(tmp_path / "samples" / "epoch-0001-a.png", 255 - grid)
    save_png(tmp_path / "samples" / "epoch-0002-a.png", grid)
    found = answers.examples(tmp_path, ["a_to_b", "b_to_a"])
    assert [example.direction for example in found] == ["a_to_b"] * 3
    assert np.array_equal(found[2].shown, reals[2])
    assert found[2].pixels.dtype == np.uint16
    expected = np.round(reals[2][..., :1] * (1023 / 255))
    assert np.array_equal(found[2].pixels, expected)
    (tmp_path / "samples" / "epoch-0002-a.png").write_bytes(b"damaged")
    assert answers.examples(tmp_path, ["a_to_b"]) == []

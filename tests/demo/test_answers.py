import dataclasses
import shutil

import numpy as np
from PIL import Image

from cyclegan_tf.data.convert import ensure_dataset
from cyclegan_tf.data.dataset import Dataset
from cyclegan_tf.data.domain import Domain, Domains
from cyclegan_tf.data.images import read, read_file
from cyclegan_tf.data.picture import Picture
from cyclegan_tf.data.ranges import to_shown
from cyclegan_tf.demo import answers
from cyclegan_tf.inference.translator import Translator
from cyclegan_tf.runs import directory as run_directory
from tests.helpers import random_pixels, tiny_config

RNG = np.random.default_rng(0)
DEEP = Domain(1, "uint16", 0.0, 1023.0)
BANDS = Domain(5, "float32", -1.0, 1.0)
SAME = Translator(Domain(), Domain(), lambda images: images)


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
    picture = Picture(pixels)
    there = answers.answer(picture, "a_to_b", TRANSLATORS, tmp_path, "scan.tif")
    assert there.file.name == "scan-a_to_b.tif"
    expected = np.repeat(np.round(pixels * (255 / 1023)), 3, axis=-1)
    for shown in (there.before, there.after, there.cycled):
        assert shown.dtype == np.uint8 and np.abs(shown - expected).max() <= 1
    bands, one_way = Picture(to_bands(pixels)), {"b_to_a": TRANSLATORS["b_to_a"]}
    back = answers.answer(bands, "b_to_a", one_way, tmp_path, "x.png")
    assert back.cycled is None
    assert np.array_equal(np.asarray(Image.open(back.file)), pixels[..., 0])


def test_file_keeps_its_name_and_what_describes_it(tmp_path):
    pixels, same = random_pixels(20, 30), {"a_to_b": SAME}
    (tmp_path / "out").mkdir()
    Image.fromarray(pixels).save(tmp_path / "x.tif", dpi=(72, 36))
    picture = read(read_file(tmp_path / "x.tif"), Domain())
    for name, expected in (
        ("my.photo.v2.png", "my.photo.v2-a_to_b.png"),
        ("my.map.tif", "my.map-a_to_b.tif"),
    ):
        file = answers.answer(picture, "a_to_b", same, tmp_path / "out", name).file
        assert file == tmp_path / "out" / expected
        with Image.open(file) as image:
            assert [round(float(x)) for x in image.info["dpi"]] == [72, 36]
            assert np.array_equal(np.asarray(image), pixels)


def test_range_of_an_export_is_that_of_the_picture(tmp_path):
    domain = dataclasses.replace(DEEP, high=255.0)
    same = {"a_to_b": Translator(domain, domain, lambda images: images)}
    pixels = np.linspace(1000, 2000, 400).astype(np.uint16).reshape(20, 20, 1)
    shown = answers.answer(Picture(pixels), "a_to_b", same, tmp_path, "x.png").after
    assert (shown.min(), shown.max()) == (0, 255)


def test_examples_are_whole_test_images_as_long_as_these_are_there(tmp_path):
    reals = RNG.integers(0, 1023, (4, 32, 32), np.uint16)
    for split in ("trainA", "trainB", "testA", "testB"):
        folder = tmp_path / "scans" / split
        folder.mkdir(parents=True)
        for i, real in enumerate(reals):
            Image.fromarray(real).save(folder / f"{i}.png")
    config = tiny_config(tmp_path, dataset=str(tmp_path / "scans"))
    dataset = Dataset.open(ensure_dataset(config))
    recorded = run_directory.Recorded(config, dataset.fingerprint, Domains(DEEP, DEEP))
    run_directory.write_config(tmp_path, recorded)
    found = answers.examples(tmp_path, ["a_to_b", "b_to_a"])
    assert [x.direction for x in found] == ["a_to_b"] * 3 + ["b_to_a"] * 3
    assert found[2].pixels.dtype == np.uint16
    assert np.array_equal(found[2].pixels[..., 0], reals[2])
    assert np.array_equal(found[2].shown, to_shown(found[2].pixels, DEEP))
    shutil.rmtree(dataset.directory)
    assert answers.examples(tmp_path, ["a_to_b"]) == []
    assert answers.examples(tmp_path / "export", ["a_to_b"]) == []

import functools
import hashlib

import numpy as np
import pytest

from cyclegan_tf.config import DatasetConfig
from cyclegan_tf.data import phantoms
from cyclegan_tf.data.convert import ensure_dataset
from cyclegan_tf.data.dataset import read_manifest
from cyclegan_tf.data.sources import find_source

# Of the values of one picture, little-endian: it changes with `phantoms.VERSION` only.
PINNED = "68ffc6e697a3569f1d1c3df5fde03acabb48b5e5aeb86e309596e5def693ac35"


@pytest.mark.parametrize("size", [32, 50, 128])
def test_pictures_have_the_size_and_the_depth_that_are_promised(size):
    picture = phantoms.draw((0, 1), "t1", size)
    assert picture.shape == (size, size, 1) and picture.dtype == np.uint16
    assert 1023 < picture.max() <= phantoms.MAX_VALUE


def test_picture_is_a_function_of_its_seed():
    first, again = (phantoms.draw((3, 4), "t2", 64) for _ in range(2))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, phantoms.draw((3, 5), "t2", 64))
    digest = hashlib.sha256(first.astype("<u2").tobytes()).hexdigest()
    assert digest == PINNED


def test_contrasts_order_tissues_as_scanners_do():
    def order(contrast, *tissues):
        return sorted(tissues, key=lambda x: -phantoms.signal(x, contrast))

    fat, fluid = phantoms.FAT, phantoms.FLUID
    white, grey = phantoms.WHITE, phantoms.GREY
    assert order("t1", fluid, grey, white, fat) == [fat, white, grey, fluid]
    assert order("t2", white, grey, fluid) == [fluid, grey, white]
    for contrast in phantoms.CONTRASTS:
        assert phantoms.signal(phantoms.BONE, contrast) < 200


@functools.cache
def heads(contrast, number=8):
    return np.stack([phantoms.draw((0, i), contrast, 64) for i in range(number)])


def test_both_contrasts_show_the_same_head():
    t1, t2 = (heads(contrast) > 250 for contrast in phantoms.CONTRASTS)
    for axis in (1, 2):
        # Skin is bright in both: the same rows and columns, but for half-filled pixels.
        differing = t1.any(axis=axis) != t2.any(axis=axis)
        assert differing.sum(axis=1).max() <= 2
    assert 0.25 < t1.mean() < 0.6
    assert t1.any(axis=2).argmax(axis=1).std() > 1  # of poses


@pytest.mark.parametrize("source, target", [("t1", "t2"), ("t2", "t1")])
def test_no_mapping_of_values_translates(source, target):
    given, truth = heads(source).ravel(), heads(target).ravel().astype(float)
    spread = [
        np.abs(values - np.median(values)).sum()
        for level in range(0, phantoms.MAX_VALUE, 64)
        if (values := truth[given // 64 == level // 64]).size
    ]
    # Of the best one there is, fitted to the answers: in grey levels of 255.
    assert sum(spread) / truth.size * 255 / phantoms.MAX_VALUE > 8


def test_test_images_are_pairs_and_training_images_are_not():
    splits = find_source(DatasetConfig(dataset="synthetic/t1_t2")).open()
    drawn = {name: [x.content.args for x in s.jobs] for name, s in splits.items()}
    scenes = {name: {seed for seed, *_ in jobs} for name, jobs in drawn.items()}
    assert scenes["testA"] == scenes["testB"] and len(scenes["testA"]) == 60
    assert not scenes["trainA"] & scenes["trainB"]
    assert not scenes["testA"] & (scenes["trainA"] | scenes["trainB"])
    looks = {name: jobs[0][1] for name, jobs in drawn.items()}
    assert looks == {"trainA": "t1", "trainB": "t2", "testA": "t1", "testB": "t2"}


def test_converted_images_are_grey_with_a_range_of_12_bits(tmp_path):
    config = DatasetConfig(
        dataset="synthetic/t1_t2",
        data_dir=str(tmp_path),
        synthetic_images=2,
        synthetic_size=32,
    )
    form = {"channels": 1, "dtype": "uint16", "low": 0, "high": 4095}
    domains = read_manifest(ensure_dataset(config))["domains"]
    assert domains == {"a": form, "b": form}

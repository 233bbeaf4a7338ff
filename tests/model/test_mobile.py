import keras
import numpy as np
import pytest

from cyclegan_tf.model.mobile import build_mobile_generator
from tests.helpers import random_images


@pytest.mark.parametrize("size", [(8, 8), (16, 12), (64, 20)])
def test_takes_multiples_of_4_and_keeps_the_size(size):
    images = np.zeros((2, *size, 3), np.float32)
    assert build_mobile_generator(4, 1)(images).shape == (2, *size, 3)


def test_channels_of_what_comes_out():
    generator = build_mobile_generator(4, 1, channels=5, out_channels=2)
    assert generator(np.zeros((1, 16, 16, 5), np.float32)).shape == (1, 16, 16, 2)


@pytest.mark.parametrize("out_channels", [3, 1])
def test_image_is_added_where_it_has_as_many_channels(out_channels):
    generator = build_mobile_generator(4, 1, out_channels=out_channels)
    for variable in generator.get_layer("head").weights:
        variable.assign(keras.ops.zeros_like(variable))
    images = random_images(1)
    expected = np.tanh(images) if out_channels == 3 else np.zeros((1, 16, 16, 1))
    np.testing.assert_allclose(generator(images), expected, atol=1e-6)


def test_each_patch_is_drawn_where_it_was_seen():
    """With a stem and a head that copy, a pixel comes out where it went in."""
    generator = build_mobile_generator(16, 0, channels=1, out_channels=3)
    stem, head = generator.get_layer("stem"), generator.get_layer("head")
    kernel = np.zeros(stem.kernel.shape)
    for i in range(16):  # the 4x4 pixels in the middle of what a patch sees
        kernel[2 + i // 4, 2 + i % 4, 0, i] = 1
    stem.kernel.assign(kernel)
    head.kernel.assign(np.repeat(kernel, 3, axis=2))
    images = np.zeros((1, 16, 16, 1), np.float32)
    images[0, 6, 9] = 1
    found = np.asarray(generator(images))[0, ..., 0]
    assert np.unravel_index(found.argmax(), found.shape) == (6, 9)


def test_every_weight_takes_part():
    generator = build_mobile_generator(4, 2)
    images = random_images(1)
    before = np.asarray(generator(images))
    for variable in generator.trainable_variables:
        value = np.asarray(variable)
        variable.assign(value + 0.5 * np.random.default_rng(0).normal(size=value.shape))
        assert not np.allclose(generator(images), before, atol=1e-6), variable.path
        variable.assign(value)

import numpy as np
import tensorflow as tf

from cyclegan_tf.inference import pixels
from tests.helpers import random_pixels


def test_padding_mirrors_without_the_border():
    images = np.arange(2 * 5 * 6 * 3, dtype=np.uint8).reshape(2, 5, 6, 3)
    padded = pixels._mirrored(pixels._mirrored(tf.constant(images), 1), 2)
    expected = np.pad(images, ((0, 0), (0, 3), (0, 2), (0, 0)), mode="reflect")
    np.testing.assert_array_equal(padded, expected)


def test_sides_are_padded_for_the_generator_and_cropped_back():
    shapes = []

    def negative(images, training):
        shapes.append(tuple(images.shape))
        assert not training and images.dtype == tf.float32
        return -images

    images = random_pixels(17, 18)[None]
    np.testing.assert_array_equal(pixels.translate(negative, images), 255 - images)
    assert shapes == [(1, 20, 20, 3)]


def test_many_pictures_go_in_calls_of_a_bounded_size():
    sizes = []

    def same(images, training):
        sizes.append(len(images))
        return images

    images = np.stack([random_pixels(128, 128, seed) for seed in range(9)])
    np.testing.assert_array_equal(pixels.translate_all(same, images), images)
    assert sizes == [4, 4, 1]

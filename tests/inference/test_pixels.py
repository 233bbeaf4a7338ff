import numpy as np
import pytest
import tensorflow as tf

from cyclegan_tf.data.domain import Domain
from cyclegan_tf.data.ranges import to_values
from cyclegan_tf.inference import pixels
from tests.helpers import random_pixels


def test_sides_are_mirrored_for_the_generator_and_cropped_back():
    given = []

    def negative(images, training):
        given.append(to_values(images, Domain()))
        assert not training and images.dtype == tf.float32
        return -images

    images = random_pixels(17, 18)[None]
    translated = pixels.translate(negative, images, Domain(), Domain())
    np.testing.assert_array_equal(translated, 255 - images)
    expected = np.pad(images, ((0, 0), (0, 3), (0, 2), (0, 0)), mode="reflect")
    np.testing.assert_array_equal(given, [expected])


def test_many_pictures_go_in_calls_of_a_bounded_size():
    sizes = []

    def same(images, training):
        sizes.append(len(images))
        return images

    images = np.stack([random_pixels(128, 128, seed) for seed in range(9)])
    translated = pixels.translate_all(same, images, Domain(), Domain())
    np.testing.assert_array_equal(translated, images)
    assert sizes == [4, 4, 1]


@pytest.mark.parametrize("low, high", [(0, 65535), (0, 4095), (100, 40_000)])
def test_identity_returns_every_value_of_16_bits(low, high):
    domain = Domain(1, "uint16", low, high)
    images = np.arange(2**16, dtype=np.uint16).reshape(1, 256, 256, 1)
    translated = pixels.translate(lambda x, training: x, images, domain, domain)
    assert translated.dtype == tf.uint16
    np.testing.assert_array_equal(translated, np.clip(images, low, high))


def test_type_channels_and_range_are_those_of_the_target():
    def repeated(images, training):
        return tf.repeat(images, 3, axis=-1)

    source, target = Domain(1, "uint16", 0, 4095), Domain(3, "float32", -2, 6)
    images = np.uint16([0, 1024, 4095, 5000] * 5)[None, :, None, None]
    images = np.broadcast_to(images, (1, 20, 17, 1))
    translated = pixels.translate(repeated, images, source, target)
    assert translated.shape == (1, 20, 17, 3) and translated.dtype == tf.float32
    expected = np.minimum(images, 4095) / 4095 * 8 - 2  # what is outside is clipped
    np.testing.assert_allclose(
        translated, np.repeat(expected, 3, axis=-1), rtol=0, atol=1e-6
    )

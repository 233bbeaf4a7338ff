import pytest

from cyclegan_tf.model.cost import floats_per_pixel, multiply_adds
from cyclegan_tf.model.mobile import build_mobile_generator
from cyclegan_tf.model.networks import build_discriminator, build_generator


def test_of_the_papers_generator_at_256():
    # By hand, in places of 256, 128 and 64 px: kernel, channels in and out.
    stem, head = 256**2 * 49 * 3 * 64, 256**2 * 49 * 64 * 3
    down = 128**2 * 9 * 64 * 128 + 64**2 * 9 * 128 * 256
    blocks = 9 * 2 * 64**2 * 9 * 256 * 256
    up = 64**2 * 9 * 256 * 128 + 128**2 * 9 * 128 * 64
    expected = stem + down + blocks + up + head
    assert multiply_adds(build_generator(), 256, 256) == expected


def test_of_a_mobile_generator():
    places, width = (32 // 4) * (64 // 4), 12
    ends = 2 * 8 * 8 * 3 * width
    blocks = 2 * 2 * (9 * width + width * width)
    cost = multiply_adds(build_mobile_generator(width, 2), 32, 64)
    assert cost == places * (ends + blocks)


def test_of_a_discriminator():
    network = build_discriminator("patch46", filters=2)
    places = [16 * 16, 8 * 8, 4 * 4, 3 * 3]
    kernels = [16 * 3 * 2, 16 * 2 * 4, 16 * 4 * 8, 16 * 8]
    expected = sum(p * k for p, k in zip(places, kernels, strict=True))
    assert multiply_adds(network, 32, 32) == expected


@pytest.mark.parametrize(
    "generator, expected",
    [
        (build_generator(8, 0), 8),
        (build_mobile_generator(64, 0), 4),
        (build_mobile_generator(16, 0), 3),
    ],
)
def test_of_the_largest_layer(generator, expected):
    assert floats_per_pixel(generator) == expected

import numpy as np
import pytest
import skimage.metrics

from cyclegan_tf.metrics.similarity import MAX_PSNR, mean_absolute_error, psnr, ssim
from tests.helpers import random_pixels

RNG = np.random.default_rng(0)


def pair(height=24, width=31):
    first = random_pixels(height, width)
    noisy = first + RNG.normal(0, 15, first.shape)
    return first[None], np.clip(noisy, 0, 255).astype(np.uint8)[None]


def test_mean_absolute_error_is_per_image():
    first = np.zeros((2, 2, 2, 1), np.uint8)
    second = np.array([[[1], [2]], [[3], [4]]])
    errors = mean_absolute_error(first, np.stack([second, 255 * (second > 0)]))
    np.testing.assert_allclose(errors, [2.5, 255])


def test_psnr_of_known_errors():
    first = np.full((3, 4, 4, 3), 100, np.uint8)
    second = first.copy()
    second[1] += 1
    second[2] -= 100
    values = psnr(first, second)
    # 20 log10(255 / error): an error of 1 is 48.13 dB.
    np.testing.assert_allclose(values[1:], [48.1308, 20 * np.log10(2.55)], atol=1e-4)
    assert values[0] == MAX_PSNR


@pytest.mark.parametrize("size", [(24, 31), (11, 11), (64, 40)])
def test_ssim_is_scikit_images(size):
    first, second = pair(*size)
    expected = skimage.metrics.structural_similarity(
        first[0],
        second[0],
        channel_axis=-1,
        gaussian_weights=True,
        sigma=1.5,
        use_sample_covariance=False,
        data_range=255,
    )
    assert ssim(first, second)[0] == pytest.approx(expected, abs=1e-5)


def test_ssim_of_equal_images_is_one_and_of_inverted_ones_negative():
    first, _ = pair()
    assert ssim(first, first)[0] == pytest.approx(1)
    noise = RNG.integers(0, 256, (1, 32, 32, 3), np.uint8)
    assert ssim(noise, 255 - noise)[0] < 0

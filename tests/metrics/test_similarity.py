import numpy as np
import pytest
import skimage.metrics

from cyclegan_tf.metrics.similarity import mean_absolute_error, psnr, ssim
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
    assert values[0] == np.inf


def test_psnr_is_scikit_images():
    first, second = pair()
    expected = skimage.metrics.peak_signal_noise_ratio(first[0], second[0])
    assert psnr(first, second)[0] == pytest.approx(expected)


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


def test_ssim_equals_longhand_at_one_place():
    first, second = pair(11, 11)
    y, x = np.mgrid[-5:6, -5:6]
    weights = np.exp(-(x**2 + y**2) / (2 * 1.5**2))
    weights /= weights.sum()
    values = []
    for channel in range(3):
        a, b = (np.float64(i[0, :, :, channel]) for i in (first, second))
        mean_a, mean_b = np.sum(weights * a), np.sum(weights * b)
        var_a, var_b = (
            np.sum(weights * (i - m) ** 2) for i, m in ((a, mean_a), (b, mean_b))
        )
        covariance = np.sum(weights * (a - mean_a) * (b - mean_b))
        c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
        values.append(
            (2 * mean_a * mean_b + c1)
            * (2 * covariance + c2)
            / ((mean_a**2 + mean_b**2 + c1) * (var_a + var_b + c2))
        )
    assert ssim(first, second)[0] == pytest.approx(np.mean(values), abs=1e-5)


def test_ssim_of_equal_images_is_one_and_of_inverted_ones_negative():
    first, _ = pair()
    assert ssim(first, first)[0] == pytest.approx(1)
    noise = RNG.integers(0, 256, (1, 32, 32, 3), np.uint8)
    assert ssim(noise, 255 - noise)[0] < 0

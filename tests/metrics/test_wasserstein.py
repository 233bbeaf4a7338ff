import numpy as np
import pytest
from scipy import ndimage, stats

from cyclegan_tf.metrics import wasserstein
from tests.helpers import random_pixels

RNG = np.random.default_rng(0)


@pytest.mark.parametrize("count", [400, 333])
def test_sliced_wasserstein_in_one_dimension_is_scipys(count):
    first, second = RNG.gamma(2.0, size=(400, 1)), RNG.normal(3.0, size=(count, 1))
    expected = stats.wasserstein_distance(first[:, 0], second[:, 0])
    # Of two counts, ours takes quantiles where SciPy's splits points.
    tolerance = 1e-5 if count == 400 else 0.02
    distance = wasserstein.sliced_wasserstein(first, second)
    assert distance == pytest.approx(expected, rel=tolerance)


def test_sliced_wasserstein_is_scipys_mean_over_directions():
    first, second = RNG.normal(size=(60, 5)), RNG.normal(1, 2, size=(60, 5))
    directions = np.random.default_rng(0).normal(size=(5, 256))
    directions /= np.linalg.norm(directions, axis=0)
    expected = [stats.wasserstein_distance(first @ d, second @ d) for d in directions.T]
    value = wasserstein.sliced_wasserstein(first, second)
    assert value == pytest.approx(np.mean(expected), rel=1e-5)


def test_sliced_wasserstein_is_symmetric_and_zero_on_itself():
    first, second = RNG.normal(size=(50, 3)), RNG.normal(1, 2, size=(80, 3))
    assert wasserstein.sliced_wasserstein(first, first) == 0.0
    there = wasserstein.sliced_wasserstein(first, second)
    assert wasserstein.sliced_wasserstein(second, first) == pytest.approx(there)


@pytest.mark.parametrize("size", [(64, 64), (33, 40)])
def test_laplacian_pyramid_blurs_as_scipy_does(size):
    weights = np.outer([1, 4, 6, 4, 1], [1, 4, 6, 4, 1]) / 256

    def blur(image):
        return ndimage.convolve(image, weights, mode="mirror")

    image = RNG.uniform(0, 255, size)
    finer, coarser, *_ = wasserstein.laplacian_pyramid(image[None, :, :, None])
    half, spread = blur(image)[::2, ::2], np.zeros(size)
    spread[::2, ::2] = half
    np.testing.assert_allclose(finer[0, ..., 0], image - 4 * blur(spread), atol=1e-3)
    if size[0] == 33:  # too small for another level
        np.testing.assert_allclose(coarser[0, ..., 0], half, atol=1e-3)


def test_patches_do_not_depend_on_the_batches():
    images = RNG.integers(0, 256, (5, 32, 48, 3), np.uint8)
    whole = wasserstein.pyramid_patches(images, 4)
    parts = [
        wasserstein.pyramid_patches(images[start : start + 2], 4, start)
        for start in (0, 2, 4)
    ]
    for level, patches in enumerate(whole):
        assert patches.shape == (20, 49, 3)
        joined = np.concatenate([part[level] for part in parts])
        np.testing.assert_array_equal(patches, joined)


def test_patches_are_cut_out_of_the_image():
    y, x = np.mgrid[:16, :16]
    image = np.stack([y, x, y + x], axis=-1)[None]  # one level: the image itself
    (patches,) = wasserstein.pyramid_patches(image, 10)
    for patch in patches.reshape(10, 7, 7, 3):
        top, left = patch[0, 0, :2].astype(int)
        expected = image[0, top : top + 7, left : left + 7]
        np.testing.assert_array_equal(patch, expected)


def swd(fakes, reals):
    fakes, reals = (wasserstein.pyramid_patches(i, 64) for i in (fakes, reals))
    return wasserstein.pyramid_distance(fakes, reals)


def photos(count, seed):
    return np.stack([random_pixels(32, 32, (seed, i)) for i in range(count)])


def test_swd_of_images_orders_as_it_must():
    reals, others = photos(40, 0), photos(40, 1)
    noisy = np.clip(others + RNG.normal(0, 20, others.shape), 0, 255)
    shuffled = RNG.permuted(others.reshape(40, -1, 3), axis=1).reshape(others.shape)
    assert swd(reals, reals) == [0, 0]
    same, worse, worst = (np.mean(swd(i, reals)) for i in (others, noisy, shuffled))
    assert same < worse < worst


def test_swd_finds_the_level_that_differs():
    reals, others = photos(40, 0), photos(40, 1)
    # Stripes of one pixel are detail of the finest level alone.
    striped = others + 20.0 * (np.arange(32) % 2)[:, None] - 10.0
    finest, coarsest = swd(striped, reals)
    finest_before, coarsest_before = swd(others, reals)
    assert finest > 2 * finest_before
    assert coarsest == pytest.approx(coarsest_before, rel=0.2)


def test_swd_is_a_thousand_times_the_distance_in_units_of_the_reals():
    fakes, reals = RNG.normal(size=(50, 49, 3)), RNG.gamma(1.0, size=(60, 49, 3))
    reals *= [1, 10, 100]  # channels with units of their own
    expected = 1000 * wasserstein.sliced_wasserstein(
        *(
            ((p - reals.mean((0, 1))) / reals.std((0, 1))).reshape(-1, 147)
            for p in (fakes, reals)
        )
    )
    (value,) = wasserstein.pyramid_distance([fakes], [reals])
    assert value == pytest.approx(expected, rel=1e-5)
    # The other way round the unit is another one.
    (other,) = wasserstein.pyramid_distance([reals], [fakes])
    assert other > 2 * value


def test_swd_sees_a_shift_of_colour_in_the_coarsest_level_alone():
    reals = photos(40, 0)
    shifted = reals + np.array([40.0, 0.0, -40.0])
    finest, coarsest = swd(shifted, reals)
    # The same patches with another mean: nothing else differs.
    assert finest == pytest.approx(0, abs=1e-2)
    assert coarsest > 100
    by_half = swd(reals + np.array([20.0, 0.0, -20.0]), reals)[1]
    assert by_half == pytest.approx(coarsest / 2, rel=1e-4)


def test_flat_reals_have_a_distance():
    flat = np.full((2, 16, 16, 3), 100.0)
    assert swd(flat, flat) == [0]
    # In grey levels then: every projection of a patch is off by 3 times a sum.
    assert 0 < swd(flat + 3, flat)[0] < np.inf


@pytest.mark.parametrize("count, expected", [(60, 128), (1000, 65), (10**6, 1)])
def test_patches_of_many_images_stay_within_the_memory(count, expected):
    assert wasserstein.patches_per_image(count) == expected

import numpy as np
import pytest

from cyclegan_tf import metrics

RNG = np.random.default_rng(0)


def test_sliced_wasserstein_in_one_dimension_is_the_distance_of_sorted_points():
    first, second = np.array([[3.0], [1.0], [2.0]]), np.array([[4.0], [9.0], [2.0]])
    expected = (abs(1 - 2) + abs(2 - 4) + abs(3 - 9)) / 3
    assert metrics.sliced_wasserstein(first, second) == pytest.approx(expected)


def test_sliced_wasserstein_of_a_shift_is_the_mean_projection():
    points = RNG.normal(size=(500, 3))
    shift = np.array([2.0, 0.0, 0.0])
    # The mean of |u . s| over the unit sphere in three dimensions is |s| / 2.
    distance = metrics.sliced_wasserstein(points, points + shift, num_projections=4000)
    assert distance == pytest.approx(1.0, rel=0.05)


def test_sliced_wasserstein_equals_longhand():
    first, second = RNG.normal(size=(7, 4)), RNG.normal(size=(7, 4))
    rng = np.random.default_rng(5)
    directions = rng.normal(size=(4, 16))
    total = 0.0
    for k in range(16):
        unit = directions[:, k] / np.sqrt((directions[:, k] ** 2).sum())
        a = sorted(float(point @ unit) for point in first)
        b = sorted(float(point @ unit) for point in second)
        total += sum(abs(x - y) for x, y in zip(a, b, strict=True)) / 7
    value = metrics.sliced_wasserstein(first, second, seed=5, num_projections=16)
    assert value == pytest.approx(total / 16)


def test_sliced_wasserstein_is_symmetric_and_zero_on_itself():
    first, second = RNG.normal(size=(50, 3)), RNG.normal(1, 2, size=(80, 3))
    assert metrics.sliced_wasserstein(first, first) == 0.0
    there = metrics.sliced_wasserstein(first, second)
    assert metrics.sliced_wasserstein(second, first) == pytest.approx(there)


def test_sliced_wasserstein_of_two_sizes_of_one_cloud_is_small():
    points = RNG.normal(size=(2000, 2))
    assert metrics.sliced_wasserstein(points, points[:1000]) < 0.1


@pytest.mark.parametrize("second", [np.zeros((0, 3)), np.zeros((5, 2))])
def test_sliced_wasserstein_refuses_what_has_no_distance(second):
    with pytest.raises(ValueError, match="two clouds"):
        metrics.sliced_wasserstein(np.zeros((5, 3)), second)


def test_patches_lie_wholly_inside_the_masks():
    images = np.arange(2 * 8 * 9 * 3, dtype=np.uint8).reshape(2, 8, 9, 3)
    masks = np.zeros((2, 8, 9), bool)
    masks[1, 2:5, 3:7] = True  # 3 x 4 pixels: two patches of 3 x 3
    patches = metrics.patches_inside(images, masks, size=3)
    # A window's channel axis comes first.
    expected = [
        images[1, 2:5, x : x + 3].transpose(2, 0, 1).ravel().astype(float)
        for x in (3, 4)
    ]
    np.testing.assert_array_equal(patches, expected)


def test_patches_are_limited_by_a_seeded_choice():
    images = np.zeros((1, 20, 20, 3), np.uint8)
    masks = np.ones((1, 20, 20), bool)
    assert len(metrics.patches_inside(images, masks, limit=7)) == 7


def test_background_error_counts_pixels_outside_the_masks_only():
    real = np.full((1, 2, 2, 3), 100, np.uint8)
    fake = real.copy()
    fake[0, 0, 0] = 255  # inside
    fake[0, 1, 1] = [97, 100, 106]  # one of three pixels outside
    masks = np.array([[[True, False], [False, False]]])
    assert metrics.background_error(fake, real, masks) == pytest.approx(9 / 9)


def test_coat_distance_has_a_direction_in_what_it_compares():
    brown = np.full((1, 12, 12, 3), 60, np.uint8)
    white = np.full((1, 12, 12, 3), 200, np.uint8)
    masks = np.ones((1, 12, 12), bool)
    assert metrics.coat_distance(brown, masks, brown, masks) == 0.0
    assert metrics.coat_distance(brown, masks, white, masks) > 50

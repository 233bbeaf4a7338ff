import numpy as np
import pytest

from cyclegan_tf.metrics import masked


def test_patches_lie_wholly_inside_the_masks():
    images = np.arange(2 * 8 * 9 * 3, dtype=np.uint8).reshape(2, 8, 9, 3)
    masks = np.zeros((2, 8, 9), bool)
    masks[1, 2:7, 2:8] = True  # 5 x 6 pixels: two patches of 5 x 5
    patches = masked.patches_inside(images, masks)
    # A window's channel axis comes first.
    expected = [
        images[1, 2:7, x : x + 5].transpose(2, 0, 1).ravel().astype(float)
        for x in (2, 3)
    ]
    np.testing.assert_array_equal(patches, expected)


def test_patches_are_limited_by_a_seeded_choice(monkeypatch):
    monkeypatch.setattr(masked, "MAX_PATCHES", 7)
    images = np.zeros((1, 20, 20, 3), np.uint8)
    masks = np.ones((1, 20, 20), bool)
    assert len(masked.patches_inside(images, masks)) == 7


def test_background_error_counts_pixels_outside_the_masks_only():
    real = np.full((1, 2, 2, 3), 100, np.uint8)
    fake = real.copy()
    fake[0, 0, 0] = 255  # inside
    fake[0, 1, 1] = [97, 100, 106]  # one of three pixels outside
    masks = np.array([[[True, False], [False, False]]])
    assert masked.background_error(fake, real, masks) == pytest.approx(9 / 9)


def test_coat_distance_has_a_direction_in_what_it_compares():
    brown = np.full((1, 12, 12, 3), 60, np.uint8)
    white = np.full((1, 12, 12, 3), 200, np.uint8)
    masks = np.ones((1, 12, 12), bool)
    assert masked.coat_distance(brown, brown, masks) == 0.0
    assert masked.coat_distance(brown, white, masks) > 50

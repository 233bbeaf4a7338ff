import numpy as np
import pytest

from cyclegan_tf.data import drawing


@pytest.mark.parametrize("size", [32, 50, 64, 200])
def test_pictures_have_the_size_that_was_asked_for(size):
    image, mask = drawing.draw((0, 1), "brown", size)
    assert image.shape == (size, size, 3) and image.dtype == np.uint8
    assert mask.shape == (size, size)
    assert set(np.unique(mask)) <= {0, 255}


def test_same_seed_draws_the_same_picture():
    first, again = (drawing.draw((3, 4), "striped", 64) for _ in range(2))
    np.testing.assert_array_equal(first[0], again[0])
    other = drawing.draw((3, 5), "striped", 64)
    assert not np.array_equal(first[0], other[0])


@pytest.mark.parametrize("seed", range(5))
def test_coats_differ_inside_the_mask_only(seed):
    brown, mask = drawing.draw((0, seed), "brown", 128)
    striped, same = drawing.draw((0, seed), "striped", 128)
    np.testing.assert_array_equal(mask, same)
    difference = np.abs(brown.astype(int) - striped).max(axis=2)
    # The animals' smooth edges reach a pixel beyond the mask.
    inside = mask > 0
    grown = inside.copy()
    for axis in (0, 1):
        for shift in (-1, 1):
            grown |= np.roll(grown, shift, axis)
    assert difference[~grown].max() == 0
    assert difference[inside].mean() > 40


def test_scenes_vary_in_place_size_and_number():
    masks = np.stack([drawing.draw((0, i), "brown", 64)[1] > 0 for i in range(40)])
    shares = masks.mean(axis=(1, 2))
    assert 0.03 < shares.min() < 0.1 and 0.15 < shares.max() < 0.5
    columns = masks.any(axis=1).argmax(axis=1)
    assert columns.std() > 5


def test_brown_coats_are_brown_and_stripes_have_no_colour():
    brown, striped = (
        [drawing.draw((0, i), coat, 64) for i in range(10)]
        for coat in ("brown", "striped")
    )

    def coat_pixels(pictures):
        return np.concatenate([image[mask > 0] for image, mask in pictures]).astype(int)

    red, green, blue = coat_pixels(brown).mean(axis=0)
    assert red > green + 20 > blue + 20
    pixels = coat_pixels(striped)
    assert np.ptp(pixels.mean(axis=0)) < 15
    assert pixels.std() > 60

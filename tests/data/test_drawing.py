import numpy as np
import pytest

from cyclegan_tf.data import drawing


@pytest.mark.parametrize("size", [32, 50, 64, 200])
def test_pictures_have_the_size_that_was_asked_for(size):
    picture = drawing.draw((0, 1), "brown", size)
    assert picture.image.shape == (size, size, 3)
    assert picture.image.dtype == np.uint8
    assert picture.mask.shape == (size, size)
    assert set(np.unique(picture.mask)) <= {0, 255}


def test_smaller_than_32_is_refused():
    with pytest.raises(ValueError, match="at least 32"):
        drawing.draw((0,), "brown", 31)


def test_same_seed_draws_the_same_picture():
    first, again = (drawing.draw((3, 4), "striped", 64) for _ in range(2))
    np.testing.assert_array_equal(first.image, again.image)
    other = drawing.draw((3, 5), "striped", 64)
    assert not np.array_equal(first.image, other.image)


@pytest.mark.parametrize("seed", range(5))
def test_coats_differ_inside_the_mask_only(seed):
    brown, striped = (
        drawing.draw((0, seed), coat, 128) for coat in ("brown", "striped")
    )
    np.testing.assert_array_equal(brown.mask, striped.mask)
    difference = np.abs(brown.image.astype(int) - striped.image).max(axis=2)
    # The animals' smooth edges reach a pixel beyond the mask.
    inside = brown.mask > 0
    grown = inside.copy()
    for axis in (0, 1):
        for shift in (-1, 1):
            grown |= np.roll(grown, shift, axis)
    assert difference[~grown].max() == 0
    assert difference[inside].mean() > 40


def test_scenes_vary_in_place_size_and_number():
    masks = np.stack([drawing.draw((0, i), "brown", 64).mask > 0 for i in range(40)])
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
        return np.concatenate([p.image[p.mask > 0] for p in pictures]).astype(int)

    red, green, blue = coat_pixels(brown).mean(axis=0)
    assert red > green + 20 > blue + 20
    pixels = coat_pixels(striped)
    assert np.ptp(pixels.mean(axis=0)) < 15
    assert pixels.std() > 60

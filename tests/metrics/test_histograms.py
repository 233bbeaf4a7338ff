import numpy as np
import pytest
import skimage.exposure

from cyclegan_tf.metrics import histograms

RNG = np.random.default_rng(0)


def test_rising_change_of_values_is_undone_exactly():
    images = RNG.normal(size=(3, 8, 10, 2))
    changed = np.exp(images)
    changed[..., 1] *= -1  # falls: the order of the values is lost
    pools = [histograms.pooled_values(x, 80) for x in (images, changed)]
    mapping = histograms.value_mapping(*pools)
    found = histograms.mapped(images, mapping)
    assert found.shape == images.shape and found.dtype == np.float32
    np.testing.assert_allclose(found[..., 0], changed[..., 0], rtol=1e-6)
    # Of the other the distribution is right, and each value is at a wrong place.
    for channel in range(2):
        np.testing.assert_allclose(
            *(np.sort(x[..., channel], axis=None) for x in (found, changed)), rtol=1e-6
        )
    assert np.abs(found - changed)[..., 1].mean() > 0.5


def test_common_value_becomes_the_mean_of_what_has_its_ranks():
    source = np.array([[5], [0], [0], [0]])
    target = np.array([[9], [1], [4], [1]])
    ((values, new),) = histograms.value_mapping(source, target)
    np.testing.assert_array_equal(values, [0, 5])
    np.testing.assert_allclose(new, [(1 + 1 + 4) / 3, 9])


def test_grey_levels_are_matched_as_scikit_image_does():
    source, target = (
        np.uint8(np.clip(RNG.normal(mean, spread, (1, 200, 200, 3)), 0, 255))
        for mean, spread in ((90, 20), (160, 35))
    )
    pools = [histograms.pooled_values(x, 200**2) for x in (source, target)]
    found = histograms.mapped(source, histograms.value_mapping(*pools))
    expected = skimage.exposure.match_histograms(source[0], target[0], channel_axis=-1)
    # It takes the upper end of a grey level's ranks, here it is their mean.
    assert np.abs(found[0] - expected).mean() < 2


@pytest.mark.parametrize("per_image", [7, 1000])
def test_pooled_values_do_not_depend_on_the_batches(per_image):
    images = RNG.normal(size=(5, 6, 8, 3))
    whole = histograms.pooled_values(images, per_image)
    parts = [
        histograms.pooled_values(images[start : start + 2], per_image, start)
        for start in (0, 2, 4)
    ]
    np.testing.assert_array_equal(whole, np.concatenate(parts))
    assert whole.shape == (5 * min(per_image, 48), 3)

import numpy as np
import pytest
import tensorflow as tf

from cyclegan_tf.config.sizes import Frame
from cyclegan_tf.data import frames


def disc(height, width, radius, dtype=np.uint8, channels=1):
    """A white disc in the middle of a black picture."""
    y, x = np.ogrid[:height, :width]
    inside = np.hypot(y - (height - 1) / 2, x - (width - 1) / 2) < radius
    white = 1.0 if dtype == np.float32 else np.iinfo(dtype).max
    return np.repeat(inside[..., None], channels, axis=-1).astype(dtype) * dtype(white)


def extent(image):
    """Height and width of what is white."""
    inside = image[..., 0] > image.max() / 2
    return inside.any(axis=1).sum(), inside.any(axis=0).sum()


def covering(image, frame):
    [size] = frames.covering_sizes(np.array([image.shape[:2]]), frame)
    return frames.covering(tf.constant(image), size, frame)


def centre(image, frame):
    return frames.centre(covering(image, frame), frame).numpy()


@pytest.mark.parametrize("size", [(48, 128), (128, 48), (100, 100)])
def test_circles_stay_circles_where_the_aspect_is_kept(size):
    image = disc(*size, 20)
    fit = centre(image, Frame(32, 32, "fit"))
    assert fit.shape == (32, 32, 1)
    height, width = extent(fit)
    assert abs(height - width) <= 1
    assert abs(height - 40 * 32 / min(size)) <= 2
    uncut = centre(image, Frame(44, 48, "none"))
    assert extent(uncut) == (40, 40)
    height, width = extent(centre(image, Frame(32, 32)))
    assert abs(width / height - size[0] / size[1]) < 0.15


@pytest.mark.parametrize(
    "frame, sizes",
    [
        (Frame(64, 32), [(64, 32), (64, 32), (64, 32)]),
        (Frame(64, 32, "fit"), [(64, 171), (98, 32), (64, 64)]),
        (Frame(64, 32, "none"), [(64, 128), (128, 42), (64, 32)]),
    ],
)
def test_covering_sizes(frame, sizes):
    given = np.array([(48, 128), (128, 42), (20, 20)])
    assert frames.covering_sizes(given, frame).tolist() == [[*s] for s in sizes]


def test_small_picture_is_mirrored_up_as_often_as_it_takes():
    image = np.arange(3, dtype=np.uint16)[:, None, None] * np.ones((1, 16, 5), "uint16")
    grown = covering(image, Frame(8, 16, "none")).numpy()
    assert grown.shape == (8, 16, 5) and grown.dtype == np.uint16
    assert grown[:, 0, 0].tolist() == [0, 1, 2, 1, 0, 1, 2, 1]


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_type_and_channels_are_kept_by_a_resize(dtype):
    image = disc(40, 60, 15, dtype, channels=5)
    small = centre(image, Frame(16, 16))
    assert small.shape == (16, 16, 5) and small.dtype == dtype
    if dtype != np.float32:
        # Curves that overshoot at edges do not wrap around.
        assert small[8, 8, 0] == np.iinfo(dtype).max and small[0, 0, 0] == 0


def flipped(image, flip, number):
    coins = [np.int64([purpose, number]) for purpose in (1, 2, 3)]
    return frames.random_flip(tf.constant(image), flip, coins).numpy()


@pytest.mark.parametrize(
    "flip, size, ways",
    [
        ("none", (4, 4), 1),
        ("horizontal", (4, 4), 2),
        ("all", (4, 4), 8),
        ("all", (4, 6), 4),
    ],
)
def test_flips_give_each_way_to_lay_a_picture(flip, size, ways):
    image = np.random.default_rng(0).integers(0, 256, (*size, 3), np.uint8)
    seen = [flipped(image, flip, i).tobytes() for i in range(200)]
    assert len(set(seen)) == ways
    for way in set(seen):
        assert seen.count(way) > 0.3 * len(seen) / ways


LABELS = np.random.default_rng(3).choice([0, 3, 4], (40, 60, 1))


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
@pytest.mark.parametrize("size", [(16, 16), (56, 130)])
def test_nearest_takes_the_pixel_that_lies_at_the_centre_of_each(dtype, size):
    labels = LABELS.astype(dtype)
    found = frames.covering(tf.constant(labels), size, Frame(*size), "nearest").numpy()
    rows, columns = (
        np.int64((np.arange(new) + 0.5) * old / new)
        for new, old in zip(size, labels.shape[:2], strict=True)
    )
    assert found.dtype == dtype
    np.testing.assert_array_equal(found, labels[rows][:, columns])
    # Where the nearest has no value, there is none; fill is a class of its own.
    valid = tf.constant(labels != 3)
    given = tf.constant(labels), valid, size, Frame(*size), tf.constant(9, dtype)
    holes = frames.covering_valid(*given, "nearest").numpy()
    np.testing.assert_array_equal(holes, np.where(found == 3, dtype(9), found))

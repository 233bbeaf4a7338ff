import numpy as np
import pytest
import tensorflow as tf

from cyclegan_tf.model.image_pool import ImagePool

SHAPE = (2, 2, 3)


def numbered(first, count):
    """Images that are all one number, so that each can be told."""
    numbers = np.arange(first, first + count, dtype=np.float32)
    return tf.constant(numbers[:, None, None, None] * np.ones((1, *SHAPE), np.float32))


def run_pool(pool, batch_size, num_steps):
    """Feeds numbered fakes; returns the numbers that came back, step by step."""
    returned = []
    for step in range(num_steps):
        fakes = numbered(1 + step * batch_size, batch_size)
        plan = pool.plan(batch_size, step)
        returned.append(pool.exchange(plan, fakes).numpy()[:, 0, 0, 0])
        pool.store(plan, fakes)
    return np.array(returned)


def reference_pool(seed, size, batch_size, num_steps):
    """The pool as the paper's authors describe it, image by image, in Python."""
    stored, returned = [], []
    for step in range(num_steps):
        draws = tf.random.stateless_uniform((2, batch_size), [seed, step]).numpy()
        row = []
        for i in range(batch_size):
            image = 1 + step * batch_size + i
            if len(stored) < size:
                stored.append(image)
                row.append(image)
            elif draws[1, i] < 0.5:
                place = int(draws[0, i] * size)
                row.append(stored[place])
                stored[place] = image
            else:
                row.append(image)
        returned.append(row)
    return np.array(returned), stored


@pytest.mark.parametrize("batch_size", [1, 3, 7])
@pytest.mark.parametrize("size", [1, 2, 5])
def test_pool_equals_image_by_image_reference(size, batch_size):
    pool = ImagePool(size, SHAPE, seed=4)
    expected, stored = reference_pool(4, size, batch_size, 40)
    np.testing.assert_array_equal(run_pool(pool, batch_size, 40), expected)
    np.testing.assert_array_equal(pool.images.numpy()[:size, 0, 0, 0], stored)


def test_full_pool_returns_an_earlier_image_half_of_the_time():
    returned = run_pool(ImagePool(10, SHAPE, seed=0), 1, 1010)[10:, 0]
    is_earlier = returned != np.arange(11, 1011)
    # Binomial, n = 1000: four standard deviations are 63.
    assert abs(is_earlier.sum() - 500) < 63


def test_size_zero_switches_the_pool_off():
    returned = run_pool(ImagePool(0, SHAPE, seed=0), 2, 20)
    np.testing.assert_array_equal(returned.ravel(), np.arange(1, 41))


def test_decisions_depend_on_seed_and_step_only():
    first, again = (run_pool(ImagePool(3, SHAPE, seed=7), 1, 30) for _ in range(2))
    other = run_pool(ImagePool(3, SHAPE, seed=8), 1, 30)
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)

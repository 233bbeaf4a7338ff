import numpy as np
import tensorflow as tf

from cyclegan_tf.model.averages import copied, move_average
from cyclegan_tf.model.networks import build_generator


def set_all(network, value):
    network.set_weights([np.full_like(w, value) for w in network.get_weights()])


def test_copy_computes_the_same_with_weights_of_its_own():
    generator = build_generator(2, 1)
    copy = copied(generator, "copy")
    images = tf.random.stateless_uniform((1, 16, 16, 3), (0, 1))
    np.testing.assert_array_equal(copy(images), generator(images))
    set_all(generator, 0.5)
    assert not np.array_equal(copy.get_weights()[0], generator.get_weights()[0])


def test_average_follows_its_formula():
    network, share = build_generator(2, 1), 0.1
    average = copied(network, "average")
    for step in range(1, 30):
        value = np.sin(step)
        set_all(network, value)
        move_average(average, network, tf.constant(step), share)
        if step < 10:  # the half-life is less than a step: nothing earlier is left
            expected = value
            for weights in average.get_weights():
                np.testing.assert_array_equal(weights, np.float32(value))
        else:
            beta = 0.5 ** (1 / (share * step))
            expected = beta * expected + (1 - beta) * value
    for weights in average.get_weights():
        np.testing.assert_allclose(weights, expected, rtol=1e-4)

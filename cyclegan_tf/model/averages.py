"""Averages of the generators' weights over the latest part of a training.

The last step of an adversarial training is a lottery ticket; an average over steps is
not. Training does not see the averages: they cost one copy of the generators and a
fraction of a step.

Source: Yazici et al. 2019, arXiv:1806.04498, for averages in adversarial training; the
half-life grows with the steps taken as in Karras et al. 2020, arXiv:2006.06676, App. C,
and Karras et al. 2022, arXiv:2206.00364, App. F.
"""

import keras
import tensorflow as tf

from cyclegan_tf.model.replicas import local_copies


def copied(network: keras.Model, name: str) -> keras.Model:
    """A network of the same layers, precision and weights, with another name."""
    copy = keras.Model.from_config(network.get_config() | {"name": name})
    copy.set_weights(network.get_weights())
    return copy


def move_average(average: keras.Model, network: keras.Model, step, share: float):
    """Moves averaged weights to `weight + beta * (average - weight)`, on all replicas.

    The half-life is `share * step` steps: `beta = 0.5 ** (1 / (share * step))`. As long
    as that is less than a step, the average is the weights themselves. `step`, an int
    tensor, counts the steps taken, this one included. Call it outside of the replicas.
    """
    half_life = share * tf.cast(tf.convert_to_tensor(step), tf.float32)
    beta = tf.where(half_life < 1.0, 0.0, tf.pow(0.5, 1.0 / half_life))
    for target, source in zip(average.variables, network.variables, strict=True):
        for copy, value in zip(local_copies(target), local_copies(source), strict=True):
            copy.assign(value + beta * (copy - value))

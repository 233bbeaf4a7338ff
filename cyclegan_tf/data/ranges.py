"""Between grey levels and the range of the networks."""

import tensorflow as tf


def to_unit_range(images):
    """uint8 grey levels to a float32 tensor in [-1, 1]."""
    return tf.cast(images, tf.float32) / 127.5 - 1.0


def to_grey_levels(images):
    """Floats in [-1, 1] to a uint8 tensor of grey levels, rounded to the nearest."""
    levels = tf.round((tf.cast(images, tf.float32) + 1.0) * 127.5)
    return tf.cast(tf.clip_by_value(levels, 0, 255), tf.uint8)

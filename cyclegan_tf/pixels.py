"""Between grey levels and the range of the networks."""

import numpy as np
import tensorflow as tf


def to_unit_range(images):
    """uint8 grey levels to a float32 tensor in [-1, 1]."""
    return tf.cast(images, tf.float32) / 127.5 - 1.0


def to_grey_levels(images) -> np.ndarray:
    """Floats in [-1, 1] to uint8 grey levels, rounded to the nearest."""
    levels = (np.asarray(images, np.float32) + 1.0) * 127.5
    return np.clip(np.rint(levels), 0, 255).astype(np.uint8)

"""Pictures through a generator: the one function from pixels to pixels."""

from collections.abc import Callable

import numpy as np
import tensorflow as tf

from cyclegan_tf.data.ranges import to_grey_levels, to_unit_range
from cyclegan_tf.model.networks import SIDE_MULTIPLE

# Of small pictures, so many at once: one by one takes three times as long.
PIXELS_AT_ONCE = 2**16
# What a graph of `pixels_function` takes.
PIXELS_SPEC = tf.TensorSpec((None, None, None, 3), tf.uint8, name="images")


def translate(generator, images):
    """Translates pictures of one size in one call, eagerly or as part of a graph.

    Args:
        generator: a model from `networks.build_generator`.
        images: uint8 `(count, height, width, channels)` of any size; sides that are no
            multiples of 4 are mirrored up to one, and cropped back.

    Returns:
        uint8 tensor, the same shape.
    """
    shape = tf.shape(images)
    padded = _mirrored(_mirrored(images, axis=1), axis=2)
    fakes = generator(to_unit_range(padded), training=False)
    return to_grey_levels(fakes[:, : shape[1], : shape[2]])


def translate_all(generator, images: np.ndarray) -> np.ndarray:
    """The same for any number of pictures, in calls of a bounded size."""
    at_once = max(1, PIXELS_AT_ONCE // (images.shape[1] * images.shape[2]))
    batches = (images[i : i + at_once] for i in range(0, len(images), at_once))
    return np.concatenate([translate(generator, batch).numpy() for batch in batches])


def pixels_function(generator) -> Callable:
    """`translate` with the names of its input and output, which servers know it by."""
    return lambda images: {"translated": translate(generator, images)}


def _mirrored(images, axis):
    """Grows an axis to a multiple of 4 by mirroring its end, without the last line."""
    size = tf.shape(images)[axis]
    # A gather and these divisions rather than a pad: the converters to ONNX and LiteRT
    # know them for any size, and would take a negative remainder for another number.
    places = tf.range((size + SIDE_MULTIPLE - 1) // SIDE_MULTIPLE * SIDE_MULTIPLE)
    mirrored = tf.where(places < size, places, 2 * size - 2 - places)
    return tf.gather(images, mirrored, axis=axis)

"""Pictures through a generator: the one function from pixels to pixels."""

from collections.abc import Callable

import numpy as np
import tensorflow as tf

from cyclegan_tf.config.architectures import SIDE_MULTIPLE
from cyclegan_tf.data.domain import Domain
from cyclegan_tf.data.ranges import to_unit_range, to_values

# Of small pictures, so many at once: one by one takes three times as long.
PIXELS_AT_ONCE = 2**16


def pixels_spec(source: Domain, size: tuple[int, int] | None = None) -> tf.TensorSpec:
    """What a graph of `pixels_function` takes: any pictures, or one of a size."""
    count_and_size = (1, *size) if size else (None, None, None)
    return tf.TensorSpec((*count_and_size, source.channels), source.dtype, "images")


def translate(generator, images, source: Domain, target: Domain):
    """Translates pictures of one size in one call, eagerly or as part of a graph.

    Sides that are no multiples of 4 are mirrored up to one, and cropped back.

    Args:
        generator: from float32 to float32 `(count, height, width, channels)` in
            [-1, 1], sides multiples of 4.
        images: `(count, height, width, channels)` of any size, in the form of `source`.
        source, target: the form of what the generator takes and gives.
    """
    shape = tf.shape(images)
    # Mirrored as floats: LiteRT does not gather values of 16 bits.
    floats = _mirrored(_mirrored(to_unit_range(images, source), axis=1), axis=2)
    fakes = generator(floats, training=False)
    return to_values(fakes[:, : shape[1], : shape[2]], target)


def translate_all(
    generator, images: np.ndarray, source: Domain, target: Domain
) -> np.ndarray:
    """Translates any number of pictures, in calls of a bounded size."""
    return in_batches(lambda some: translate(generator, some, source, target), images)


def in_batches(function: Callable, images: np.ndarray) -> np.ndarray:
    """What a function to tensors makes of any number of images, a few at a time."""
    at_once = max(1, PIXELS_AT_ONCE // (images.shape[1] * images.shape[2]))
    batches = (images[i : i + at_once] for i in range(0, len(images), at_once))
    return np.concatenate([function(batch).numpy() for batch in batches])


def pixels_function(generator, source: Domain, target: Domain) -> Callable:
    """`translate` with the names of its input and output, which servers know it by."""
    return lambda images: {"translated": translate(generator, images, source, target)}


def _mirrored(images, axis):
    """Grows an axis to a multiple of 4 by mirroring its end, without the last line."""
    if images.shape[axis] and not images.shape[axis] % SIDE_MULTIPLE:
        return images
    size = tf.shape(images)[axis]
    # A gather and these divisions rather than a pad: the converters to ONNX and LiteRT
    # know them for any size, and would take a negative remainder for another number.
    places = tf.range((size + SIDE_MULTIPLE - 1) // SIDE_MULTIPLE * SIDE_MULTIPLE)
    mirrored = tf.where(places < size, places, 2 * size - 2 - places)
    return tf.gather(images, mirrored, axis=axis)

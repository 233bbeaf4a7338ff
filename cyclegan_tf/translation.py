"""Translating pictures with a trained generator."""

import numpy as np

from cyclegan_tf.networks import SIDE_MULTIPLE
from cyclegan_tf.pixels import to_grey_levels, to_unit_range


def translate(generator, images) -> np.ndarray:
    """Translates pictures of one size, one at a time to bound the memory.

    Args:
        generator: a model from `networks.build_generator`.
        images: uint8 `(count, height, width, 3)`; sides that are no multiples of 4
            are mirrored up to one, and cropped back.

    Returns:
        uint8, the same shape.
    """
    count, height, width, _ = images.shape
    border = ((0, 0), (0, -height % SIDE_MULTIPLE), (0, -width % SIDE_MULTIPLE), (0, 0))
    padded = np.pad(images, border, mode="reflect")
    translated = np.empty_like(images)
    for i in range(count):
        fake = generator(to_unit_range(padded[i : i + 1]), training=False)
        translated[i] = to_grey_levels(fake)[0, :height, :width]
    return translated

"""Translating pictures with a trained generator."""

import numpy as np

from cyclegan_tf.pixels import to_grey_levels, to_unit_range


def translate(generator, images) -> np.ndarray:
    """Translates pictures of one size, one at a time to bound the memory.

    Args:
        generator: a model from `networks.build_generator`.
        images: uint8 `(count, height, width, 3)`, sides multiples of 4.

    Returns:
        uint8, the same shape.
    """
    translated = np.empty_like(images)
    for i, image in enumerate(images):
        fake = generator(to_unit_range(image[None]), training=False)
        translated[i] = to_grey_levels(fake)[0]
    return translated

"""Between the values of a domain's images, [-1, 1] of the networks, and grey levels."""

import numpy as np
import tensorflow as tf

from cyclegan_tf.data.domain import Domain, luminance


def to_unit_range(images, domain: Domain):
    """A domain's values, of its type, to a float32 tensor in [-1, 1].

    Values outside of its range are clipped.
    """
    low, half = _low_and_half(domain)
    scaled = _without(tf.cast(images, tf.float32), low) / half - 1.0
    if domain.is_grey_levels:
        return scaled  # none is outside
    return tf.clip_by_value(scaled, -1.0, 1.0)


def to_values(floats, domain: Domain):
    """Floats in [-1, 1] to a tensor of the domain's type and range.

    Integers are rounded to the nearest that the type has.
    """
    low, half = _low_and_half(domain)
    values = _without((tf.cast(floats, tf.float32) + 1.0) * half, -low)
    bounds = domain.bounds
    if domain.dtype != "float32":  # which may hold less than the range
        values, limits = tf.round(values), np.iinfo(domain.dtype)
        bounds = np.clip(bounds, limits.min, limits.max)
    return tf.cast(tf.clip_by_value(values, *np.float32(bounds)), domain.dtype)


def _low_and_half(domain):
    """Where the range begins, and half of its width; scalars, or `(channels,)`."""
    low, high = domain.bounds
    return np.float32(low), np.float32((high - low) / 2)


def _without(x, offset):
    return x - offset if np.any(offset) else x


def to_grey_levels(images: np.ndarray, domain: Domain) -> np.ndarray:
    """A domain's range mapped to 0 to 255: what scores are measured in.

    8-bit images of the full range stay as they are; others become float32, not rounded.
    """
    if domain.is_grey_levels:
        return images
    low, high = domain.bounds
    scaled = (np.float32(images) - np.float32(low)) * np.float32(255 / (high - low))
    return np.clip(scaled, 0, 255)


def to_shown(images: np.ndarray, domain: Domain) -> np.ndarray:
    """Images as they are shown: uint8 RGB `(..., 3)`.

    The range becomes 0 to 255. Of more than three channels the first three are shown,
    of two the first.
    """
    levels = np.uint8(np.round(to_grey_levels(images, domain)))
    if domain.channels < 3:
        return np.repeat(levels[..., :1], 3, axis=-1)
    return levels[..., :3]


def to_grey(images):
    """RGB images `(..., 3)` as grey `(..., 1)`, a tensor of the same integer type."""
    grey = luminance(*tf.unstack(tf.cast(images, tf.int32), axis=-1))
    return tf.cast(grey, images.dtype)[..., None]

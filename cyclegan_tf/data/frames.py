"""From pictures of any size to pictures of one: resized, cropped, turned.

Images are `(height, width, channels)` tensors of any type, which stays what it is.
"""

import numpy as np
import tensorflow as tf

from cyclegan_tf.config.sizes import Frame, Resample


def covering_sizes(sizes: np.ndarray, frame: Frame) -> np.ndarray:
    """What becomes of pictures before a crop of the size of a frame is taken.

    Both are int `(count, 2)`, height and width in pixels; the results nowhere smaller
    than the frame.
    """
    if frame.resize == "stretch":
        return np.broadcast_to(np.int32(frame[:2]), sizes.shape)
    if frame.resize == "fit":
        scales = np.max(np.divide(frame[:2], sizes), axis=1, keepdims=True)
        sizes = np.round(sizes * scales)
    return np.maximum(sizes, frame[:2]).astype(np.int32)


def covering(image, size, frame: Frame, resample: Resample = "bicubic"):
    """A picture in its size of `covering_sizes`: resized, or mirrored up."""
    if frame.resize == "none":
        return _mirrored_up(image, size)
    if resample == "nearest":
        return tf.image.resize(image, size, "nearest")
    return _of_type(_bicubic(image, size), image.dtype)


def covering_valid(image, valid, size, frame: Frame, fill, resample="bicubic"):
    """A picture some of whose pixels have no value, in its size of `covering_sizes`.

    These have no weight among the pixels that one is resized from; where half of the
    weight or more is theirs, it has none either. Of the nearest it is as that one is.

    `valid` is bool of the image's shape, `fill` of its type: a scalar, or one of each
    channel.
    """
    if frame.resize == "none" or resample == "nearest":
        return covering(tf.where(valid, image, fill), size, frame, resample)
    known = tf.where(valid, image, tf.zeros((), image.dtype))
    weights = _bicubic(tf.cast(valid, tf.float32), size)
    values = _bicubic(known, size) / tf.maximum(weights, 0.5)
    return tf.where(weights > 0.5, _of_type(values, image.dtype), fill)


def centre(image, frame: Frame):
    """The centre of a covering picture, in the size of the frame."""
    return tf.image.resize_with_crop_or_pad(image, frame.height, frame.width)


def random_flip(image, flip: str, seeds):
    """A picture of a known size, perhaps mirrored or turned, as `--flip` says.

    The seeds are int64 `(2,)`: of the mirror across, of that down, of the turn, which
    only square ones take.
    """
    across, down, turn = seeds
    if flip == "none":
        return image
    image = tf.image.stateless_random_flip_left_right(image, seed=across)
    if flip == "horizontal":
        return image
    image = tf.image.stateless_random_flip_up_down(image, seed=down)
    if image.shape[0] != image.shape[1]:
        return image
    # With both mirrors a quarter turn gives all eight.
    quarters = tf.random.stateless_uniform((), turn, 0, 2, tf.int32)
    return tf.ensure_shape(tf.image.rot90(image, quarters), image.shape)


def _mirrored_up(image, size):
    """Grows short sides by mirroring, as often as it takes, without the edge twice."""
    for axis, length in enumerate(tf.unstack(size)):
        last = tf.shape(image)[axis] - 1
        places = tf.range(length) % tf.maximum(2 * last, 1)
        image = tf.gather(image, last - tf.abs(last - places), axis=axis)
    return image


def _bicubic(image, size):
    """Antialiased, as in the authors' program; floats."""
    return tf.image.resize(image, size, "bicubic", antialias=True)


def _of_type(values, dtype):
    """Floats, or integers rounded to the nearest."""
    if dtype.is_floating:
        return values
    # A bicubic curve overshoots at edges.
    return tf.cast(tf.clip_by_value(tf.round(values), *dtype.limits), dtype)

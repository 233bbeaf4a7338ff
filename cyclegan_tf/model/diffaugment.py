"""Differentiable augmentation of what the discriminators see.

A discriminator learns a small training set by heart. It cannot where it never sees an
image as it is; and since fakes are altered the same way, also where the generators
learn from it, no generator learns to make altered images.

Source: Zhao et al. 2020, arXiv:2006.10738, Sec. 3 and App. A: the alterations, their
order and their ranges.
"""

import dataclasses

import tensorflow as tf

from cyclegan_tf.model.replicas import places_in_batch

# What is judged in a step; each gets coins of its own.
JUDGED = ("fake_a", "fake_b", "real_a", "real_b", "pooled_a", "pooled_b")
# Coins of an image: brightness, saturation, contrast; down, right; and the square's.
NUM_COINS = 7
MAX_SHIFT = 1 / 8  # of a side
CUT_SIDE = 1 / 2  # of a side


@dataclasses.dataclass(frozen=True)
class DiffAugment:
    """Alters images at random, each by coins that are a function of seed and step.

    Args:
        kinds: some of "color" (brightness, saturation, contrast), "translation" (whole
            pixels, grey comes in) and "cutout" (a grey square of half a side); none of
            them changes nothing.
        seed: integer.

    Example:
        >>> augment = DiffAugment(("color", "cutout"), seed=1)
        >>> coins = augment.coins(step=0, batch_size=len(images))
        >>> augment(images, coins["real_a"])
    """

    kinds: tuple[str, ...] = ()
    seed: int = 0

    def coins(self, step, batch_size):
        """The coins of a step; empty where nothing is altered.

        For each of `JUDGED` they are float32 `(batch_size, NUM_COINS)` in [0, 1), those
        that a replica's images would have in the batch of all replicas on one.
        """
        if not self.kinds:
            return {}
        places, count = places_in_batch(batch_size)
        seed = tf.stack([self.seed, tf.cast(step, tf.int32)])
        drawn = tf.random.stateless_uniform((len(JUDGED), count, NUM_COINS), seed)
        mine = tf.gather(drawn, places, axis=1)
        return dict(zip(JUDGED, tf.unstack(mine), strict=True))

    def __call__(self, images, coins):
        """Alters images; pure, and differentiable by them.

        They are float `(batch, height, width, channels)` in [-1, 1] of static sizes,
        and so is what comes out, but that colours may leave the range.
        """
        coins = tf.unstack(tf.cast(coins, images.dtype)[:, :, None, None], axis=1)
        if "color" in self.kinds:
            images = _with_other_colours(images, *coins[:3])
        if "translation" in self.kinds:
            images = _shifted(_shifted(images, coins[3], axis=1), coins[4], axis=2)
        if "cutout" in self.kinds:
            images = _with_a_hole(images, *coins[5:])
        return images


def _with_other_colours(images, brightness, saturation, contrast):
    images = images + (brightness[..., None] - 0.5)
    grey = tf.reduce_mean(images, axis=3, keepdims=True)
    images = (images - grey) * (2 * saturation[..., None]) + grey
    mean = tf.reduce_mean(images, axis=(1, 2, 3), keepdims=True)
    return (images - mean) * (contrast[..., None] + 0.5) + mean


def _shifted(images, coin, axis):
    """By up to an eighth either way; 0, a medium grey, comes in."""
    size = images.shape[axis]
    reach = int(size * MAX_SHIFT + 0.5)
    margins = [(reach, reach) if i == axis else (0, 0) for i in range(4)]
    shift = tf.cast(coin[:, 0] * (2 * reach + 1), tf.int32)  # 0: up or left by `reach`
    places = tf.range(size) + 2 * reach - shift
    return tf.gather(tf.pad(images, margins), places, axis=axis, batch_dims=1)


def _with_a_hole(images, row, column):
    """Without a square, part of which may lie beyond the border."""
    rows, columns = (
        _is_hidden(size, coin[:, 0])
        for size, coin in zip(images.shape[1:3], (row, column), strict=True)
    )
    is_hidden = rows[:, :, None, None] & columns[:, None, :, None]
    return tf.where(is_hidden, tf.zeros_like(images), images)


def _is_hidden(size, coin):
    side = int(size * CUT_SIDE + 0.5)
    centre = tf.cast(coin * (size + 1 - side % 2), tf.int32)
    first = centre - side // 2
    places = tf.range(size)
    return (places >= first) & (places < first + side)

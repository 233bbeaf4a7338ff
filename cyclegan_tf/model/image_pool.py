"""The pool of earlier fakes that the discriminators learn from."""

from typing import NamedTuple

import keras
import tensorflow as tf

from cyclegan_tf.model.replicas import local_copy


class PoolPlan(NamedTuple):
    """What the pool does with the next batch, decided before the fakes exist.

    Attributes:
        source: int32 `(batch,)`: which of `concat([fakes, stored])` to return.
        slot: int32 `(batch,)`: where in the pool each fake goes; `size` is nowhere.
        stored: float32 `(batch, height, width, channels)`: the drawn stored images.
    """

    source: tf.Tensor
    slot: tf.Tensor
    stored: tf.Tensor


class ImagePool(keras.layers.Layer):
    """A history of generated images, kept in variables.

    Per image of a batch, in order: while the pool is not full, the image is stored
    and returned; afterwards, with probability 1/2, a random stored image is returned
    and the new one takes its place, otherwise the new one is returned and not stored.

    Under a `tf.distribute` strategy each replica has a pool of its own.

    Its randomness is a function of `(seed, step, replica)`. The decisions do not
    depend on the pixels, so they are made first (`plan`); the exchange itself
    (`exchange`) is pure and may be compiled; `store` writes the fakes back, in place.

    Args:
        size: number of images kept; 0 switches the pool off.
        image_shape: `(height, width, channels)` of the fakes.
        seed: integer; give the two domains different ones.

    Source: Shrivastava et al. 2017, arXiv:1612.07828, Sec. 2.3, in the variant of
    Zhu et al. 2017, Sec. 4 (50 images).

    Example:
        >>> pool = ImagePool(50, (256, 256, 3), seed=1)
        >>> plan = pool.plan(batch_size=1, step=0)
        >>> pooled = pool.exchange(plan, fakes); pool.store(plan, fakes)
    """

    def __init__(self, size, image_shape, seed):
        super().__init__()
        self.size, self.seed = size, seed
        # One place more than the size: images that are not kept are written there,
        # so that shapes stay static.
        self.images = _variable((size + 1, *image_shape), "float32", "images")
        self.count = _variable((), "int32", "count")
        self.built = True

    def plan(self, batch_size, step):
        """Decides what to store and what to return for the batch of `step`."""
        order = tf.range(batch_size)
        if self.size == 0:
            nowhere = tf.zeros_like(order)
            return PoolPlan(order, nowhere, tf.gather(local_copy(self.images), nowhere))
        replicas = tf.distribute.get_replica_context()
        draw = tf.cast(step, tf.int32) * replicas.num_replicas_in_sync
        seed = tf.stack([self.seed, draw + replicas.replica_id_in_sync_group])
        draws = tf.random.stateless_uniform((2, batch_size), seed)
        drawn = tf.cast(draws[0] * self.size, tf.int32)
        filled = local_copy(self.count) + order
        is_filling = filled < self.size
        is_swapped = tf.logical_not(is_filling) & (draws[1] < 0.5)
        slot = tf.where(is_filling, filled, tf.where(is_swapped, drawn, self.size))

        # An image drawn from a place that this same batch has just filled is that
        # fake, and of two fakes for one place the later one stays.
        is_earlier = order[None, :] < order[:, None]
        just_filled = is_earlier & (slot[None, :] == drawn[:, None])
        newest = tf.reduce_max(tf.where(just_filled, order[None, :], -1), axis=1)
        from_pool = tf.where(newest >= 0, newest, batch_size + order)
        source = tf.where(is_swapped, from_pool, order)
        is_replaced = tf.transpose(is_earlier) & (slot[None, :] == slot[:, None])
        slot = tf.where(tf.reduce_any(is_replaced, axis=1), self.size, slot)
        return PoolPlan(source, slot, tf.gather(local_copy(self.images), drawn))

    @staticmethod
    def exchange(plan, fakes):
        """The images to return for `fakes`, same shape; float32."""
        candidates = tf.concat([tf.cast(fakes, tf.float32), plan.stored], axis=0)
        return tf.gather(candidates, plan.source)

    def store(self, plan, fakes):
        """Writes the fakes of this step to their places."""
        if self.size == 0:
            return
        rows = tf.IndexedSlices(tf.cast(fakes, tf.float32), plan.slot)
        local_copy(self.images).scatter_update(rows)
        count = local_copy(self.count)
        count.assign(tf.minimum(count + tf.shape(fakes)[0], self.size))


def _variable(shape, dtype, name):
    """A variable of which each replica has its own."""
    return keras.Variable(
        "zeros",
        shape=shape,
        dtype=dtype,
        trainable=False,
        synchronization="on_read",
        aggregation="only_first_replica",
        name=name,
    )

"""From shards to batches in [-1, 1].

Every batch is a pure function of `(seed, step)`: which image comes where, each crop
and each flip are stateless random numbers keyed by the image's position in the run.
A run that resumes at step k therefore starts its pipeline at step k, and no earlier
image is read.
"""

from collections.abc import Callable

import numpy as np
import psutil
import tensorflow as tf

from cyclegan_tf.common.console import progress_bar
from cyclegan_tf.common.seeds import derived_seed
from cyclegan_tf.data import records
from cyclegan_tf.data.ranges import to_unit_range
from cyclegan_tf.data.shards import Split, damage_named, examples
from cyclegan_tf.data.shards import open_split as open_split

# A pipeline that has all positions to itself.
ALONE = tf.distribute.InputContext()
# Of the memory that is free when the run starts, "auto" takes at most this share.
CACHE_SHARE = 0.25


def training_input(
    split_a: Split,
    split_b: Split,
    *,
    image_size: int,
    load_size: int,
    batch_size: int,
    seed: int,
    cache: str,
) -> Callable[..., tf.data.Dataset]:
    """Endless unpaired batches, from any step on.

    Each domain is walked through in passes, each pass in a fresh random order; the
    transform of every image is drawn anew each time: resize to the load size (bicubic,
    antialiased, rounded to grey levels), random crop, random horizontal flip.

    Args:
        split_a, split_b: training images of both domains.
        image_size, load_size: side of the crop, and before it, in pixels.
        batch_size: images of each domain per step and replica.
        seed: of the order, the crops and the flips.
        cache: "memory" decodes and resizes all images once, here; "none" does so each
            time; "auto" is "memory" where that takes a quarter of what is free.

    Returns:
        A function from a step to a dataset of `(real_a, real_b)`, both float32
        `(batch, image_size, image_size, 3)` in [-1, 1], as they come from that step on.
        Its second argument, a `tf.distribute.InputContext`, says which of several
        pipelines this is; together they give every position once, and a step takes
        one batch for each replica.
    """
    keep = _keeps_in_memory(cache, len(split_a) + len(split_b), load_size)
    crops_at = [
        _crops(split, domain, image_size, load_size, seed, keep)
        for split, domain in ((split_a, "a"), (split_b, "b"))
    ]
    options = tf.data.Options()
    options.deterministic = True

    def batches_from(step, context=ALONE):
        start = step * batch_size * context.num_replicas_in_sync
        positions = positions_of(start, context)
        domains = tuple(
            crops(positions).batch(batch_size, drop_remainder=True)
            for crops in crops_at
        )
        return tf.data.Dataset.zip(domains).prefetch(4).with_options(options)

    return batches_from


def positions_of(start: int, context: tf.distribute.InputContext) -> tf.data.Dataset:
    """The positions in the run, from one on, that a pipeline gives: every n-th of n."""
    return tf.data.Dataset.range(
        start + context.input_pipeline_id,
        np.iinfo(np.int64).max,
        context.num_input_pipelines,
    )


def index_at(position, count: int, order_seed: int):
    """Which of `count` images comes at a position: each pass is another permutation."""
    pass_seed = tf.stack([order_seed, position // count])
    return tf.random.experimental.index_shuffle(position % count, pass_seed, count - 1)


def steps_per_epoch(split_a: Split, split_b: Split, global_batch_size: int) -> int:
    """Steps in which the larger domain is seen once, at least 1."""
    return max(1, -(-max(len(split_a), len(split_b)) // global_batch_size))


def load_images(split: Split, size: int, limit: int | None = None) -> np.ndarray:
    """The first images of a split in their order, resized without cropping.

    Returns:
        uint8 `(count, size, size, 3)`.
    """
    return _load_all(split, size, limit).numpy()


def image_batches(
    split: Split, size: int, batch_size: int, limit: int | None = None
) -> tf.data.Dataset:
    """The same images as `load_images`, a batch at a time; the last may be smaller."""
    images = _resized(split, tf.data.Dataset.range(len(split.places[:limit])), size)
    return images.batch(batch_size).prefetch(1)


@damage_named()
def load_masks(split: Split, size: int, limit: int | None = None) -> np.ndarray | None:
    """The masks of a split, bool `(count, size, size)`; None where it has none."""
    masks = []
    for example in examples(split, tf.data.Dataset.range(len(split.places[:limit]))):
        encoded = example["image/mask"]
        if not encoded.numpy():
            return None
        masks.append(_resize(records.decode(encoded, 1), size).numpy()[..., 0] > 127)
    return np.stack(masks) if masks else None


@damage_named()
def load_names(split: Split) -> list[str]:
    """The file names of a split's images in their order, as their source had them."""
    found = examples(split, tf.data.Dataset.range(len(split)))
    names = found.map(lambda example: example["image/filename"])
    return [name.decode("utf-8", "replace") for name in names.as_numpy_iterator()]


def _resized(split, indices, size):
    """The images at those indices: uint8 `(size, size, 3)`."""
    return examples(split, indices).map(
        lambda example: _resize(records.decode(example["image/encoded"]), size),
        num_parallel_calls=tf.data.AUTOTUNE,
    )


def _crops(split, domain, image_size, load_size, seed, keep_in_memory):
    """A function from a dataset of positions to their crops, in [-1, 1]."""
    order_seed, crop_seed, flip_seed = (
        derived_seed(seed, f"{purpose} {domain}")
        for purpose in ("order", "crop", "flip")
    )
    shape = (image_size, image_size, 3)
    kept = _load_all(split, load_size) if keep_in_memory else None

    def crop(position, image):
        crop = tf.image.stateless_random_crop(
            image, shape, seed=tf.stack([crop_seed, position])
        )
        flipped = tf.image.stateless_random_flip_left_right(
            crop, seed=tf.stack([flip_seed, position])
        )
        return to_unit_range(flipped)

    def crops(positions):
        indices = positions.map(lambda p: index_at(p, len(split), order_seed))
        if keep_in_memory:
            images = indices.map(lambda index: tf.gather(kept, index))
        else:
            images = _resized(split, indices, load_size)
        pairs = tf.data.Dataset.zip((positions, images))
        return pairs.map(crop, num_parallel_calls=tf.data.AUTOTUNE)

    return crops


@damage_named()
def _load_all(split, size, limit=None):
    """The first images of a split as one uint8 tensor in host memory."""
    images = np.empty((len(split.places[:limit]), size, size, 3), np.uint8)
    batches = image_batches(split, size, 1, limit).as_numpy_iterator()
    with progress_bar(len(images), f"decoding {split.name}", " images", delay=2) as bar:
        for i, batch in enumerate(batches):
            images[i] = batch[0]
            bar.update()
    with tf.device("CPU"):
        return tf.constant(images)


def _resize(image, size):
    """uint8 to uint8, bicubic and antialiased as in the authors' program."""
    resized = tf.image.resize(image, (size, size), "bicubic", antialias=True)
    return tf.cast(tf.clip_by_value(tf.round(resized), 0, 255), tf.uint8)


def _keeps_in_memory(cache, num_images, size):
    if cache == "auto":
        return num_images * size**2 * 3 <= CACHE_SHARE * _available_memory()
    return cache == "memory"


def _available_memory():
    """Free bytes of the machine, or of the container where that has less."""
    available = psutil.virtual_memory().available
    try:
        with open("/sys/fs/cgroup/memory.max", encoding="ascii") as limit:
            available = min(available, int(limit.read()))
    except (OSError, ValueError):
        pass  # no container, or one without a limit ("max")
    return available

"""From shards to batches in [-1, 1].

Every batch is a pure function of `(seed, step)`: which image comes where, each crop
and each flip are stateless random numbers keyed by the image's position in the run.
A run that resumes at step k therefore starts its pipeline at step k, and no earlier
image is read.
"""

from collections.abc import Callable

import numpy as np
import tensorflow as tf

from cyclegan_tf.common.console import progress_bar
from cyclegan_tf.common.memory import available_memory
from cyclegan_tf.common.seeds import derived_seed
from cyclegan_tf.config.sizes import Frame
from cyclegan_tf.data import frames, records
from cyclegan_tf.data.ranges import to_unit_range
from cyclegan_tf.data.shards import Split, damage_named, examples, plain

# A pipeline that has all positions to itself.
ALONE = tf.distribute.InputContext()
# Of the memory that is free when the run starts, "auto" takes at most this share.
CACHE_SHARE = 0.25


def training_input(
    split_a: Split,
    split_b: Split,
    *,
    frame: Frame,
    load_frame: Frame,
    flip: str,
    batch_size: int,
    seed: int,
    cache: str,
) -> Callable[..., tf.data.Dataset]:
    """Endless unpaired batches, from any step on.

    Each domain is walked through in passes, each pass in a fresh random order; the
    transform of every image is drawn anew each time: resize to the load size (bicubic,
    antialiased, rounded where the values are integers; or nearest), random crop, random
    flip.

    Args:
        frame, load_frame: size of the crop, and of what it is taken from.
        batch_size: images of each domain per step and replica.
        cache: "memory" decodes and resizes all images once, here; "none" does so each
            time; "auto" is "memory" where that takes a quarter of what is free.

    Returns:
        A function from a step to a dataset of `(real_a, real_b)`, both float32
        `(batch, height, width, channels)` in [-1, 1], as they come from that step on.
        Its second argument, a `tf.distribute.InputContext`, says which of several
        pipelines this is; together they give every position once, and a step takes
        one batch for each replica.
    """
    splits = {"a": split_a, "b": split_b}
    keep = cache == "memory"
    if cache == "auto":
        num_bytes = sum(_num_bytes(split, load_frame) for split in splits.values())
        keep = num_bytes <= CACHE_SHARE * available_memory()
    crops_at = [
        _crops(split, domain, frame, load_frame, flip, seed, keep)
        for domain, split in splits.items()
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


@damage_named()
def load_images(split: Split, frame: Frame) -> np.ndarray:
    """The images of a split in their order, each in the size of a frame.

    They are `(count, height, width, channels)`, in the type of the split's domain.
    """
    shape = (len(split), *frame[:2], split.domain.channels)
    images = np.empty(shape, split.domain.dtype)
    for i, batch in enumerate(image_batches(split, frame, 1)):
        images[i] = batch[0]
    return images


def image_batches(split: Split, frame: Frame, batch_size: int) -> tf.data.Dataset:
    """The images of a split, a batch at a time; see `load_images`."""
    images = _covering(split, tf.data.Dataset.range(len(split)), frame)
    centres = images.map(plain(lambda image: frames.centre(image, frame)))
    return centres.batch(batch_size).prefetch(1)


def valid_batches(
    split: Split, frame: Frame, batch_size: int
) -> tf.data.Dataset | None:
    """Which pixels of `image_batches` have a value; None where all have.

    Batches are bool `(count, height, width, 1)`: whether some channel has one.
    """
    if not split.has_nodata:
        return None
    indices = tf.data.Dataset.range(len(split))
    found = examples(split, indices, lambda _, example: records.has_nodata(example))
    if not any(found.as_numpy_iterator()):
        return None
    sizes = _covering_sizes(split, frame)

    def valid_of(index, example):
        valid = records.decode_valid(example, split.domain)
        weights = tf.cast(tf.reduce_any(valid, axis=-1, keepdims=True), tf.float32)
        size, resample = sizes[index], split.domain.resample
        weights = frames.covering(weights, size, frame, resample)
        return frames.centre(weights, frame) > 0.5

    return examples(split, indices, valid_of).batch(batch_size).prefetch(1)


@damage_named()
def load_masks(split: Split, frame: Frame) -> np.ndarray | None:
    """The masks of a split, bool `(count, height, width)`; None where it has none."""
    masks, sizes = [], frames.covering_sizes(split.sizes, frame)
    found = examples(split, tf.data.Dataset.range(len(split)))
    for example, size in zip(found, sizes, strict=True):
        encoded = example["image/mask"]
        if not encoded.numpy():
            return None
        mask = frames.covering(tf.io.decode_png(encoded, channels=1), size, frame)
        masks.append(frames.centre(mask, frame).numpy()[..., 0] > 127)
    return np.stack(masks) if masks else None


def _covering(split, indices, frame):
    """The images at those indices, in what a crop of the frame's size is taken from."""
    sizes = _covering_sizes(split, frame)

    def cover(index, example):
        size, domain = sizes[index], split.domain
        image = records.decode(example, domain)
        if not split.has_nodata:
            return frames.covering(image, size, frame, domain.resample)
        return tf.cond(
            records.has_nodata(example),
            lambda: frames.covering_valid(
                image,
                records.decode_valid(example, domain),
                size,
                frame,
                tf.constant(domain.middle),
                domain.resample,
            ),
            lambda: frames.covering(image, size, frame, domain.resample),
        )

    return examples(split, indices, cover)


def _covering_sizes(split, frame):
    with tf.device("CPU"):
        return tf.constant(frames.covering_sizes(split.sizes, frame))


def _crops(split, domain, frame, load_frame, flip, seed, keep_in_memory):
    """A function from a dataset of positions to their crops, in [-1, 1]."""
    order, crop, across, down, turn = (
        derived_seed(seed, f"{purpose} {domain}")
        for purpose in ("order", "crop", "flip", "flip down", "turn")
    )
    shape = (*frame[:2], split.domain.channels)
    kept = _all_in_memory(split, load_frame) if keep_in_memory else None

    @plain
    def transform(position, image):
        cut = tf.image.stateless_random_crop(image, shape, tf.stack([crop, position]))
        coins = [tf.stack([each, position]) for each in (across, down, turn)]
        return to_unit_range(frames.random_flip(cut, flip, coins), split.domain)

    def crops(positions):
        indices = positions.map(plain(lambda p: index_at(p, len(split), order)))
        if keep_in_memory:
            images = indices.map(kept)
        else:
            images = _covering(split, indices, load_frame)
        pairs = tf.data.Dataset.zip((positions, images))
        return pairs.map(transform, num_parallel_calls=tf.data.AUTOTUNE)

    return crops


@damage_named()
def _all_in_memory(split, frame):
    """All images of a split, decoded once: a function from an index to the image."""
    sizes = frames.covering_sizes(split.sizes, frame)
    channels = split.domain.channels
    # In one row of values, as they may be of different sizes.
    ends = np.cumsum(np.prod(sizes, axis=1, dtype=np.int64) * channels)
    starts = np.concatenate([[0], ends])
    values = np.empty(starts[-1], split.domain.dtype)
    images = _covering(split, tf.data.Dataset.range(len(split)), frame).prefetch(1)
    with progress_bar(len(split), f"decoding {split.name}", " images", delay=2) as bar:
        for i, image in enumerate(images.as_numpy_iterator()):
            values[starts[i] : starts[i + 1]] = image.ravel()
            bar.update()
    with tf.device("CPU"):
        values, starts, sizes = map(tf.constant, (values, starts, sizes))

    @plain
    def image_at(index):
        height, width = tf.unstack(sizes[index])
        image = values[starts[index] : starts[index + 1]]
        return tf.reshape(image, (height, width, channels))

    return image_at


def _num_bytes(split, frame):
    """The bytes that all images of a split take in memory."""
    pixels = np.prod(frames.covering_sizes(split.sizes, frame), axis=1, dtype=np.int64)
    return pixels.sum() * split.domain.channels * np.dtype(split.domain.dtype).itemsize

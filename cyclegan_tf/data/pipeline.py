"""From shards to batches in [-1, 1].

Every batch is a pure function of `(seed, step)`: which image comes where, each crop
and each flip are stateless random numbers keyed by the image's position in the run.
A run that resumes at step k therefore starts its pipeline at step k, and no earlier
image is read.
"""

import dataclasses
import pathlib
from collections.abc import Callable

import numpy as np
import psutil
import tensorflow as tf

from cyclegan_tf.common.console import progress_bar
from cyclegan_tf.common.errors import InputError
from cyclegan_tf.common.seeds import derived_seed
from cyclegan_tf.config import TrainConfig
from cyclegan_tf.data import records
from cyclegan_tf.data.convert import read_manifest
from cyclegan_tf.data.ranges import to_unit_range

# A pipeline that has all positions to itself.
ALONE = tf.distribute.InputContext()
# Of the memory that is free when the run starts, "auto" takes at most this share.
CACHE_SHARE = 0.25


@dataclasses.dataclass(frozen=True)
class Split:
    """The places of all examples of one split.

    Attributes:
        name: of the split, such as "trainA".
        paths: of its shards.
        shard: int64 `(count,)`, which shard example i lies in.
        sizes: int64 `(shards,)`, file sizes in bytes.
        offsets, lengths: int64 `(count,)`, place in the shard in bytes.
    """

    name: str
    paths: list[str]
    shard: np.ndarray
    sizes: np.ndarray
    offsets: np.ndarray
    lengths: np.ndarray

    def __len__(self):
        return len(self.offsets)


def open_split(directory: pathlib.Path, name: str) -> Split:
    """Indexes the shards of a split and compares them with `dataset.json`.

    Raises:
        InputError: a shard is missing, damaged or cut off.
    """
    indices = []
    for entry in read_manifest(directory)["splits"][name]["shards"]:
        index = records.index_shard(directory / entry["file"])
        if index.sha256 != entry["sha256"] or len(index.offsets) != entry["count"]:
            raise InputError(
                f"{index.path} is damaged: its checksum is not that of dataset.json; "
                f"delete {directory} and run again to convert anew."
            )
        indices.append(index)
    return Split(
        name,
        [str(index.path) for index in indices],
        np.repeat(np.arange(len(indices)), [len(i.offsets) for i in indices]),
        np.array([index.size for index in indices], np.int64),
        np.array([offset for i in indices for offset in i.offsets], np.int64),
        np.array([length for i in indices for length in i.lengths], np.int64),
    )


def training_input(
    split_a: Split, split_b: Split, config: TrainConfig
) -> Callable[..., tf.data.Dataset]:
    """Endless unpaired batches, from any step on.

    Each domain is walked through in passes, each pass in a fresh random order; the
    transform of every image is drawn anew each time: resize to the load size (bicubic,
    antialiased, rounded to grey levels), random crop, random horizontal flip. Where
    the config and the memory allow it, the resized images are decoded once, here.

    Args:
        split_a, split_b: training images of both domains.
        config: sizes, batch size, seed and cache mode.

    Returns:
        A function from a step to a dataset of `(real_a, real_b)`, both float32
        `(batch, image_size, image_size, 3)` in [-1, 1], as they come from that step on.
        Its second argument, a `tf.distribute.InputContext`, says which of several
        pipelines this is; together they give every position once, and a step takes
        one batch for each replica.
    """
    keep = _keeps_in_memory(split_a, split_b, config)
    lookups = [_lookup(s, config.resolved_load_size, keep) for s in (split_a, split_b)]
    options = tf.data.Options()
    options.deterministic = True

    def batches_from(step, context=ALONE):
        start = step * config.batch_size * context.num_replicas_in_sync
        # Of n pipelines, each takes every n-th position.
        positions = tf.data.Dataset.range(
            start + context.input_pipeline_id,
            np.iinfo(np.int64).max,
            context.num_input_pipelines,
        )
        domains = []
        for split, lookup, domain in zip(
            (split_a, split_b), lookups, "ab", strict=True
        ):
            shuffled = positions.map(_shuffle(len(split), config, domain))
            crops = lookup(shuffled).map(
                _augmentation(config, domain), num_parallel_calls=tf.data.AUTOTUNE
            )
            domains.append(crops.batch(config.batch_size, drop_remainder=True))
        return tf.data.Dataset.zip(tuple(domains)).prefetch(4).with_options(options)

    return batches_from


def with_waiting_time(
    dataset: tf.data.Dataset, batches_per_step: int = 1
) -> tf.data.Dataset:
    """Adds to each element the seconds (float32) that its consumer waited for it.

    Where a step takes several batches one after another, one for each replica of the
    process, the waits are multiplied, so that their mean is that of a step.
    """
    # A zip asks its inputs in their order: clock, data, clock.
    clock = tf.data.Dataset.counter().map(lambda _: tf.timestamp())
    timed = tf.data.Dataset.zip((clock, dataset, clock))

    def with_wait(start, data, end):
        return *data, tf.cast(batches_per_step * (end - start), tf.float32)

    return timed.map(with_wait)


def steps_per_epoch(
    split_a: Split, split_b: Split, config: TrainConfig, num_replicas: int = 1
) -> int:
    """Steps in which the larger domain is seen once, unless the config says."""
    largest = max(len(split_a), len(split_b))
    global_batch_size = config.batch_size * num_replicas
    return config.steps_per_epoch or max(1, -(-largest // global_batch_size))


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
    decoded = _serialized(split, limit).map(
        lambda serialized: _decode_resized(serialized, size),
        num_parallel_calls=tf.data.AUTOTUNE,
    )
    return decoded.batch(batch_size).prefetch(1)


def load_masks(split: Split, size: int, limit: int | None = None) -> np.ndarray | None:
    """The masks of a split, bool `(count, size, size)`; None where it has none."""
    masks = []
    for serialized in _serialized(split, limit):
        encoded = records.parse(serialized)["image/mask"]
        if not encoded.numpy():
            return None
        masks.append(_resize(records.decode(encoded, 1), size).numpy()[..., 0] > 127)
    return np.stack(masks) if masks else None


def load_names(split: Split) -> list[str]:
    """The file names of a split's images in their order, as their source had them."""
    names = _serialized(split).map(lambda s: records.parse(s)["image/filename"])
    return [name.decode("utf-8", "replace") for name in names.as_numpy_iterator()]


def _shuffle(count, config, domain):
    """From a position in the run to `(position, index of an image)`."""
    seed = derived_seed(config.seed, f"order {domain}")

    def index_at(position):
        # A permutation of its own for every pass over the domain.
        pass_seed = tf.stack([seed, position // count])
        place = position % count
        shuffled = tf.random.experimental.index_shuffle(place, pass_seed, count - 1)
        return position, shuffled

    return index_at


def _augmentation(config, domain):
    """From `(position, image)` to that position's crop, in [-1, 1]."""
    crop_seed = derived_seed(config.seed, f"crop {domain}")
    flip_seed = derived_seed(config.seed, f"flip {domain}")
    shape = (config.image_size, config.image_size, 3)

    def augment(position, image):
        crop = tf.image.stateless_random_crop(
            image, shape, seed=tf.stack([crop_seed, position])
        )
        return to_unit_range(
            tf.image.stateless_random_flip_left_right(
                crop, seed=tf.stack([flip_seed, position])
            )
        )

    return augment


def _lookup(split, size, keep_in_memory):
    """From a dataset of `(position, index)` to one of `(position, resized image)`."""
    if keep_in_memory:
        images = _load_all(split, size)
        return lambda indices: indices.map(lambda p, i: (p, tf.gather(images, i)))
    read = _reader(split)

    def with_position(position, index):
        return read(index).map(lambda serialized: (position, serialized))

    return lambda indices: indices.flat_map(with_position).map(
        lambda position, serialized: (position, _decode_resized(serialized, size)),
        num_parallel_calls=tf.data.AUTOTUNE,
    )


def _reader(split):
    """A function from an index tensor to a dataset of that one serialized example."""
    paths = tf.constant(split.paths)
    with tf.device("CPU"):
        places = tf.constant(
            np.stack(
                [split.shard, split.sizes[split.shard], split.offsets, split.lengths],
                axis=1,
            )
        )

    def read(index):
        shard, size, offset, length = tf.unstack(places[index])
        return records.read_example(paths[shard], size, offset, length)

    return read


def _serialized(split, limit=None):
    """All serialized examples of a split in their order."""
    count = len(split) if limit is None else min(limit, len(split))
    if not count:
        return tf.data.Dataset.from_tensor_slices(tf.constant([], tf.string))
    return tf.data.Dataset.range(count).flat_map(_reader(split))


def _load_all(split, size, limit=None):
    """Decoded and resized images of a split, one uint8 tensor in host memory."""
    count = len(split) if limit is None else min(limit, len(split))
    images = np.empty((count, size, size, 3), np.uint8)
    decoded = _serialized(split, limit).map(
        lambda serialized: _decode_resized(serialized, size),
        num_parallel_calls=tf.data.AUTOTUNE,
    )
    with progress_bar(count, f"decoding {split.name}", " images", delay=2) as bar:
        for i, image in enumerate(decoded.prefetch(8).as_numpy_iterator()):
            images[i] = image
            bar.update()
    with tf.device("CPU"):
        return tf.constant(images)


def _decode_resized(serialized, size):
    return _resize(records.decode(records.parse(serialized)["image/encoded"]), size)


def _resize(image, size):
    """uint8 to uint8, bicubic and antialiased as in the authors' program."""
    resized = tf.image.resize(image, (size, size), "bicubic", antialias=True)
    return tf.cast(tf.clip_by_value(tf.round(resized), 0, 255), tf.uint8)


def _keeps_in_memory(split_a, split_b, config):
    if config.cache != "auto":
        return config.cache == "memory"
    needed = (len(split_a) + len(split_b)) * config.resolved_load_size**2 * 3
    return needed <= CACHE_SHARE * _available_memory()


def _available_memory():
    """Free bytes of the machine, or of the container where that has less."""
    available = psutil.virtual_memory().available
    try:
        with open("/sys/fs/cgroup/memory.max", encoding="ascii") as limit:
            available = min(available, int(limit.read()))
    except (OSError, ValueError):
        pass  # no container, or one without a limit ("max")
    return available

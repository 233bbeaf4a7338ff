"""From shards to batches in [-1, 1].

Every batch is a pure function of `(seed, step)`: which image comes where, each crop
and each flip are stateless random numbers keyed by the image's position in the run.
A run that resumes at step k therefore starts its pipeline at step k, and no earlier
image is read.
"""

import contextlib
import dataclasses
import os
import pathlib
import re
from collections.abc import Callable, Iterator

import numpy as np
import psutil
import tensorflow as tf

from cyclegan_tf.common import checksums
from cyclegan_tf.common.console import progress_bar
from cyclegan_tf.common.errors import Damaged
from cyclegan_tf.common.seeds import derived_seed
from cyclegan_tf.data import records
from cyclegan_tf.data.convert import INDEX, read_manifest
from cyclegan_tf.data.ranges import to_unit_range

# A pipeline that has all positions to itself.
ALONE = tf.distribute.InputContext()
# Of the memory that is free when the run starts, "auto" takes at most this share.
CACHE_SHARE = 0.25
# So many records are read ahead at a time, to hide what a network disk waits.
READ_AHEAD = 64
DAMAGED = re.compile(r"\[damaged record\] \[(.+)\] \[(\d+)\]")


@dataclasses.dataclass(frozen=True)
class Split:
    """The places of all examples of one split.

    Attributes:
        name: of the split, such as "trainA".
        paths: of its shards.
        places: int64 `(count, 4)`: of each example its shard, its number there, where
            its record begins in the file, and the length of the serialized example.
    """

    name: str
    paths: list[str]
    places: np.ndarray

    def __len__(self):
        return len(self.places)

    def sample(self, count: int, seed: int = 0) -> "Split":
        """At most `count` of the examples, in their order; of equal splits the same."""
        if len(self) <= count:
            return self
        rng = np.random.default_rng(seed)
        chosen = np.sort(rng.choice(len(self), count, replace=False))
        name = f"{self.name}, drawn from {len(self)} by seed {seed}"
        return Split(name, self.paths, self.places[chosen])


def open_split(directory: pathlib.Path, name: str) -> Split:
    """Reads the index of a split, and compares the sizes of its shards with it.

    Raises:
        InputError: the index is damaged, or a shard is missing or has another size.
    """
    manifest = read_manifest(directory)
    split = read_index(directory, manifest)[name]
    shards = manifest["splits"][name]["shards"]
    for path, shard in zip(split.paths, shards, strict=True):
        size = os.path.getsize(path) if os.path.isfile(path) else None
        if size != shard["bytes"]:
            found = "is missing" if size is None else f"has {size} bytes"
            raise Damaged(
                f"{path} {found}, and should have {shard['bytes']}; delete {directory} "
                f"and run again to convert anew."
            )
    return split


def read_index(directory: pathlib.Path, manifest: dict) -> dict[str, Split]:
    """All splits of a dataset, without a look at their shards.

    Raises:
        Damaged: the index is missing, or is not that of the manifest.
    """
    path = directory / INDEX
    if not path.is_file() or checksums.file_digest(path) != manifest["index_sha256"]:
        raise Damaged(
            f"{path} is damaged or missing; delete {directory} and run again to "
            f"convert anew."
        )
    splits = {}
    with np.load(path) as lengths:
        for name, split in manifest["splits"].items():
            paths = [str(directory / shard["file"]) for shard in split["shards"]]
            rest, places = lengths[name], [np.zeros((0, 4), np.int64)]
            for i, shard in enumerate(split["shards"]):
                own, rest = np.split(rest, [shard["count"]])
                ends = np.cumsum(own + records.RECORD_OVERHEAD)
                starts = ends - own - records.RECORD_OVERHEAD
                numbers = np.arange(len(own))
                places.append(np.stack([np.full_like(own, i), numbers, starts, own], 1))
            splits[name] = Split(name, paths, np.concatenate(places))
    return splits


@contextlib.contextmanager
def damage_named() -> Iterator[None]:
    """Makes one line of what TensorFlow says where a pipeline meets a damaged record.

    Raises:
        Damaged: it names the shard, and the record's number in it, from 0.
    """
    try:
        yield
    except tf.errors.InvalidArgumentError as error:
        found = DAMAGED.search(str(error))
        if not found:
            raise
        path, number = found.groups()
        raise Damaged(
            f"{path}: record {number} is damaged or cannot be read; `cyclegan build "
            f"--verify` finds all that are, deleting {os.path.dirname(path)} has it "
            f"converted anew."
        ) from None


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
    for example in _examples(split, tf.data.Dataset.range(len(split.places[:limit]))):
        encoded = example["image/mask"]
        if not encoded.numpy():
            return None
        masks.append(_resize(records.decode(encoded, 1), size).numpy()[..., 0] > 127)
    return np.stack(masks) if masks else None


@damage_named()
def load_names(split: Split) -> list[str]:
    """The file names of a split's images in their order, as their source had them."""
    examples = _examples(split, tf.data.Dataset.range(len(split)))
    names = examples.map(lambda example: example["image/filename"])
    return [name.decode("utf-8", "replace") for name in names.as_numpy_iterator()]


def serialized_examples(split: Split, indices: tf.data.Dataset) -> tf.data.Dataset:
    """The serialized examples at those indices, in their order, many read at a time.

    Where a record is damaged, or cannot be read, there is an empty string.
    """
    paths, places = _constants(split)

    def read(index):
        shard, _, start, length = tf.unstack(places[index])
        return records.read_example(paths[shard], start, length)

    return indices.interleave(
        read,
        cycle_length=READ_AHEAD,
        num_parallel_calls=READ_AHEAD,
        deterministic=True,
    )


def _examples(split, indices):
    """The features of those examples; a damaged one is an error, see `damage_named`."""
    paths, places = _constants(split)

    def parse(index, serialized):
        shard, number, _, _ = tf.unstack(places[index])
        what = ["damaged record", paths[shard], number]
        is_whole = tf.debugging.Assert(tf.strings.length(serialized) > 0, what)
        with tf.control_dependencies([is_whole]):
            return records.parse(tf.identity(serialized))

    pairs = tf.data.Dataset.zip((indices, serialized_examples(split, indices)))
    return pairs.map(parse, num_parallel_calls=tf.data.AUTOTUNE)


def _constants(split):
    with tf.device("CPU"):
        return tf.constant(split.paths, tf.string), tf.constant(split.places)


def _resized(split, indices, size):
    """The images at those indices: uint8 `(size, size, 3)`."""
    return _examples(split, indices).map(
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

"""The shards of a converted dataset: where each example lies, and reading any of them.

A record that is damaged is found as it is read, by its own checksum.
"""

import contextlib
import dataclasses
import functools
import os
import pathlib
import re
from collections.abc import Callable, Iterable, Iterator

import numpy as np
import tensorflow as tf
from google.protobuf.message import DecodeError

from cyclegan_tf.common import checksums
from cyclegan_tf.common.errors import Damaged
from cyclegan_tf.data import records
from cyclegan_tf.data.domain import Domain
from cyclegan_tf.data.sources.record_files import HEADER

# So many records are read ahead at a time, to hide what a network disk waits.
READ_AHEAD = 64
# AutoGraph rewrites Python that branches on tensors. None here does, and to find that
# out takes most of the time to a first batch.
plain = tf.autograph.experimental.do_not_convert
DAMAGED = re.compile(r"\[damaged record\] \[(.+)\] \[(\d+)\]")
MAX_NAMED = 9  # damaged records of a shard


@dataclasses.dataclass(frozen=True)
class Split:
    """The places of all examples of one split.

    Attributes:
        name: of the split, such as "trainA".
        paths: of its shards.
        places: int64 `(count, 4)`: of each example its shard, its number there, where
            its record begins in the file, and the length of the serialized example.
        sizes: int64 `(count, 2)`: height and width of each image in pixels.
        domain: the form in which its images are read.
        has_nodata: whether an image may have pixels without a value.
    """

    name: str
    paths: list[str]
    places: np.ndarray
    sizes: np.ndarray
    domain: Domain
    has_nodata: bool = True

    def __len__(self):
        return len(self.places)

    @functools.cached_property
    def tensors(self):
        """`paths` and `places` in host memory, once for all that read them."""
        with tf.device("CPU"):
            return tf.constant(self.paths, tf.string), tf.constant(self.places)

    def taken(self, which: np.ndarray | slice) -> "Split":
        """Some of the examples."""
        places, sizes = self.places[which], self.sizes[which]
        return dataclasses.replace(self, places=places, sizes=sizes)

    def without(self, indices: np.ndarray) -> "Split":
        """The other examples, in their order."""
        return self.taken(np.delete(np.arange(len(self)), indices))

    def first(self, count: int | None) -> "Split":
        """The first examples, at most `count`; None: all."""
        return self.taken(slice(count))

    def sample(self, count: int) -> "Split":
        """At most `count` of the examples, in their order; of equal splits the same."""
        if len(self) <= count:
            return self
        rng = np.random.default_rng(0)
        chosen = self.taken(np.sort(rng.choice(len(self), count, replace=False)))
        name = f"{self.name}, drawn from {len(self)} by seed 0"
        return dataclasses.replace(chosen, name=name)


@contextlib.contextmanager
def damage_named() -> Iterator[None]:
    """Has a damaged record that a pipeline meets raise `Damaged`, which says where."""
    try:
        yield
    except tf.errors.InvalidArgumentError as error:
        found = DAMAGED.search(str(error))
        if not found:
            raise
        raise _damaged(*found.groups()) from None


def _damaged(path, number):
    return Damaged(
        f"{path}: record {number} is damaged or cannot be read; "
        f"{remedy(os.path.dirname(path))} (`cyclegan build --verify` names all)."
    )


def serialized_examples(split: Split, indices: tf.data.Dataset) -> tf.data.Dataset:
    """The serialized examples at those indices, in their order, many read at a time.

    Where a record is damaged, or cannot be read, there is an empty string.
    """
    paths, places = split.tensors

    @plain
    def read(index):
        shard, _, start, length = tf.unstack(places[index])
        return records.read_example(paths[shard], start, length)

    return indices.interleave(
        read, cycle_length=READ_AHEAD, num_parallel_calls=READ_AHEAD, deterministic=True
    )


def examples(
    split: Split,
    indices: tf.data.Dataset,
    decode: Callable = lambda _, example: example,
) -> tf.data.Dataset:
    """What is made of examples, in their order; damage ends it, see `damage_named`.

    `decode` makes a value of an index and an example's features, see `records.parse`;
    several at a time.
    """
    paths, places = split.tensors

    @plain
    def parse(index, serialized):
        shard, number, _, _ = tf.unstack(places[index])
        what = ["damaged record", paths[shard], number]
        is_whole = tf.debugging.Assert(tf.strings.length(serialized) > 0, what)
        with tf.control_dependencies([is_whole]):
            return decode(index, records.parse(tf.identity(serialized)))

    pairs = tf.data.Dataset.zip((indices, serialized_examples(split, indices)))
    return pairs.map(parse, num_parallel_calls=tf.data.AUTOTUNE)


def names_of(split: Split, indices: Iterable[int] | None = None) -> list[str]:
    """What images are called in their source, in the order of the indices, or all.

    Raises `Damaged` if a record of theirs is cut off, or has no name.
    """
    names, places = [], split.places if indices is None else split.places[indices]
    for shard, number, start, length in places:
        path = split.paths[shard]
        try:
            with open(path, "rb") as file:
                file.seek(start + HEADER)
                example = tf.train.Example.FromString(file.read(length))
            [name] = example.features.feature["image/filename"].bytes_list.value
        except (OSError, DecodeError, ValueError):
            raise _damaged(path, number) from None
        names.append(name.decode("utf-8", "replace"))
    return names


def problem_of(split: Split, number: int, sha256: str) -> str | None:
    """What is wrong with a shard whose SHA-256 should be this one; None: nothing."""
    path = pathlib.Path(split.paths[number])
    if not path.is_file():
        return f"{path} is missing"
    if checksums.file_digest(path) == sha256:
        return None
    indices = np.flatnonzero(split.places[:, 0] == number)
    read = serialized_examples(split, tf.data.Dataset.from_tensor_slices(indices))
    bad = [i for i, example in enumerate(read.as_numpy_iterator()) if not example]
    named = ", ".join(map(str, bad[:MAX_NAMED])) + ", …" * (len(bad) > MAX_NAMED)
    return f"{path} is damaged: {len(bad)} of {len(indices)} records ({named})"


def remedy(directory: str | os.PathLike) -> str:
    """What to do about a dataset that is damaged."""
    return f"delete {directory} and run again to convert anew"

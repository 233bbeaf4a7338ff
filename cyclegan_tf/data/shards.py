"""A converted dataset on disk: its shards, their index, and reading any example.

A directory holds `{trainA,trainB,testA,testB}-00000.tfrecord`, an `index.npz` with the
length of every serialized example by split, and the size of its image, and a
`dataset.json` that says what they are. A start reads the latter two and compares sizes;
what is in the shards is compared with the checksums of its records as it is read, and
by `verify`.
"""

import concurrent.futures
import contextlib
import dataclasses
import functools
import operator
import os
import pathlib
import re
from collections.abc import Iterator
from typing import Any

import numpy as np
import tensorflow as tf

from cyclegan_tf.common import checksums, files
from cyclegan_tf.common.console import progress_bar, say
from cyclegan_tf.common.errors import Damaged, InputError
from cyclegan_tf.data import records
from cyclegan_tf.data.domain import Domain, Domains
from cyclegan_tf.data.sources import SPLITS

SCHEMA_VERSION = 3
MANIFEST = "dataset.json"
INDEX = "index.npz"
# So many records are read ahead at a time, to hide what a network disk waits.
READ_AHEAD = 64
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
    """

    name: str
    paths: list[str]
    places: np.ndarray
    sizes: np.ndarray
    domain: Domain

    def __len__(self):
        return len(self.places)

    @functools.cached_property
    def tensors(self):
        """`paths` and `places` in host memory, once for all that read them."""
        with tf.device("CPU"):
            return tf.constant(self.paths, tf.string), tf.constant(self.places)

    def sample(self, count: int, seed: int = 0) -> "Split":
        """At most `count` of the examples, in their order; of equal splits the same."""
        if len(self) <= count:
            return self
        rng = np.random.default_rng(seed)
        chosen = np.sort(rng.choice(len(self), count, replace=False))
        name = f"{self.name}, drawn from {len(self)} by seed {seed}"
        return dataclasses.replace(
            self, name=name, places=self.places[chosen], sizes=self.sizes[chosen]
        )


def read_manifest(directory: pathlib.Path, any_version: bool = False) -> dict[str, Any]:
    """The content of a dataset's `dataset.json`.

    Raises:
        InputError: it is missing, damaged, or of another schema version, or a file
            of the dataset is a link.
    """
    path = directory / MANIFEST
    checksums.require_no_links(directory)
    try:
        manifest = files.read_json(path, _anew(directory))
        manifest["source"]["kind"], manifest["fingerprint"], manifest["is_paired"]
        if manifest["schema_version"] != SCHEMA_VERSION:
            if any_version:
                return manifest
            raise InputError(f"{path} has another schema version; {_anew(directory)}.")
        for split in SPLITS:
            for shard in manifest["splits"][split]["shards"]:
                if pathlib.PurePath(shard["file"]).name != shard["file"]:
                    raise InputError(f"{path} names a file outside its directory.")
                operator.index(shard["count"]), shard["bytes"], shard["sha256"]
        manifest["index_sha256"]
        domains_of(manifest)
    except FileNotFoundError:
        raise InputError(f"{path} is missing.") from None
    except (ValueError, KeyError, TypeError) as error:
        reason = f"{type(error).__name__}: {error}"
        raise Damaged(f"{path} is damaged ({reason}); {_anew(directory)}.") from None
    return manifest


def domains_of(manifest: dict[str, Any]) -> Domains:
    """The form of the images of a dataset, with the range that they have by default."""
    return Domains(*(Domain(**manifest["domains"][name]) for name in Domains._fields))


def open_split(
    directory: pathlib.Path, name: str, domain: Domain | None = None
) -> Split:
    """Reads the index of a split, and compares the sizes of its shards.

    Args:
        directory: of the dataset.
        name: of the split, such as "trainA".
        domain: the form in which to read its images; None: as they are.

    Raises:
        InputError: the index is damaged, or a shard is missing or has another size.
    """
    manifest = read_manifest(directory)
    domain = domain or getattr(domains_of(manifest), name[-1].lower())
    split = _read_index(directory, manifest, name, domain)
    shards = manifest["splits"][name]["shards"]
    for path, shard in zip(split.paths, shards, strict=True):
        size = os.path.getsize(path) if os.path.isfile(path) else None
        if size != shard["bytes"]:
            found = "is missing" if size is None else f"has {size} bytes"
            expected = f"should have {shard['bytes']}"
            raise Damaged(f"{path} {found}, and {expected}; {_anew(directory)}.")
    return split


def verify(directory: pathlib.Path) -> None:
    """Compares all shards of a dataset with their SHA-256, in parallel.

    What is equal had been decoded when it was written. Of any other shard each record
    is read.

    Raises:
        Damaged: some are not what was written; each is said, with its bad records.
    """
    manifest = read_manifest(directory)
    shards = [
        (_read_index(directory, manifest, name, Domain()), number, shard["sha256"])
        for name in SPLITS
        for number, shard in enumerate(manifest["splits"][name]["shards"])
    ]
    num_damaged = 0
    with (
        concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as threads,
        progress_bar(len(shards), f"verifying {directory}", " shards") as bar,
    ):
        for problem in threads.map(_problem_of, *zip(*shards, strict=True)):
            bar.update()
            if problem:
                num_damaged += 1
                say(problem)
    if num_damaged:
        raise Damaged(
            f"{num_damaged} of {len(shards)} shards are damaged (named above); "
            f"{_anew(directory)}."
        )


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
            f"{path}: record {number} is damaged or cannot be read; "
            f"{_anew(os.path.dirname(path))} (`cyclegan build --verify` names all)."
        ) from None


def serialized_examples(split: Split, indices: tf.data.Dataset) -> tf.data.Dataset:
    """The serialized examples at those indices, in their order, many read at a time.

    Where a record is damaged, or cannot be read, there is an empty string.
    """
    paths, places = split.tensors

    def read(index):
        shard, _, start, length = tf.unstack(places[index])
        return records.read_example(paths[shard], start, length)

    return indices.interleave(
        read,
        cycle_length=READ_AHEAD,
        num_parallel_calls=READ_AHEAD,
        deterministic=True,
    )


def examples(split: Split, indices: tf.data.Dataset) -> tf.data.Dataset:
    """Their features, see `records.parse`; damage ends it, see `damage_named`."""
    paths, places = split.tensors

    def parse(index, serialized):
        shard, number, _, _ = tf.unstack(places[index])
        what = ["damaged record", paths[shard], number]
        is_whole = tf.debugging.Assert(tf.strings.length(serialized) > 0, what)
        with tf.control_dependencies([is_whole]):
            return records.parse(tf.identity(serialized))

    pairs = tf.data.Dataset.zip((indices, serialized_examples(split, indices)))
    return pairs.map(parse, num_parallel_calls=tf.data.AUTOTUNE)


def _read_index(directory, manifest, name, domain):
    path, shards = directory / INDEX, manifest["splits"][name]["shards"]
    if not path.is_file() or checksums.file_digest(path) != manifest["index_sha256"]:
        raise Damaged(f"{path} is damaged or missing; {_anew(directory)}.")
    with np.load(path) as arrays:
        length, sizes = arrays[name], arrays[f"{name}_sizes"]
    ends = np.cumsum([0, *(shard["count"] for shard in shards)])
    shard = np.repeat(np.arange(len(shards)), np.diff(ends))
    number = np.arange(len(shard)) - ends[shard]
    if len(shard) != len(length):
        raise Damaged(f"{directory / MANIFEST} is damaged; {_anew(directory)}.")
    # Where records would begin if all shards were one file, and then in their own.
    start = np.cumsum(length + records.OVERHEAD) - length - records.OVERHEAD
    start -= start[ends[shard]]
    paths = [str(directory / shard["file"]) for shard in shards]
    places = np.stack([shard, number, start, length], axis=1)
    return Split(name, paths, places, sizes, domain)


def _problem_of(split, number, sha256):
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


def _anew(directory):
    return f"delete {directory} and run again to convert anew"

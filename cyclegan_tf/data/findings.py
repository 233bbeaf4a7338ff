"""What is found out of a converted dataset and kept beside it: copies, empty images."""

import concurrent.futures
import contextlib
from typing import Any

import numpy as np
import tensorflow as tf

from cyclegan_tf.common import files
from cyclegan_tf.common.console import progress_bar
from cyclegan_tf.common.errors import Damaged
from cyclegan_tf.data import copies, profiles, records
from cyclegan_tf.data.dataset import Dataset
from cyclegan_tf.data.domain import Domains
from cyclegan_tf.data.loading import NUM_WORKERS, Levels, in_order, look_at
from cyclegan_tf.data.picture import About, Picture
from cyclegan_tf.data.shards import examples

# What was found, so that it need not be looked for again.
FOUND, VERSION = "check.json", 3
# Nearly all of an empty image is one value, give or take so much of the range.
SAME_VALUE = 0.01
# Which images of what are looked for in what.
COMPARED = (
    ("trainA", "trainA"),
    ("trainB", "trainB"),
    ("testA", "trainA"),
    ("testB", "trainB"),
    ("trainA", "trainB"),
    ("testA", "trainB"),
    ("testB", "trainA"),
    # Of a test image training may have several copies.
    ("trainA", "testA"),
    ("trainB", "testB"),
)


def found_in(dataset: Dataset) -> dict[str, Any]:
    """What `examine` found in a dataset; where that was not kept, it looks now."""
    path = dataset.directory / FOUND
    with contextlib.suppress(FileNotFoundError, Damaged):
        found = files.read_json(path, "it is made anew")
        if found.get("version") == VERSION:
            return found
    looks, levels, splits = {}, {}, dataset.whole.splits()
    total = sum(map(len, splits.values()))
    with progress_bar(total, f"checking {dataset.directory}", " images", 2) as bar:
        for name, split in splits.items():
            looks[name], levels[name] = _look_at(split, bar)
    found = examine(looks, levels, dataset.domains)
    with contextlib.suppress(OSError):  # a place that cannot be written to is as good
        files.write_json(path, found)
    return found


def copies_in(found: dict[str, Any], name: str, other: str) -> tuple[np.ndarray, int]:
    """Pairs of indices in two splits, and how many were compared; see `copies`."""
    pairs, count = found["copies"][f"{name} in {other}"]
    return np.array(pairs, int).reshape(-1, 2), count


def examine(
    looks: dict[str, np.ndarray], levels: dict[str, Levels | None], domains: Domains
) -> dict[str, Any]:
    """Finds empty images, copies, and domains of several colour profiles.

    Args:
        looks: of the images of each split, see `copies`.
        levels: their values; None where there are no images.
        domains: the form of the images.

    Returns:
        By split, the indices of empty images and the `levels`; and by what was compared
        with what, pairs of indices and how many were compared; and a sentence for each
        domain of several colour profiles. JSON can hold it.
    """
    empty = {}
    for name, seen in looks.items():
        domain = getattr(domains, name[-1].lower())
        low, high = domain.low, domain.high
        trained = levels[f"train{name[-1]}"]
        if trained.are_labels:
            low, high = trained[:2]
        empty[name] = np.flatnonzero(seen["spread"] <= SAME_VALUE * (high - low))
    filled = {
        name: np.delete(np.arange(len(looks[name])), empty[name]) for name in looks
    }
    compared = {}
    for name, other in COMPARED:
        others = None if other == name else looks[other][filled[other]]
        pairs, count = copies.find_copies(looks[name][filled[name]], others)
        pairs = np.stack([filled[name][pairs[:, 0]], filled[other][pairs[:, 1]]], 1)
        compared[f"{name} in {other}"] = pairs.tolist(), count
    return {
        "version": VERSION,
        "empty": {name: indices.tolist() for name, indices in empty.items()},
        "levels": levels,
        "copies": compared,
        "profiles": profiles.differing(looks),
    }


def _look_at(split, bar):
    """What the images of a split look like, and their values."""
    found = examples(split, tf.data.Dataset.range(len(split)))

    def decode(example):
        pixels = records.decode(example, split.domain)
        valid = tf.cond(
            records.has_nodata(example),
            lambda: records.decode_valid(example, split.domain),
            lambda: tf.ones_like(pixels, tf.bool),
        )
        return pixels, valid, example["image/encoded"]

    decoded = found.map(decode, num_parallel_calls=tf.data.AUTOTUNE)
    looks, levels = [np.empty(0, copies.LOOK)], None
    with concurrent.futures.ThreadPoolExecutor(NUM_WORKERS) as threads:
        pictures = (
            Picture(*found, about=About(profile=profiles.profile_of(encoded)))
            for *found, encoded in decoded.prefetch(1).as_numpy_iterator()
        )
        for look, values in in_order(threads, look_at, pictures):
            looks.append(look)
            levels = values.joined(levels)
            bar.update()
    return np.concatenate(looks), levels

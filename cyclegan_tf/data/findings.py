"""What is found out of a converted dataset and kept beside it: copies, empty images.

And what `--drop-copies` leaves out of the training images by it; the shards stay whole.
"""

import contextlib
import dataclasses
import io
from collections import Counter
from typing import Any

import numpy as np
import tensorflow as tf
from PIL import Image, UnidentifiedImageError

from cyclegan_tf.common import files
from cyclegan_tf.common.console import progress_bar
from cyclegan_tf.common.errors import Damaged, InputError
from cyclegan_tf.config.images import ImageConfig
from cyclegan_tf.data import copies, photos, records
from cyclegan_tf.data.dataset import Dataset
from cyclegan_tf.data.domain import Domains
from cyclegan_tf.data.looks import LOOK, Levels, look_at
from cyclegan_tf.data.picture import About, Picture
from cyclegan_tf.data.shards import damage_named, examples

# What was found, so that it need not be looked for again.
FOUND, VERSION = "check.json", 4
# Nearly all of an empty image is one value, give or take so much of the range.
SAME_VALUE = 0.01
MAX_PROFILES = 4  # of a domain that are named
# Which images are looked for in which.
COMPARED = (
    ("trainA", "trainA"),
    ("trainB", "trainB"),
    ("testA", "trainA"),
    ("testB", "trainB"),
    ("trainA", "trainB"),
    ("testA", "trainB"),
    ("testB", "trainA"),
)


@damage_named()
def found_in(dataset: Dataset) -> dict[str, Any]:
    """What `examine` found in a dataset; where that was not kept, it looks now.

    Raises `Damaged` if an image cannot be read.
    """
    path = dataset.directory / FOUND
    with contextlib.suppress(FileNotFoundError, Damaged):
        found = files.read_json(path, "it is made anew")
        if found.get("version") == VERSION:
            return found
    looks, levels, splits = {}, {}, dataset.whole.splits()
    total, what = sum(map(len, splits.values())), f"checking {dataset.directory}"
    with progress_bar(total, what, " images", delay=2) as bar:
        for name, split in splits.items():
            looks[name], levels[name] = _look_at(split, bar)
    found = examine(looks, levels, dataset.domains)
    with contextlib.suppress(OSError):  # a place that cannot be written to is as good
        files.write_json(path, found)
    return found


def _look_at(split, bar):
    """What the images of a split look like, and their values."""

    def decode(_, example):
        pixels = records.decode(example, split.domain)
        valid = records.decode_valid(example, split.domain)
        return pixels, valid, example["image/encoded"]

    looks, levels = np.empty(len(split), LOOK), None
    decoded = examples(split, tf.data.Dataset.range(len(split)), decode)
    for i, (*picture, encoded) in enumerate(decoded.as_numpy_iterator()):
        about = About()
        with (
            contextlib.suppress(UnidentifiedImageError),
            Image.open(io.BytesIO(encoded), formats=("JPEG", "PNG")) as file,
        ):
            about = photos.about_of(file)
        found, looks[i] = look_at(Picture(*picture, about=about))
        levels = found.joined(levels)
        bar.update()
    return looks, levels


def copies_in(found: dict[str, Any], name: str, other: str) -> tuple[np.ndarray, int]:
    """Pairs of indices in two splits, and how many were compared; see `copies`."""
    pairs, count = found["copies"][f"{name} in {other}"]
    return np.array(pairs, int).reshape(-1, 2), count


def examine(
    looks: dict[str, np.ndarray], levels: dict[str, Levels | None], domains: Domains
) -> dict[str, Any]:
    """Finds empty images, copies, and domains of several colour profiles.

    Returns:
        By split, the indices of empty images and the `levels`, None where there are no
        images; and by what was compared with what, pairs of indices and how many were
        compared; and a sentence for each domain of several colour profiles.
    """
    empty, filled, compared = {}, {}, {}
    for name, seen in looks.items():
        domain, trained = getattr(domains, name[-1].lower()), levels[f"train{name[-1]}"]
        low, high = trained[:2] if trained.are_labels else (domain.low, domain.high)
        is_empty = seen["spread"] <= SAME_VALUE * (high - low)
        empty[name], filled[name] = np.flatnonzero(is_empty), np.flatnonzero(~is_empty)
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
        "profiles": _mixed_profiles(looks),
    }


def _mixed_profiles(looks):
    """A sentence for each domain whose images have different colour profiles."""
    sentences = []
    for domain in "AB":
        counts = Counter()
        for split, seen in looks.items():
            if split.endswith(domain):
                counts.update(seen["profile"].tolist())
        if len(counts) > 1:
            found = counts.most_common()
            # Where one more is all that is left, its name is as short.
            most = MAX_PROFILES + (len(found) == MAX_PROFILES + 1)
            named = [f"{n} have {x.decode() or 'none'}" for x, n in found[:most]]
            if rest := found[most:]:
                named.append(f"{sum(n for _, n in rest)} one of {len(rest)} others")
            sentences.append(
                f"domain {domain}: colour profiles differ, and are not converted: of "
                f"its images {', '.join(named)}"
            )
    return sentences


def shown(config: ImageConfig, dataset: Dataset) -> Dataset:
    """A dataset as a run with these options sees it; see `found_in`."""
    if not config.drop_copies:
        return dataset
    found, left_out = found_in(dataset), {}
    for domain in "AB":
        train = f"train{domain}"
        again, _ = copies_in(found, train, train)
        of_test, _ = copies_in(found, f"test{domain}", train)
        # A copy of a test image goes with all its own copies, as each has an earlier.
        left_out[train] = np.union1d(again[:, 0], of_test[:, 1])
    return dataclasses.replace(dataset, left_out=left_out)


def left_out_in_words(dataset: Dataset) -> str:
    """How many images are left out, and of how many; empty unless asked to be.

    Raises `InputError` if it is all of a domain.
    """
    counts = {name: len(dataset.index[name]) for name in dataset.left_out}
    for name, left_out in dataset.left_out.items():
        if len(left_out) == counts[name]:
            raise InputError(
                f"--drop-copies leaves no image of {name}: all {counts[name]} are in "
                f"test{name[-1]}, too; give other test images, or leave it out."
            )
    named = " and ".join(
        f"{len(dataset.left_out[name])} of {count} images of {name}"
        for name, count in counts.items()
    )
    return named and f"--drop-copies: {named} are left out, as copies or test images"

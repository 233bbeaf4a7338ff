"""A look at a converted dataset, for what would spoil a training on it."""

import dataclasses
import pathlib

import numpy as np
import tensorflow as tf

from cyclegan_tf.common.console import progress_bar, say
from cyclegan_tf.data import copies, records
from cyclegan_tf.data.dataset import Dataset
from cyclegan_tf.data.shards import damage_named, examples

# No measurement, but experience: the paper's smallest training set has 400 images.
MIN_TRAINING_IMAGES = 50
# Of an empty image so much is of one value, give or take a hundredth of the range.
EMPTY_SHARE, SAME_VALUE = 0.95, 0.01
BATCH_SIZE = 256
MAX_NAMED = 3
HEADING = "", "images", "unreadable", "size", "width/height", "channels", "depth"
# What is compared with what, and what to do about pictures that are in both.
REPEATED = "remove them, as they count more than once"
LEAKED = "remove them from either, or scores come out too good"
SHARED = "keep them in one, unless A and B show the same on purpose"
COMPARED = (
    ("trainA", "trainA", REPEATED),
    ("trainB", "trainB", REPEATED),
    ("testA", "trainA", LEAKED),
    ("testB", "trainB", LEAKED),
    ("trainA", "trainB", SHARED),
    ("testA", "trainB", SHARED),
    ("testB", "trainA", SHARED),
)


@dataclasses.dataclass(frozen=True)
class Report:
    """What was found.

    Attributes:
        rows: of a table: a heading, and a line for each split.
        notes: a sentence for each comparison that was of a sample only.
        findings: a sentence for each thing that would spoil a training.
    """

    rows: list[tuple[str, ...]]
    notes: list[str]
    findings: list[str]

    def lines(self) -> list[str]:
        """The table, its columns aligned, the notes and the findings."""
        widths = [max(map(len, column)) for column in zip(*self.rows, strict=True)]
        table = [
            "  ".join(cell.ljust(n) for cell, n in zip(row, widths, strict=True))
            for row in self.rows
        ]
        return [*map(str.rstrip, table), *self.notes, *self.findings]


def tell(directory: pathlib.Path) -> None:
    """Says what `check` finds."""
    report = check(directory)
    for line in report.lines():
        say(line)
    if not report.findings:
        say("nothing was found that would spoil a training")


@damage_named()
def check(directory: pathlib.Path) -> Report:
    """Reads all images of a converted dataset once.

    Raises:
        Damaged: some cannot be read.
    """
    dataset = Dataset.open(directory)
    splits = dataset.splits()
    rows = [
        _row(split, dataset.manifest["splits"][name]["unreadable"])
        for name, split in splits.items()
    ]
    notes, findings, looks, filled = [], [], {}, {}
    total = sum(map(len, splits.values()))
    with progress_bar(total, f"checking {directory}", " images", delay=2) as bar:
        for name, split in splits.items():
            seen, is_empty = _look_at(split, bar)
            filled[name] = np.flatnonzero(~is_empty)
            looks[name] = seen.chosen(filled[name])
            findings += _few(split) + _empty(split, np.flatnonzero(is_empty))
    for name, other, advice in COMPARED:
        pairs, num_compared = _alike(name, other, looks, filled)
        if num_compared < len(filled[name]):
            notes.append(
                f"{name}: {num_compared} images, drawn at random, were compared with "
                f"{other}, as all would take long"
            )
        findings += _copies(splits[name], splits[other], pairs, num_compared, advice)
    return Report([HEADING, *rows], notes, findings)


@damage_named()
def seen_in_training(dataset: Dataset) -> list[str]:
    """A sentence for each domain: which of its test images training has seen, too.

    Raises:
        Damaged: some images cannot be read.
    """
    sentences, splits = [], dataset.splits()
    total = sum(map(len, splits.values()))
    with progress_bar(total, "looking for copies", " images", delay=2) as bar:
        for test, train in (("testA", "trainA"), ("testB", "trainB")):
            looks, filled = {}, {}
            for name in (test, train):
                seen, is_empty = _look_at(splits[name], bar)
                filled[name] = np.flatnonzero(~is_empty)
                looks[name] = seen.chosen(filled[name])
            pairs, count = _alike(test, train, looks, filled)
            none = [f"{test}: none of {count} images is in {train}"]
            sentences += _copies(splits[test], splits[train], pairs, count) or none
    return sentences


def _alike(name, other, looks, filled):
    """Pairs of images that show the same, and how many were compared."""
    others = None if other == name else looks[other]
    found, num_compared = copies.find_copies(looks[name], others)
    pairs = np.stack([filled[name][found[:, 0]], filled[other][found[:, 1]]], axis=1)
    return pairs, num_compared


def _look_at(split, bar):
    """What the images look like, and whether they are empty, bool `(count,)`."""
    bands = min(split.domain.channels, 3)  # those that are shown
    tolerance = SAME_VALUE * (split.domain.high - split.domain.low)

    def thumbnail(example):
        image = records.decode(example, split.domain)[..., :bands]
        return tf.image.resize(image, (copies.SIDE, copies.SIDE), antialias=True)

    found = examples(split, tf.data.Dataset.range(len(split)))
    thumbnails = found.map(thumbnail, num_parallel_calls=tf.data.AUTOTUNE)
    side = copies.THUMBNAIL_SIDE
    hashes = np.empty((len(split), 2), np.uint64)
    looks = copies.Looks(hashes, np.empty((len(split), side, side), np.float16))
    is_empty, start = np.empty(len(split), bool), 0
    for batch in thumbnails.batch(BATCH_SIZE).prefetch(1).as_numpy_iterator():
        end = start + len(batch)
        looks.hashes[start:end], looks.thumbnails[start:end] = copies.looks_of(batch)
        # A value that more than half have is the median.
        away = np.abs(batch - np.median(batch, axis=(1, 2), keepdims=True))
        is_same = (away <= tolerance).all(axis=-1)
        is_empty[start:end] = is_same.mean(axis=(1, 2)) >= EMPTY_SHARE
        bar.update(len(batch))
        start = end
    return looks, is_empty


def _row(split, unreadable):
    domain, sizes, aspects = split.domain, "", ""
    if len(split):
        areas, ratios = np.prod(split.sizes, axis=1), np.divide(*split.sizes.T[::-1])
        ends = split.sizes[[areas.argmin(), areas.argmax()]]
        sizes = _range(f"{height}x{width}" for height, width in ends)
        aspects = _range(f"{ratio:.2f}" for ratio in (ratios.min(), ratios.max()))
    bits = domain.dtype.removeprefix("uint")
    depth = bits if bits == domain.dtype else f"{bits} bits"
    numbers = map(str, (len(split), unreadable))
    return split.name, *numbers, sizes, aspects, str(domain.channels), depth


def _range(ends):
    return " to ".join(dict.fromkeys(ends))


def _few(split):
    count = len(split)
    if not split.name.startswith("train") or count >= MIN_TRAINING_IMAGES:
        return []
    return [
        f"{split.name}: only {count} images, which a discriminator learns by heart: "
        f"add some; in a long training --diffaugment color,translation,cutout may help"
    ]


def _empty(split, indices):
    if not len(indices):
        return []
    named = _listed(_names(split, indices[:MAX_NAMED]), len(indices))
    return [
        f"{split.name}: {len(indices)} of {len(split)} images are empty, of one value "
        f"in {EMPTY_SHARE:.0%} or more ({named}): remove them"
    ]


def _copies(split, other, pairs, num_compared, advice=None):
    if not len(pairs):
        return []
    of, among = (
        _names(*x) for x in zip((split, other), pairs[:MAX_NAMED].T, strict=True)
    )
    named = _listed([f"{a} = {b}" for a, b in zip(of, among, strict=True)], len(pairs))
    where = "are there before" if split is other else f"are in {other.name}, too"
    found = f"{split.name}: {len(pairs)} of {num_compared} images {where} ({named})"
    return [f"{found}: {advice}" if advice else found]


def _names(split, indices):
    """What images are called, or where they are in the shards."""
    found = examples(split, tf.data.Dataset.from_tensor_slices(indices))
    names = (example["image/filename"].numpy() for example in found)
    return [
        name.decode("utf-8", "replace") or f"record {index}"
        for name, index in zip(names, indices, strict=True)
    ]


def _listed(names, count):
    return ", ".join(names) + ", …" * (count > len(names))

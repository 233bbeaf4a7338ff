"""A look at a converted dataset, for what would spoil a training on it."""

import dataclasses
import pathlib

import numpy as np
import tensorflow as tf

from cyclegan_tf.common.console import progress_bar, say
from cyclegan_tf.config.sizes import size_text
from cyclegan_tf.data import copies, records
from cyclegan_tf.data.shards import (
    Split,
    damage_named,
    examples,
    open_split,
    read_manifest,
)

# No measurement, but experience: the paper's smallest training set has 400 images.
MIN_TRAINING_IMAGES = 50
# Of an empty image so much is of one value, give or take a hundredth of the range.
EMPTY_SHARE, SAME_VALUE = 0.95, 0.01
BATCH_SIZE = 256
MAX_NAMED = 3
# What is compared with what, and what to do about pictures that are in both.
COMPARED = (
    ("trainA", "trainA", "remove them, as they count more than once"),
    ("trainB", "trainB", "remove them, as they count more than once"),
    ("testA", "trainA", "remove them from either, or scores are too good"),
    ("testB", "trainB", "remove them from either, or scores are too good"),
    ("trainA", "trainB", "remove them from the domain that they do not belong to"),
    ("testA", "trainB", "remove them from the domain that they do not belong to"),
    ("testB", "trainA", "remove them from the domain that they do not belong to"),
)


@dataclasses.dataclass(frozen=True)
class Report:
    """What was found.

    Attributes:
        rows: of a table: a heading, and a line for each split.
        findings: a sentence for each thing that would spoil a training.
    """

    rows: list[tuple[str, ...]]
    findings: list[str]

    def lines(self) -> list[str]:
        """The table, its columns aligned, and the findings."""
        widths = [max(map(len, column)) for column in zip(*self.rows, strict=True)]
        table = [
            "  ".join(cell.ljust(n) for cell, n in zip(row, widths, strict=True))
            for row in self.rows
        ]
        return [*map(str.rstrip, table), *self.findings]


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
    manifest = read_manifest(directory)
    splits = {name: open_split(directory, name) for name in manifest["splits"]}
    heading = "", "images", "unreadable", "height x width", "aspect", "channels", "depth"
    rows, findings, filled, looks = [heading], [], {}, {}
    total = sum(map(len, splits.values()))
    with progress_bar(total, f"checking {directory}", " images", delay=2) as bar:
        for name, split in splits.items():
            rows.append(_row(split, manifest["splits"][name]["unreadable"]))
            if not len(split):
                continue
            seen, is_empty = _look_at(split, bar)
            filled[name] = np.flatnonzero(~is_empty)
            looks[name] = seen.chosen(filled[name])
            findings += _few(split) + _empty(split, np.flatnonzero(is_empty))
    for name, other, advice in COMPARED:
        others = None if other == name else looks[other]
        found, num_compared = copies.find_copies(looks[name], others)
        pairs = np.stack([filled[name][found[:, 0]], filled[other][found[:, 1]]], axis=1)
        findings += _copies(splits[name], splits[other], pairs, num_compared, advice)
    return Report(rows, findings)


def _look_at(split, bar):
    """What the images look like, and whether they are empty, bool `(count,)`."""
    low, high, bands = split.domain.low, split.domain.high, min(split.domain.channels, 3)

    def thumbnail(example):
        image = records.decode(example, split.domain)[..., :bands]
        return tf.image.resize(image, (copies.SIDE, copies.SIDE), antialias=True)

    found = examples(split, tf.data.Dataset.range(len(split)))
    thumbnails = found.map(thumbnail, num_parallel_calls=tf.data.AUTOTUNE)
    looks, are_empty = [], []
    for batch in thumbnails.batch(BATCH_SIZE).prefetch(1).as_numpy_iterator():
        looks.append(copies.looks_of(batch))
        # A value that more than half have is the median.
        away = np.abs(batch - np.median(batch, axis=(1, 2), keepdims=True))
        is_same = (away <= SAME_VALUE * (high - low)).all(axis=-1)
        are_empty.append(is_same.mean(axis=(1, 2)) >= EMPTY_SHARE)
        bar.update(len(batch))
    together = copies.Looks(*map(np.concatenate, zip(*looks, strict=True)))
    return together, np.concatenate(are_empty)


def _row(split, unreadable):
    domain = split.domain
    depth = domain.dtype.replace("uint", "") + " bits" * (domain.dtype != "float32")
    sizes, aspects = "", ""
    if len(split):
        areas = np.prod(split.sizes, axis=1)
        ends = split.sizes[[areas.argmin(), areas.argmax()]].tolist()
        sizes = " to ".join(dict.fromkeys(f"{h}x{w}" for h, w in ends))
        ratios = split.sizes[:, 1] / split.sizes[:, 0]
        ends = f"{ratios.min():.2f}", f"{ratios.max():.2f}"
        aspects = " to ".join(dict.fromkeys(ends))
    counts = str(len(split)), str(unreadable)
    return split.name, *counts, sizes, aspects, str(domain.channels), depth


def _few(split):
    count = len(split)
    if not split.name.startswith("train") or count >= MIN_TRAINING_IMAGES:
        return []
    return [
        f"{split.name}: only {count} images, which a discriminator learns by heart; add "
        f"some, or train with --diffaugment color,translation,cutout"
    ]


def _empty(split, indices):
    if not len(indices):
        return []
    named = ", ".join(_names(split, indices[:MAX_NAMED]))
    return [
        f"{split.name}: {len(indices)} of {len(split)} images are mostly empty, of one "
        f"value in more than {EMPTY_SHARE:.0%} ({named}): remove them"
    ]


def _copies(split, other, pairs, num_compared, advice):
    if not len(pairs):
        return []
    named = zip(
        _names(split, pairs[:MAX_NAMED, 0]),
        _names(other, pairs[:MAX_NAMED, 1]),
        strict=True,
    )
    named = ", ".join(f"{name} = {original}" for name, original in named)
    named += ", …" * (len(pairs) > MAX_NAMED)
    where = "come again" if split is other else f"are in {other.name}, too"
    drawn = ""
    return [
        f"{split.name}: {len(pairs)} of {num_compared} images {where} ({named}): {advice}"
    ]


def _names(split, indices):
    found = examples(split, tf.data.Dataset.from_tensor_slices(indices))
    names = [example["image/filename"].numpy() for example in found]
    return [name.decode("utf-8", "replace") for name in names]

"""A look at a converted dataset, for what would spoil a training on it."""

import dataclasses
import pathlib

import numpy as np

from cyclegan_tf.common.console import counted, say
from cyclegan_tf.data import copies
from cyclegan_tf.data.dataset import Dataset
from cyclegan_tf.data.findings import copies_in, found_in
from cyclegan_tf.data.loading import Levels
from cyclegan_tf.data.shards import damage_named, names_at
from cyclegan_tf.data.sources.tfds import in_words

# No measurement, but experience: the paper's smallest training set has 400 images.
MIN_TRAINING_IMAGES = 50
NARROW = 0.5  # of the range; photographs have more
MAX_NAMED = 3
# What to do about pictures that are in both.
REPEATED = "remove them, as they count more than once; --drop-copies trains without"
LEAKED = (
    "remove them from either, or scores come out too good; --drop-copies trains without"
)
SHARED = "keep them in one, unless A and B show the same on purpose"
TOLD = (
    ("trainA", "trainA", REPEATED),
    ("trainB", "trainB", REPEATED),
    ("testA", "trainA", LEAKED),
    ("testB", "trainB", LEAKED),
    ("trainA", "trainB", SHARED),
    ("testA", "trainB", SHARED),
    ("testB", "trainA", SHARED),
)
HEADING = "", "images", "unreadable", "size", "width/height", "channels", "depth"


@dataclasses.dataclass(frozen=True)
class Report:
    """What was found.

    Attributes:
        rows: of a table: a heading, and a line for each split.
        notes: a sentence for each comparison of a sample, and each mix of profiles.
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
    """What its conversion found out of a dataset; where it did not, all is read once.

    Raises:
        Damaged: some cannot be read.
    """
    dataset = Dataset.open(directory)
    splits, found = dataset.splits(), found_in(dataset)
    rows = [
        _row(split, dataset.manifest["splits"][name]["unreadable"])
        for name, split in splits.items()
    ]
    notes, findings = [], []
    levels = {x: Levels(*found["levels"][f"train{x}"]) for x in "AB"}
    for x, domain in zip("AB", dataset.domains, strict=True):
        findings += _few_values(f"train{x}", levels[x], domain)
    for name, split in splits.items():
        findings += _few(split) + _empty(
            split, found["empty"][name], levels[name[-1]].are_labels
        )
    for name, other, advice in TOLD:
        pairs, num_compared = copies_in(found, name, other)
        num_filled = len(splits[name]) - len(found["empty"][name])
        if num_compared < num_filled:
            notes.append(
                f"{name}: {num_compared} images, drawn at random, were compared with "
                f"{other}, as all would take long"
            )
        findings += _copies(splits[name], splits[other], pairs, num_compared, advice)
    return Report([HEADING, *rows], notes + found["profiles"], findings)


@damage_named()
def seen_in_training(dataset: Dataset) -> list[str]:
    """A sentence for each domain: which of its test images training has seen, too.

    Raises:
        Damaged: some images cannot be read.
    """
    sentences, splits, found = [], dataset.whole.splits(), found_in(dataset)
    for test, train in (("testA", "trainA"), ("testB", "trainB")):
        pairs, count = copies_in(found, test, train)
        pairs = pairs[~np.isin(pairs[:, 1], dataset.left_out.get(train, ()))]
        none = [f"{test}: none of {count} images is in {train}"]
        sentences += _copies(splits[test], splits[train], pairs, count) or none
    return sentences


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
        f"{split.name}: only {counted(count, 'image')}, which a discriminator learns "
        f"by heart: add some; in a long training --diffaugment "
        f"color,translation,cutout may help"
    ]


def _few_values(name, levels, domain):
    """Of a domain of labels, or whose values are few of those that its type has."""
    low, high, _ = levels
    share = (high - low) / (domain.high - domain.low)
    findings = []
    if 0 < share < NARROW:
        findings.append(
            f"{name}: all values are from {low:g} to {high:g}, {share:.0%} of the "
            f"range that a training takes: --range-{name[-1].lower()} {low:g},{high:g} "
            f"takes these only"
        )
    if levels.are_labels and share:
        findings.append(
            f"{name}: the images have only {len(levels.values)} different values; if "
            f"these are classes, as in masks and label maps, resizing mixes them, and "
            f"--resample-{name[-1].lower()} nearest does not"
        )
    return findings


def _empty(split, indices, of_labels):
    if not len(indices):
        return []
    named = _listed(_names(split, indices[:MAX_NAMED]), len(indices))
    if of_labels:
        found = "have one value", "which masks and label maps may"
    else:
        found = "are empty, of one value", "remove them"
    return [
        f"{split.name}: {len(indices)} of {len(split)} images {found[0]} in "
        f"{copies.EMPTY_SHARE:.0%} or more ({named}): {found[1]}"
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
    names = map(in_words, names_at(split, indices))
    return [name or f"record {i}" for name, i in zip(names, indices, strict=True)]


def _listed(names, count):
    return ", ".join(names) + ", …" * (count > len(names))

"""A look at a converted dataset, for what would spoil a training on it."""

import numpy as np

from cyclegan_tf.common.console import counted
from cyclegan_tf.data.dataset import Dataset
from cyclegan_tf.data.findings import COMPARED, copies_in, found_in
from cyclegan_tf.data.looks import EMPTY_SHARE, Levels
from cyclegan_tf.data.shards import names_of
from cyclegan_tf.data.sources.tfds import in_words

# No measurement, but experience: the paper's smallest training set has 400 images.
MIN_TRAINING_IMAGES = 50
NARROW = 0.5  # of the range; photographs have more
MAX_NAMED = 3
# What to do about pictures that are in both, see `findings.COMPARED`.
REPEATED = "remove them, as they count more than once; --drop-copies trains without"
LEAKED = (
    "remove them from either, or scores come out too good; --drop-copies trains without"
)
SHARED = "keep them in one, unless A and B show the same on purpose"
HEADING = "", "images", "unreadable", "size", "width/height", "channels", "depth"
NOTHING = "nothing was found that would spoil a training"


def check(dataset: Dataset) -> list[str]:
    """What its conversion found out of a dataset; where it did not, all is read once.

    Returns:
        Lines: a table of the splits; a sentence for each comparison of a sample, and
        each mix of profiles; and one for each thing that would spoil a training, or
        `NOTHING`. `Damaged` is raised if an image cannot be read.
    """
    splits, found, findings = dataset.splits(), found_in(dataset), []
    levels = {x: Levels(*found["levels"][f"train{x}"]) for x in "AB"}
    for x, domain in zip("AB", dataset.domains, strict=True):
        findings += _few_values(f"train{x}", levels[x], domain)
    for name, split in splits.items():
        of_labels = levels[name[-1]].are_labels
        findings += _few(split) + _empty(split, found["empty"][name], of_labels)
    notes = []
    for name, other in COMPARED:
        pairs, num_compared = copies_in(found, name, other)
        num_filled = len(splits[name]) - len(found["empty"][name])
        if num_compared < num_filled:
            notes.append(
                f"{name}: {num_compared} images, drawn at random, were compared with "
                f"{other}, as all would take long"
            )
        advice = REPEATED if name == other else LEAKED
        advice = advice if name[-1] == other[-1] else SHARED
        told = _copies(splits[name], splits[other], pairs, num_compared)
        findings += [f"{sentence}: {advice}" for sentence in told]
    notes += found["profiles"]
    return [*_table(dataset.manifest, splits), *notes, *(findings or [NOTHING])]


def seen_in_training(dataset: Dataset) -> list[str]:
    """A sentence for each domain: which of its test images training has seen, too."""
    sentences, splits, found = [], dataset.whole.splits(), found_in(dataset)
    for test, train in (("testA", "trainA"), ("testB", "trainB")):
        pairs, count = copies_in(found, test, train)
        pairs = pairs[~np.isin(pairs[:, 1], dataset.left_out.get(train, ()))]
        none = [f"{test}: none of {counted(count, 'image')} is in {train}"]
        sentences += _copies(splits[test], splits[train], pairs, count) or none
    return sentences


def _table(manifest, splits):
    rows = [HEADING]
    for name, split in splits.items():
        domain, sizes, aspects = split.domain, "", ""
        if len(split):
            areas, ratios = (
                np.prod(split.sizes, axis=1),
                np.divide(*split.sizes.T[::-1]),
            )
            ends = split.sizes[[areas.argmin(), areas.argmax()]]
            sizes = _range(f"{height}x{width}" for height, width in ends)
            aspects = _range(f"{ratio:.2f}" for ratio in (ratios.min(), ratios.max()))
        bits = domain.dtype.removeprefix("uint")
        depth = bits if bits == domain.dtype else f"{bits} bits"
        unreadable = manifest["splits"][name]["unreadable"]
        numbers = str(len(split)), str(unreadable)
        rows.append((name, *numbers, sizes, aspects, str(domain.channels), depth))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    cells = (
        (cell.ljust(n) for cell, n in zip(row, widths, strict=True)) for row in rows
    )
    return ["  ".join(row).rstrip() for row in cells]


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
    if not indices:
        return []
    named = _listed(_names(split, indices[:MAX_NAMED]), len(indices))
    if of_labels:
        found = "have one value", "which masks and label maps may"
    else:
        found = "are empty, of one value", "remove them"
    return [
        f"{split.name}: {len(indices)} of {len(split)} images {found[0]} in "
        f"{EMPTY_SHARE:.0%} or more ({named}): {found[1]}"
    ]


def _copies(split, other, pairs, num_compared):
    """A sentence on the images that are in both, if there are any."""
    first = pairs[np.unique(pairs[:, 0], return_index=True)[1]]
    if not len(first):
        return []
    of, among = _names(split, first[:MAX_NAMED, 0]), _names(other, first[:MAX_NAMED, 1])
    named = _listed([f"{a} = {b}" for a, b in zip(of, among, strict=True)], len(first))
    where = "are there before" if split is other else f"are in {other.name}, too"
    return [f"{split.name}: {len(first)} of {num_compared} images {where} ({named})"]


def _names(split, indices):
    """What images are called, or where they are in the shards."""
    names = map(in_words, names_of(split, indices))
    return [name or f"record {i}" for name, i in zip(names, indices, strict=True)]


def _listed(names, count):
    return ", ".join(names) + ", …" * (count > len(names))

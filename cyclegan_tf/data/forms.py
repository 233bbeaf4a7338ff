"""Deciding the form of a domain: by its images, and by the options of a training."""

import dataclasses

import numpy as np
import tensorflow as tf

from cyclegan_tf.common.console import say
from cyclegan_tf.common.errors import InputError
from cyclegan_tf.config.ranges import Range
from cyclegan_tf.config.sizes import Frame, size_text
from cyclegan_tf.data import records
from cyclegan_tf.data.domain import Domain, form_text
from cyclegan_tf.data.shards import Split, damage_named, examples

# How many bits the values of a 16-bit file may have: what cameras and scanners give.
BITS = (10, 12, 14, 16)
# Of a training set, for percentiles and for the share of values that is clipped.
MAX_SAMPLED = 1000  # images
MAX_VALUES = 10_000_000
# A picture that is stretched by more than this share looks stretched.
VISIBLE_STRETCH = 0.1


def common_form(domain: str, names: dict[tuple[int, str], str]) -> tuple[int, str]:
    """Number of channels and type of all images of a domain, "A" or "B".

    Of an image of each form that was found, `names` has the name. Raises `InputError`,
    which names these, if they are mixed, and not only grey and RGB of integers.
    """
    channels, dtypes = zip(*names, strict=True)
    is_grey_and_rgb = set(channels) == {1, 3} and "float32" not in dtypes
    if len(set(dtypes)) > 1 or (len(names) > 1 and not is_grey_and_rgb):
        kinds = ", ".join(f"{form_text(*form)} ({n})" for form, n in names.items())
        raise InputError(
            f"the images of domain {domain} must have the same type and number of "
            f"channels (grey and RGB of one type may be mixed), and have {kinds}."
        )
    return max(channels), dtypes[0]


def default_domain(domain: str, form: tuple[int, str], low, high) -> Domain:
    """A domain, "A" or "B", with the range that its type, or its images, have.

    Of 16 bits the smallest of 10, 12, 14 or 16 bits that holds all; of floats `low` and
    `high`, which were found in the training images, and raise `InputError` if equal.
    """
    channels, dtype = form
    if dtype == "uint8":
        return Domain(channels, dtype)
    if low == high:
        raise InputError(f"all values in the images of domain {domain} are {low:g}.")
    if dtype == "uint16":
        bits = next(bits for bits in BITS if high < 2**bits)
        return Domain(channels, dtype, 0.0, 2.0**bits - 1)
    return Domain(channels, dtype, float(low), float(high))


@damage_named()
def chosen_domain(
    split: Split, domain: str, channels: int | None, given: Range | None
) -> Domain:
    """The form in which a training reads a domain: by its images, unless options say.

    A range that is given is said, and how many values of the training images, `split`,
    are outside of it. Raises `InputError` for a form that the images cannot have, or an
    empty range.
    """
    found = split.domain
    if channels is not None and channels != found.channels:
        if not (found.is_encodable and channels in (1, 3)):
            raise InputError(
                f"--channels-{domain} {channels}: the images of domain "
                f"{domain.upper()} are {form_text(found.channels, found.dtype)}; grey "
                f"and RGB ones of integers become each other, and nothing else does."
            )
        found = dataclasses.replace(found, channels=channels)
    if given is None:
        return found
    if len(given.lows) not in (1, found.channels):
        raise InputError(
            f"--range-{domain} gives ranges of {len(given.lows)} channels; the images "
            f"of domain {domain.upper()} have {found.channels}."
        )
    # One array of values for each range: of all channels, or of each.
    values = _values(split, found)
    if not given.is_per_channel:
        values = [np.concatenate(values)]
    ends = np.broadcast_to(np.transpose(given[:2]), (len(values), 2))
    bounds, outside = [], []
    for number, (some, within) in enumerate(zip(values, ends, strict=True), 1):
        if not some.size:
            raise InputError(
                f"--range-{domain}: channel {number} has no value in any image; give "
                f"one range for all channels."
            )
        within = np.percentile(some, within) if given.are_percentiles else within
        low, high = map(float, within)
        if low == high:
            where = f" of channel {number}" if given.is_per_channel else ""
            raise InputError(
                f"--range-{domain}: both percentiles{where} are {low:g}; take others, "
                f"or give values."
            )
        bounds.append((low, high))
        outside.append((some < low) | (some > high))
    low, high = zip(*bounds, strict=True) if given.is_per_channel else bounds[0]
    chosen = Domain(found.channels, found.dtype, low, high)
    say(
        f"domain {domain.upper()}: {chosen.range_text} become -1 to 1, and "
        f"{np.concatenate(outside).mean():.2%} of the values are outside and clipped"
    )
    return chosen


def _values(split, domain):
    """Values of the images, an array of each channel; evenly taken if they are many."""
    sample = split.sample(MAX_SAMPLED)
    count = np.prod(sample.sizes, axis=1, dtype=np.int64).sum() * domain.channels
    step = max(1, count // MAX_VALUES)
    found = [[] for _ in range(domain.channels)]
    for example in examples(sample, tf.data.Dataset.range(len(sample))):
        image = records.decode(example, domain).numpy()
        valid = records.decode_valid(example, domain).numpy()
        for channel, values in enumerate(found):
            values.append(image[..., channel][valid[..., channel]][::step])
    return [np.concatenate(values) for values in found]


def tell_of_sizes(split: Split, frame: Frame) -> None:
    """Says how many images are stretched, or too small, for a frame."""
    size, count = size_text(*frame[:2]), len(split)
    if frame.resize == "stretch":
        aspects = split.sizes[:, 1] / split.sizes[:, 0]
        factors = aspects / (frame.width / frame.height)
        factors = np.maximum(factors, 1 / factors)
        if stretched := np.sum(factors > 1 + VISIBLE_STRETCH):
            say(
                f"{split.name}: {stretched} of {count} images are stretched by more "
                f"than a tenth, up to {factors.max():.1f} times; --resize fit crops "
                f"them instead, and --image-size takes a HEIGHTxWIDTH of their aspect"
            )
    elif frame.resize == "none":
        small = np.sum((split.sizes < frame[:2]).any(axis=1))
        if small:
            say(f"{split.name}: {small} of {count} images are mirrored up to {size}")

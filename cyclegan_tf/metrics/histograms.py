"""Matching of histograms: the most that a mapping of single values can do."""

import numpy as np

# In all, of each channel: more would not move a quantile by a grey level.
MAX_VALUES = 2**17


def pooled_values(images, per_image, first_index=0):
    """Values of pixels at random places of each image.

    Args:
        images: `(n, height, width, channels)`.
        per_image: how many pixels to take of each; all where they are fewer.
        first_index: place of the first image in its set; the pixels depend on it alone,
            so that a set may come in batches.

    Returns:
        `(number, channels)`, of the type of the images.
    """
    chosen = []
    for i, image in enumerate(images, first_index):
        pixels = image.reshape(-1, image.shape[-1])
        if len(pixels) > per_image:
            rng = np.random.default_rng((0, i))
            pixels = pixels[rng.integers(len(pixels), size=per_image)]
        chosen.append(pixels)
    return np.concatenate(chosen)


def value_mapping(source, target):
    """The rising mapping, by channel, that gives values the distribution of others.

    Args:
        source, target: `(n, channels)` and `(m, channels)`, in any unit.

    Returns:
        By channel two float64 arrays: the values of the source from the lowest on, and
        what becomes of each: the mean of the target's values at the same ranks.
    """
    return [
        _channel_mapping(*channel) for channel in zip(source.T, target.T, strict=True)
    ]


def mapped(images, mapping):
    """Images after such a mapping, which is linear between its values.

    Args:
        images: `(n, height, width, channels)`.
        mapping: from `value_mapping`.

    Returns:
        float32, same shape.
    """
    channels = [
        np.interp(images[..., i], values, new)
        for i, (values, new) in enumerate(mapping)
    ]
    return np.stack(channels, axis=-1).astype(np.float32)


def _channel_mapping(source, target):
    values, counts = np.unique(source, return_counts=True)
    ends = np.cumsum(counts) / len(source)
    # Means between ranks are differences of this integral.
    integral = np.cumsum(np.sort(target), dtype=np.float64) / len(target)
    ranks = np.arange(1, len(target) + 1) / len(target)
    up_to = np.interp(ends, [0, *ranks], [0, *integral])
    return np.float64(values), np.diff(up_to, prepend=0) / np.diff(ends, prepend=0)

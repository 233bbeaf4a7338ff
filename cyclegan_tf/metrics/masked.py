"""Scores of translations against the truth, where masks say what was to change."""

import numpy as np

from cyclegan_tf.metrics.wasserstein import sliced_wasserstein

PATCH_SIZE = 5
MAX_PATCHES = 50_000


def patches_inside(images, masks, size=PATCH_SIZE, limit=MAX_PATCHES):
    """The square patches that lie wholly inside the masks; of many, a random choice.

    Args:
        images: uint8 `(n, height, width, channels)`.
        masks: bool `(n, height, width)`.
        size: side of a patch in pixels.
        limit: the most patches returned.

    Returns:
        float64 `(number, size * size * channels)` in grey levels.
    """
    windows = np.lib.stride_tricks.sliding_window_view(masks, (size, size), (1, 2))
    places = np.argwhere(windows.all(axis=(3, 4)))
    if len(places) > limit:
        rng = np.random.default_rng(0)
        places = places[np.sort(rng.choice(len(places), limit, replace=False))]
    n, y, x = places.T
    views = np.lib.stride_tricks.sliding_window_view(images, (size, size), (1, 2))
    num_values = size * size * images.shape[3]
    return views[n, y, x].reshape(len(places), num_values).astype(np.float64)


def coat_distance(translated, masks, real, real_masks):
    """How far translated animals are from the real coats of the other domain.

    Args:
        translated, real: `(n, height, width, channels)` and `(m, ...)`, arrays or
            lists of images, in grey levels; the second of the target domain.
        masks, real_masks: bool, of the same shapes without channels, true on the
            animals.

    Returns:
        float, grey levels: sliced Wasserstein distance between the patches inside.
    """
    return sliced_wasserstein(
        patches_inside(np.asarray(translated), masks),
        patches_inside(np.asarray(real), real_masks),
    )


def background_error(translated, real, masks):
    """How much a translation changed what it should have left alone.

    Args:
        translated, real: `(n, height, width, channels)`, after and before.
        masks: bool `(n, height, width)`, true on the animals.

    Returns:
        float, grey levels: mean absolute error over the pixels outside the masks.
    """
    difference = np.abs(np.float64(translated) - np.float64(real))
    return float(difference[~masks].mean())

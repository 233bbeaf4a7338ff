"""Scores of translations against the truth, where masks say what was to change."""

import numpy as np

from cyclegan_tf.metrics.wasserstein import sliced_wasserstein

PATCH_SIZE = 5
MAX_PATCHES = 50_000


def patches_inside(images, masks):
    """The 5x5 patches that lie wholly inside the masks; of many, a random choice.

    Args:
        images: `(n, height, width, channels)`, of any type.
        masks: bool `(n, height, width)`.

    Returns:
        float64 `(number, 5 * 5 * channels)`.
    """
    size = (PATCH_SIZE, PATCH_SIZE)
    windows = np.lib.stride_tricks.sliding_window_view(masks, size, (1, 2))
    places = np.argwhere(windows.all(axis=(3, 4)))
    if len(places) > MAX_PATCHES:
        rng = np.random.default_rng(0)
        places = places[np.sort(rng.choice(len(places), MAX_PATCHES, replace=False))]
    n, y, x = places.T
    views = np.lib.stride_tricks.sliding_window_view(images, size, (1, 2))
    num_values = PATCH_SIZE**2 * images.shape[3]
    return views[n, y, x].reshape(len(places), num_values).astype(np.float64)


def coat_distance(translated, real, masks):
    """How far translated animals are from the real coats of the other domain.

    Args:
        translated, real: `(n, height, width, channels)`, arrays or lists of images, in
            grey levels; the second of the target domain.
        masks: bool `(n, height, width)`, true on the animals of both.

    Returns:
        float, grey levels: sliced Wasserstein distance between the patches inside.
    """
    patches = (patches_inside(np.asarray(x), masks) for x in (translated, real))
    return sliced_wasserstein(*patches)


def background_error(translated, real, masks):
    """How much a translation changed what it should have left alone.

    Args:
        translated, real: `(n, height, width, channels)` in grey levels, after and
            before.
        masks: bool `(n, height, width)`, true on the animals.

    Returns:
        float: mean absolute error over the pixels outside the masks.
    """
    difference = np.abs(np.float64(translated) - np.float64(real))
    return float(difference[~masks].mean())

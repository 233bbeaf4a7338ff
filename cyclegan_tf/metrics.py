"""Scores of translations against the truth: pure maths on NumPy arrays, in float64."""

import numpy as np

PATCH_SIZE = 5
NUM_PROJECTIONS = 256
MAX_PATCHES = 50_000


def sliced_wasserstein(first, second, seed=0, num_projections=NUM_PROJECTIONS):
    """Sliced Wasserstein-1 distance between two clouds of points.

    Args:
        first, second: arrays `(n, dimensions)` and `(m, dimensions)`, in any unit.
        seed: of the random directions.
        num_projections: number of directions.

    Returns:
        float, in the unit of the points: the mean over random unit vectors of the
        mean absolute difference between the sorted projections. Where n and m differ,
        the quantiles of the larger cloud are taken at the places of the smaller.

    Raises:
        ValueError: a cloud is empty, or the dimensions differ.

    Source: Rabin et al. 2011; Karras et al. 2018, arXiv:1710.10196, Sec. 5.
    """
    if not len(first) or not len(second) or first.shape[1] != second.shape[1]:
        raise ValueError(
            f"expected two clouds of points of equal dimension, got shapes "
            f"{first.shape} and {second.shape}."
        )
    rng = np.random.default_rng(seed)
    directions = rng.normal(size=(first.shape[1], num_projections))
    directions /= np.linalg.norm(directions, axis=0)
    first = np.sort(np.float64(first) @ directions, axis=0)
    second = np.sort(np.float64(second) @ directions, axis=0)
    num_quantiles = min(len(first), len(second))
    gap = _quantiles(first, num_quantiles) - _quantiles(second, num_quantiles)
    return float(np.mean(np.abs(gap)))


def _quantiles(ordered, number):
    if len(ordered) == number:
        return ordered
    places = (np.arange(number) + 0.5) / number * len(ordered) - 0.5
    below = np.floor(places).astype(int)
    above = np.minimum(below + 1, len(ordered) - 1)
    share = (places - below)[:, None]
    return ordered[below] * (1 - share) + ordered[above] * share


def patches_inside(images, masks, seed=0, size=PATCH_SIZE, limit=MAX_PATCHES):
    """All square patches that lie wholly inside the masks.

    Args:
        images: uint8 `(n, height, width, channels)`.
        masks: bool `(n, height, width)`.
        seed: of the choice among more than `limit` patches.
        size: side of a patch in pixels.
        limit: the most patches returned.

    Returns:
        float64 `(number, size * size * channels)` in grey levels.
    """
    windows = np.lib.stride_tricks.sliding_window_view(masks, (size, size), (1, 2))
    places = np.argwhere(windows.all(axis=(3, 4)))
    if len(places) > limit:
        rng = np.random.default_rng(seed)
        places = places[np.sort(rng.choice(len(places), limit, replace=False))]
    n, y, x = places.T
    views = np.lib.stride_tricks.sliding_window_view(images, (size, size), (1, 2))
    num_values = size * size * images.shape[3]
    return views[n, y, x].reshape(len(places), num_values).astype(np.float64)


def coat_distance(translated, masks, real, real_masks):
    """How far translated animals are from the real coats of the other domain.

    Args:
        translated: uint8 `(n, height, width, 3)`, translated or untranslated images.
        masks: bool `(n, height, width)`, their animals.
        real: uint8 `(m, height, width, 3)` images of the target domain.
        real_masks: bool `(m, height, width)`, their animals.

    Returns:
        float, grey levels: sliced Wasserstein distance between the patches inside.
    """
    return sliced_wasserstein(
        patches_inside(translated, masks), patches_inside(real, real_masks)
    )


def background_error(translated, real, masks):
    """How much a translation changed what it should have left alone.

    Args:
        translated, real: uint8 `(n, height, width, 3)`, after and before.
        masks: bool `(n, height, width)`, true on the animals.

    Returns:
        float, grey levels: mean absolute error over the pixels outside the masks.
    """
    difference = np.abs(np.float64(translated) - np.float64(real))
    return float(difference[~masks].mean())

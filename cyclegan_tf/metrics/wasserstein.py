"""Sliced Wasserstein distance, of clouds of points and of sets of images.

The images' one is the SWD of Karras et al. 2018, arXiv:1710.10196, Sec. 5: patches of
7x7 pixels from every level of a Laplacian pyramid, compared level by level, without any
trained network. The authors normalize each set by itself, which is blind to a wrong
overall colour or contrast. Here both are measured by the mean and spread of the second,
the real images: values are not those of papers.
"""

import numpy as np

NUM_PROJECTIONS = 256
BLOCK = 32  # projections at a time
PATCH_SIZE = 7
PATCHES_PER_IMAGE = 128
MIN_LEVEL_SIDE = 16
# In all: half a million numbers would not tell more, and 10,000 images have to fit.
MAX_PATCHES = 65_536
# The authors report a thousand times the distance.
SCALE = 1000.0
# Of Burt and Adelson 1983, as in the authors' program.
BINOMIAL = np.array([1, 4, 6, 4, 1], np.float32) / 16


def sliced_wasserstein(first, second):
    """Sliced Wasserstein-1 distance between two clouds of points.

    Args:
        first, second: arrays `(n, dimensions)` and `(m, dimensions)`, in any unit.

    Returns:
        float, in the unit of the points: the mean over 256 random unit vectors of the
        mean absolute difference between the sorted projections. Where n and m differ,
        the quantiles of the larger cloud are taken at the places of the smaller.

    Source: Rabin et al. 2011; Karras et al. 2018, arXiv:1710.10196, Sec. 5.
    """
    rng = np.random.default_rng(0)
    directions = rng.normal(size=(first.shape[1], NUM_PROJECTIONS))
    directions = np.float32(directions / np.linalg.norm(directions, axis=0)).T
    # Single precision sorts three times as fast; its rounding is a millionth.
    first, second = np.float32(first), np.float32(second)
    num_quantiles = min(len(first), len(second))
    total = 0.0
    for start in range(0, NUM_PROJECTIONS, BLOCK):  # large clouds have to fit
        block = directions[start : start + BLOCK]
        gap = _quantiles(np.sort(block @ first.T), num_quantiles)
        gap = gap - _quantiles(np.sort(block @ second.T), num_quantiles)
        total += np.sum(np.abs(gap), dtype=np.float64)
    return float(total / NUM_PROJECTIONS / num_quantiles)


def _quantiles(ordered, number):
    """From sorted rows to `number` quantiles of each."""
    length = ordered.shape[1]
    if length == number:
        return ordered
    places = (np.arange(number) + 0.5) / number * length - 0.5
    below = np.floor(places).astype(int)
    above = np.minimum(below + 1, length - 1)
    share = np.float32(places - below)
    return ordered[:, below] * (1 - share) + ordered[:, above] * share


def patches_per_image(num_images):
    """How many patches to take of each of `num_images`, to stay within the limit."""
    return max(1, min(PATCHES_PER_IMAGE, MAX_PATCHES // max(1, num_images)))


def laplacian_pyramid(images):
    """Splits images `(n, height, width, channels)` into octaves of detail.

    Returns:
        float32 arrays, the finest level first and each of half the size of the one
        before (rounded up), as long as both sides are at least 16 pixels. The last is
        what remains, the others are what the next lacks.
    """
    levels = [np.asarray(images, np.float32)]
    while min(levels[-1].shape[1:3]) >= 2 * MIN_LEVEL_SIDE:
        finer = levels[-1]
        coarser = _blur(finer)[:, ::2, ::2]
        spread = np.zeros_like(finer)
        spread[:, ::2, ::2] = 4 * coarser
        levels[-1] = finer - _blur(spread)
        levels.append(coarser)
    return levels


def _blur(images):
    padded = np.pad(images, ((0, 0), (2, 2), (2, 2), (0, 0)), mode="reflect")
    height, width = images.shape[1:3]
    rows = sum(BINOMIAL[i] * padded[:, i : i + height] for i in range(5))
    return sum(BINOMIAL[i] * rows[:, :, i : i + width] for i in range(5))


def pyramid_patches(images, per_image, first_index=0):
    """Patches from random places of every level of the images' pyramids.

    Args:
        images: `(n, height, width, channels)` in grey levels.
        per_image: number of patches of each image and level.
        first_index: place of the first image in its set; the places of the patches
            depend on it and the level alone, so that a set may come in batches.

    Returns:
        By level, the finest first: float32 `(n * per_image, 7 * 7, channels)`.
    """
    patches = []
    for number, level in enumerate(laplacian_pyramid(images)):
        size = (PATCH_SIZE, PATCH_SIZE)
        views = np.lib.stride_tricks.sliding_window_view(level, size, (1, 2))
        chosen = []
        for i, windows in enumerate(views):  # rows, columns, channels, 7, 7
            rng = np.random.default_rng((0, number, first_index + i))
            y = rng.integers(windows.shape[0], size=per_image)
            x = rng.integers(windows.shape[1], size=per_image)
            chosen.append(windows[y, x])
        flat = np.concatenate(chosen).reshape(-1, level.shape[3], PATCH_SIZE**2)
        patches.append(np.ascontiguousarray(flat.transpose(0, 2, 1)))
    return patches


def pyramid_distance(fakes, reals):
    """The SWD between two sets of images, from their patches.

    Args:
        fakes, reals: by level, what `pyramid_patches` returned of each set. The second
            sets the unit: its patches get mean 0 and standard deviation 1 per channel.

    Returns:
        By level, the finest first: a thousand times the sliced Wasserstein distance.
        The SWD of the sets is their mean.
    """
    distances = []
    for fake, real in zip(fakes, reals, strict=True):
        mean = np.float32(np.mean(real, axis=(0, 1), dtype=np.float64))
        deviation = np.float32(np.std(real, axis=(0, 1), dtype=np.float64))
        deviation[deviation == 0] = 1  # a flat channel keeps its unit
        points = (((x - mean) / deviation).reshape(len(x), -1) for x in (fake, real))
        distances.append(SCALE * sliced_wasserstein(*points))
    return distances

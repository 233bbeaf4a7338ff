"""Finding pictures that are the same but for their encoding, their size, or a mirror.

Images are compared by a perceptual hash; of each the nearest other one is then compared
once more, by its thumbnail: hashes of drawn or medical images are alike, too.
"""

from typing import NamedTuple

import numpy as np

# Side of what the hash is computed from, and how many frequencies it keeps.
SIDE, NUM_FREQUENCIES = 32, 8
# Side of the thumbnails that confirm it.
THUMBNAIL_SIDE = 16
# Of the 64 bits of a hash.
MAX_DISTANCE = 10
# Mean difference of two thumbnails, in the mean deviation of one from its mean.
MAX_DIFFERENCE = 0.1
# More pairs of images than these take minutes: then only some images are compared.
MAX_PAIRS = 5 * 10**9
BLOCK = 2**19  # pairs at a time, which the caches of a processor hold


class Looks(NamedTuple):
    """What images look like, as far as they are compared.

    Attributes:
        hashes: uint64 `(count, 2)`, of each image and of its mirror image.
        thumbnails: uint8 `(count, 16, 16, 1 or 3)`, from an image's least value to its
            greatest.
    """

    hashes: np.ndarray
    thumbnails: np.ndarray

    def chosen(self, indices: np.ndarray) -> "Looks":
        """Those of some of the images."""
        return Looks(self.hashes[indices], self.thumbnails[indices])


def looks_of(images: np.ndarray) -> Looks:
    """What images look like.

    Args:
        images: float32 `(count, 32, 32, channels)`, of any range.
    """
    lows = images.min(axis=(1, 2, 3), keepdims=True)
    spans = np.ptp(images, axis=(1, 2, 3), keepdims=True)
    levels = (images - lows) / np.where(spans > 0, spans, 1) * 255
    (count, _, _, channels), side = images.shape, THUMBNAIL_SIDE
    cells = levels.reshape(count, side, SIDE // side, side, SIDE // side, channels)
    thumbnails = np.uint8(np.round(cells.mean(axis=(2, 4))))
    return Looks(perceptual_hashes(levels.mean(axis=-1)), thumbnails)


def perceptual_hashes(images: np.ndarray) -> np.ndarray:
    """The pHash of grey images, and of their mirror images.

    A bit says whether a low frequency of the cosine transform is above the median of
    the 64 lowest.

    Args:
        images: float `(count, 32, 32)`.

    Returns:
        uint64 `(count, 2)`.

    Source: `phash` of the package ImageHash, after Krawetz, "Looks Like It", 2011.
    """
    frequencies = np.arange(NUM_FREQUENCIES)
    angles = np.outer(frequencies, 2 * np.arange(SIDE) + 1) * (np.pi / (2 * SIDE))
    cosines = np.cos(angles)
    low = cosines @ images @ cosines.T
    # Mirrored, the odd frequencies across change their sign.
    both = np.stack([low, low * (-1.0) ** frequencies], axis=1)
    both = both.reshape(-1, 2, NUM_FREQUENCIES**2)
    packed = np.packbits(both > np.median(both, axis=-1, keepdims=True), axis=-1)
    return packed.view(np.uint64)[..., 0]


def find_copies(images: Looks, others: Looks | None = None) -> tuple[np.ndarray, int]:
    """Which images show the same picture as one of the others.

    Args:
        images: to be compared.
        others: what with; None: of the images those that come before.

    Returns:
        int64 `(num_found, 2)`: the index of an image, and of the other one; and how
        many images were compared, which are drawn at random where there are too many.
    """
    is_within = others is None
    others = images if is_within else others
    rows = np.arange(len(images.hashes))
    most = MAX_PAIRS // max(1, len(others.hashes))
    if len(rows) > most:
        rows = np.sort(np.random.default_rng(0).choice(len(rows), most, replace=False))
    found = [np.empty((0, 2), int)]
    step = 1 + BLOCK // max(1, len(others.hashes))
    for block in (rows[start : start + step] for start in range(0, len(rows), step)):
        columns = np.arange(block[-1] if is_within else len(others.hashes))
        if not len(columns):
            continue
        for mirrored in (0, 1):
            hashes = images.hashes[block, mirrored]
            distances = np.bitwise_count(hashes[:, None] ^ others.hashes[columns, 0])
            if is_within:
                distances[columns >= block[:, None]] = 64
            nearest = distances.argmin(axis=1)
            near = distances[np.arange(len(block)), nearest] <= MAX_DISTANCE
            pairs = np.stack([block, nearest], axis=1)[near]
            is_copy = _differences(images, others, pairs, mirrored) <= MAX_DIFFERENCE
            found.append(pairs[is_copy])
            block = np.setdiff1d(block, pairs[is_copy, 0])
    return np.concatenate(found), len(rows)


def _differences(images, others, pairs, mirrored):
    first, second = images.thumbnails[pairs[:, 0]], others.thumbnails[pairs[:, 1]]
    if mirrored:
        first = first[:, :, ::-1]
    first, second = np.float32(first), np.float32(second)
    axes = (1, 2, 3)
    deviations = np.abs(second - second.mean(axis=axes, keepdims=True)).mean(axis=axes)
    differences = np.abs(first - second).mean(axis=axes)
    return differences / np.maximum(deviations, 1)

"""Finding pictures that are the same but for their encoding, their size, or a mirror.

Images are compared by a perceptual hash; the nearest few are then compared once more,
by their thumbnails, as hashes of drawn and of medical images are alike, too.
"""

from typing import NamedTuple

import numpy as np

# Side of what the hash is computed from, and how many frequencies it keeps.
SIDE, NUM_FREQUENCIES = 32, 8
# Side of the thumbnails that confirm it.
THUMBNAIL_SIDE = 16
# Of the 64 bits of a hash; and how many that are so near are looked at.
MAX_DISTANCE, NUM_CANDIDATES = 12, 16
# Mean difference of two thumbnails. Of 300 photographs saved anew as JPEG of quality 75
# the median has 0.006 and the worst 0.06; of 30: 0.02 and 0.2; at half the size:
# 0.002 and 0.009. The nearest images of the embedded datasets: 0.12 and 0.14.
MAX_DIFFERENCE = 0.1
# These take 8 s of a core. Where there are more, only some images are compared.
MAX_PAIRS = 2 * 10**9
BLOCK = 2**19  # pairs at a time, which the caches of a processor hold


class Looks(NamedTuple):
    """What images look like, as far as they are compared.

    Attributes:
        hashes: uint64 `(count, 2)`, of each image and of its mirror image.
        thumbnails: float16 `(count, 16, 16)`, grey; of each the mean is 0, and the
            mean deviation from it 1.
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
    grey = images.mean(axis=-1)
    side, scale = THUMBNAIL_SIDE, SIDE // THUMBNAIL_SIDE
    cells = grey.reshape(-1, side, scale, side, scale).mean(axis=(2, 4))
    cells -= cells.mean(axis=(1, 2), keepdims=True)
    deviations = np.abs(cells).mean(axis=(1, 2), keepdims=True)
    thumbnails = np.float16(cells / np.where(deviations > 0, deviations, 1))
    return Looks(perceptual_hashes(grey), thumbnails)


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
    is_within, others = others is None, images if others is None else others
    rows, count = np.arange(len(images.hashes)), len(others.hashes)
    most = MAX_PAIRS // max(1, count)
    if len(rows) > most:
        rows = np.sort(np.random.default_rng(0).choice(len(rows), most, replace=False))
    found = [np.empty((0, 2), int)]
    step = 1 + BLOCK // max(1, count)
    for block in (rows[start : start + step] for start in range(0, len(rows), step)):
        columns = np.arange(block[-1] if is_within else count)
        if not len(columns):
            continue
        for mirrored in (0, 1):
            hashes = images.hashes[block, mirrored]
            distances = np.bitwise_count(hashes[:, None] ^ others.hashes[columns, 0])
            if is_within:
                distances[columns >= block[:, None]] = NUM_FREQUENCIES**2
            pairs = _candidates(distances, block)
            pairs = pairs[
                _differences(images, others, pairs, mirrored) <= MAX_DIFFERENCE
            ]
            found.append(pairs)
            block = np.setdiff1d(block, pairs[:, 0])
    pairs = np.concatenate(found)
    _, firsts = np.unique(pairs[:, 0], return_index=True)
    return pairs[firsts], len(rows)


def _candidates(distances, block):
    """Pairs of an image of the block and one of the few others that are near to it."""
    near = np.flatnonzero(distances.min(axis=1, initial=64) <= MAX_DISTANCE)
    few = min(NUM_CANDIDATES, distances.shape[1])
    nearest = np.argpartition(distances[near], few - 1, axis=1)[:, :few]
    is_near = np.take_along_axis(distances[near], nearest, axis=1) <= MAX_DISTANCE
    pairs = np.stack([np.broadcast_to(block[near, None], nearest.shape), nearest], -1)
    return pairs[is_near]


def _differences(images, others, pairs, mirrored):
    first, second = images.thumbnails[pairs[:, 0]], others.thumbnails[pairs[:, 1]]
    if mirrored:
        first = first[:, :, ::-1]
    return np.abs(np.float32(first) - second).mean(axis=(1, 2))

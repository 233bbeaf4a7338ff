"""Finding pictures that are the same but for their encoding, their size, or a mirror.

Images are compared by a perceptual hash; the nearest few are then compared once more,
by their thumbnails, as hashes of drawn and of medical images are alike, too.
"""

import math
from collections.abc import Sequence

import numpy as np
from PIL import Image

# Side of what the hash is computed from, and how many frequencies it keeps.
SIDE, NUM_FREQUENCIES = 32, 8
# Side of the thumbnails that confirm it.
THUMBNAIL_SIDE = SIDE // 2
# Of the 64 bits of a hash; and how many that are so near are looked at.
MAX_DISTANCE, NUM_CANDIDATES = 12, 16
# Mean difference of two thumbnails. Of 300 photographs saved anew as JPEG of quality 75
# the median has 0.006 and the worst 0.06; of 30: 0.02 and 0.2; at half the size:
# 0.002 and 0.009. The nearest images of the embedded datasets: 0.12 and 0.14.
MAX_DIFFERENCE = 0.1
# These take 8 s of a core. Where there are more, only some images are compared.
MAX_PAIRS = 2 * 10**9
BLOCK = 2**19  # pairs at a time, which the caches of a processor hold


# What an image looks like: hashes, of it and of its mirror image; a grey thumbnail,
# whose mean is 0 and whose mean deviation from it is 1; its `spread`; and what its
# colour profile is called, if it has one.
LOOK = np.dtype(
    [
        ("hashes", np.uint64, 2),
        ("thumbnail", np.float16, (THUMBNAIL_SIDE, THUMBNAIL_SIDE)),
        ("spread", np.float32),
        ("profile", "S48"),
    ]
)
EMPTY_SHARE = 0.95


def shrunk(pixels: np.ndarray, is_exact: bool = True) -> np.ndarray:
    """An image of any size and type as float32 `(bands, 32, 32)`, antialiased.

    Args:
        pixels: `(height, width, channels)`, of which the first three are taken.
        is_exact: whether uint8 is not rounded, which takes longer.
    """
    bands = pixels[..., :3]
    if bands.dtype == np.uint8 and bands.shape[-1] != 2 and not is_exact:
        planes = [bands[..., 0] if bands.shape[-1] == 1 else bands]
    else:
        planes = [np.float32(bands[..., i]) for i in range(bands.shape[-1])]
    size = (SIDE, SIDE)
    small = [
        np.asarray(Image.fromarray(plane).resize(size, Image.Resampling.BILINEAR))
        for plane in planes
    ]
    return np.moveaxis(np.dstack(small), -1, 0).astype(np.float32, order="C")


def spread(bands: np.ndarray) -> float:
    """How far from the most frequent value all but a twentieth of a `shrunk` image is.

    That value is the median if more than half have it.
    """
    medians = np.median(bands, axis=(1, 2), keepdims=True)
    away = np.abs(bands - medians).max(axis=0).ravel()
    most = math.ceil(EMPTY_SHARE * SIDE**2) - 1
    return np.partition(away, most)[most]


def looks_of(shrunk_images: Sequence[np.ndarray]) -> np.ndarray:
    """What images look like, an array `(count,)` of `LOOK`, without profiles."""
    looks = np.zeros(len(shrunk_images), LOOK)
    looks["spread"] = list(map(spread, shrunk_images))
    grey = np.empty((len(looks), SIDE, SIDE), np.float32)
    for image, bands in zip(grey, shrunk_images, strict=True):
        bands.mean(axis=0, out=image)
    rows = grey[:, ::2] + grey[:, 1::2]
    cells = (rows[..., ::2] + rows[..., 1::2]) / 4
    cells -= cells.mean(axis=(1, 2), keepdims=True)
    deviations = np.abs(cells).mean(axis=(1, 2), keepdims=True)
    looks["thumbnail"] = cells / np.where(deviations > 0, deviations, 1)
    looks["hashes"] = perceptual_hashes(grey)
    return looks


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
    both = both.reshape(len(both), 2, NUM_FREQUENCIES**2)
    packed = np.packbits(both > np.median(both, axis=-1, keepdims=True), axis=-1)
    return packed.view(np.uint64)[..., 0]


def find_copies(
    images: np.ndarray, others: np.ndarray | None = None
) -> tuple[np.ndarray, int]:
    """Which images show the same picture as one of the others.

    Args:
        images: `LOOK`s to be compared.
        others: what with; None: of the images those that come before.

    Returns:
        int64 `(num_found, 2)`: the index of an image, and of the other one; and how
        many images were compared, which are drawn at random where there are too many.
    """
    is_within, others = others is None, images if others is None else others
    rows, count = np.arange(len(images)), len(others)
    # Not far apart in memory, as they are read again and again.
    hashes, plain = images["hashes"].copy(), others["hashes"][:, 0].copy()
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
            differing = hashes[block, mirrored, None] ^ plain[columns]
            distances = np.bitwise_count(differing)
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
    first = images["thumbnail"][pairs[:, 0]]
    second = others["thumbnail"][pairs[:, 1]]
    if mirrored:
        first = first[:, :, ::-1]
    return np.abs(np.float32(first) - second).mean(axis=(1, 2))

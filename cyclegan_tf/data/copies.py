"""Finding pictures that are the same but for their encoding, their size, or a mirror.

Images are compared by a perceptual hash; the nearest few are then compared once more,
by their thumbnails, as hashes of drawn and of medical images are alike, too.
"""

import numpy as np

# Of the 64 bits of a hash; and how many that are so near are looked at.
NUM_BITS, MAX_DISTANCE, NUM_CANDIDATES = 64, 12, 16
# Mean difference of two thumbnails. Of 300 photographs saved anew as JPEG of quality 75
# the median has 0.006 and the worst 0.06; of 30: 0.02 and 0.2; at half the size:
# 0.002 and 0.009. The nearest images of the embedded datasets: 0.12 and 0.14.
MAX_DIFFERENCE = 0.1
# These take 8 s of a core. Where there are more, only some images are compared.
MAX_PAIRS = 2 * 10**9
BLOCK = 2**19  # pairs at a time, which the caches of a processor hold


def find_copies(
    images: np.ndarray, others: np.ndarray | None = None
) -> tuple[np.ndarray, int]:
    """Which images show the same picture as which of the others.

    They are compared by their `LOOK`s; without others with those that come before.

    Returns:
        int64 `(num_found, 2)`, sorted: the index of an image, and of one of the others,
        at most 16 for each; and how many images were compared, which are drawn at
        random where there are too many.
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
                distances[columns >= block[:, None]] = NUM_BITS
            pairs = _candidates(distances, block)
            differences = _differences(images, others, pairs, mirrored)
            found.append(pairs[differences <= MAX_DIFFERENCE])
    return np.unique(np.concatenate(found), axis=0), len(rows)


def _candidates(distances, block):
    """Pairs of an image of the block and one of the few others that are near to it."""
    near = np.flatnonzero(distances.min(axis=1) <= MAX_DISTANCE)
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

"""FID and KID: distances between two sets of images by features of a network."""

from typing import NamedTuple

import numpy as np

BLOCK = 512
NUM_RESAMPLES = 200
CONFIDENCE = 0.95
# Drawn anew, of 2 images no other value comes out, and of 3 few.
MIN_FOR_INTERVAL = 4


def fid(first, second):
    """Frechet distance between the Gaussians of two sets of features.

    It is biased: the smaller the sets, the larger. Compare only equal counts.

    Args:
        first, second: `(n, dimensions)` and `(m, dimensions)`, at least 2 rows each.

    Returns:
        float, `|mean difference|^2 + trace(C1 + C2 - 2 (C1 C2)^(1/2))`, with the
        unbiased covariances C1 and C2, in float64.

    Source: Heusel et al. 2017, arXiv:1706.08500, Eq. 6; Dowson and Landau 1982.
    """
    mean1, root1 = _mean_and_root(first)
    mean2, root2 = _mean_and_root(second)
    # C1 = R1' R1 and C2 = R2' R2: the eigenvalues of C1 C2 are the squared singular
    # values of R1 R2'. No root of a matrix, nothing complex, and quick for few images.
    trace_of_root = np.linalg.svd(root1 @ root2.T, compute_uv=False).sum()
    difference = mean1 - mean2
    distance = difference @ difference + np.sum(root1**2) + np.sum(root2**2)
    return float(max(distance - 2 * trace_of_root, 0.0))


def _mean_and_root(features):
    """The mean, and a matrix R of few rows with R' R the unbiased covariance."""
    centred = np.array(features, np.float64)
    mean = centred.mean(axis=0)
    centred -= mean
    if len(centred) > centred.shape[1]:
        centred = np.linalg.qr(centred, mode="r")
    return mean, centred / np.sqrt(len(features) - 1)


class Kid(NamedTuple):
    """A KID and its 95 % bootstrap interval."""

    value: float
    low: float
    high: float


def kid(first, second):
    """Kernel distance between two sets of features: unbiased, with an interval.

    The squared maximum mean discrepancy under the kernel `(x . y / dimensions + 1)^3`.
    But for noise it does not depend on the number of images, and may be below 0. The
    interval comes from drawing both sets anew with replacement, without the pairs of an
    image with its own copy, which would shift it; below `MIN_FOR_INTERVAL` rows it says
    nothing.

    Args:
        first, second: `(n, dimensions)` and `(m, dimensions)`, at least 2 rows each.

    Source: Binkowski et al. 2018, arXiv:1801.01401, Sec. 3 (who report the mean and
    spread over random subsets instead).
    """
    rng = np.random.default_rng(0)
    # The first column is the sample as it is.
    times1, times2 = (
        np.column_stack(
            [np.ones(n), rng.multinomial(n, [1 / n] * n, NUM_RESAMPLES).T]
        ).astype(np.float64)
        for n in (len(first), len(second))
    )
    values = (
        _mean_within(first, times1)
        + _mean_within(second, times2)
        - 2 * _mean_between(first, second, times1, times2)
    )
    tail = (1 - CONFIDENCE) / 2
    # Of few images, a sample may be one of them only: it has no pairs, and is left out.
    low, high = np.nanquantile(values[1:], [tail, 1 - tail])
    return Kid(float(values[0]), float(low), float(high))


def _mean_within(features, times):
    """Mean kernel over pairs of two different rows, each as often as `times` says."""
    total = np.zeros(times.shape[1])
    for rows, kernel in _kernel_blocks(features, features):
        kernel[np.arange(len(kernel)), np.arange(rows.start, rows.stop)] = 0
        total += np.sum(times[rows] * (kernel @ times), axis=0)
    count = times.sum(axis=0) ** 2 - np.sum(times**2, axis=0)
    return np.divide(total, count, out=np.full_like(total, np.nan), where=count > 0)


def _mean_between(first, second, times1, times2):
    total = np.zeros(times1.shape[1])
    for rows, kernel in _kernel_blocks(first, second):
        total += np.sum(times1[rows] * (kernel @ times2), axis=0)
    return total / (times1.sum(axis=0) * times2.sum(axis=0))


def _kernel_blocks(first, second):
    """A few rows of the kernel matrix at a time: of 10,000 images it has 800 MB."""
    second = np.float64(second)
    for start in range(0, len(first), BLOCK):
        rows = slice(start, min(start + BLOCK, len(first)))
        product = np.float64(first[rows]) @ second.T
        yield rows, (product / second.shape[1] + 1) ** 3

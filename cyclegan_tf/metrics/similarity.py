"""How similar two pictures of the same thing are: MAE, PSNR, SSIM, per image."""

import numpy as np

PEAK = 255.0
# Gaussian window of Wang et al. 2004: standard deviation 1.5, cut off at 11 pixels.
WINDOW_SIZE = 11
WINDOW_STDDEV = 1.5
K1, K2 = 0.01, 0.03


def mean_absolute_error(first, second):
    """Mean absolute error of each pair, in the unit of the images.

    Args:
        first, second: `(n, height, width, channels)`.

    Returns:
        float64 `(n,)`.
    """
    difference = np.abs(np.float64(first) - np.float64(second))
    return difference.mean(axis=(1, 2, 3))


def psnr(first, second):
    """Peak signal-to-noise ratio of each pair, in decibels; infinite where equal.

    Args:
        first, second: `(n, height, width, channels)` in grey levels, 0 to 255.

    Returns:
        float64 `(n,)`, `10 log10(255^2 / mean squared error)`.
    """
    squares = (np.float64(first) - np.float64(second)) ** 2
    with np.errstate(divide="ignore"):
        return 10 * np.log10(PEAK**2 / squares.mean(axis=(1, 2, 3)))


def ssim(first, second):
    """Structural similarity of each pair: 1 where equal.

    Args:
        first, second: `(n, height, width, channels)` in grey levels, sides of at least
            11 pixels.

    Returns:
        float64 `(n,)`: the mean over channels and over the places where the Gaussian
        window lies wholly inside.

    Source: Wang et al. 2004, doi:10.1109/TIP.2003.819861, Eq. 13 and Sec. III-C.
    """
    height, width = first.shape[1:3]
    down, across = _window_matrix(height), _window_matrix(width).T
    c1, c2 = (K1 * PEAK) ** 2, (K2 * PEAK) ** 2
    means = []
    for pair in zip(first, second, strict=True):
        x, y = (np.float64(image).transpose(2, 0, 1) for image in pair)
        maps = np.stack([x, y, x * x, y * y, x * y])
        mean_x, mean_y, mean_xx, mean_yy, mean_xy = down @ maps @ across
        variances = mean_xx - mean_x**2 + mean_yy - mean_y**2
        covariance = mean_xy - mean_x * mean_y
        values = (2 * mean_x * mean_y + c1) * (2 * covariance + c2)
        values /= (mean_x**2 + mean_y**2 + c1) * (variances + c2)
        means.append(values.mean())
    return np.array(means)


def _window_matrix(length):
    """The Gaussian window at each place of a line, one row per place."""
    places = np.arange(WINDOW_SIZE) - WINDOW_SIZE // 2
    weights = np.exp(-(places**2) / (2 * WINDOW_STDDEV**2))
    weights /= weights.sum()
    matrix = np.zeros((length - WINDOW_SIZE + 1, length))
    for i, row in enumerate(matrix):
        row[i : i + WINDOW_SIZE] = weights
    return matrix

"""How similar two pictures of the same thing are: MAE, PSNR, SSIM, per image."""

import numpy as np
import tensorflow as tf

PEAK = 255.0
MAX_PSNR = 100.0  # instead of infinity, of equal images


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
    """Peak signal-to-noise ratio of each pair, in decibels; at most `MAX_PSNR`.

    Args:
        first, second: `(n, height, width, channels)` in grey levels, 0 to 255.

    Returns:
        float32 `(n,)`, `10 log10(255^2 / mean squared error)`.
    """
    values = tf.image.psnr(np.float32(first), np.float32(second), PEAK).numpy()
    return np.minimum(values, MAX_PSNR)


def ssim(first, second):
    """Structural similarity of each pair: 1 where equal.

    Args:
        first, second: `(n, height, width, channels)` in grey levels, sides of at least
            11 pixels.

    Returns:
        float32 `(n,)`: the mean over channels and over the places where the Gaussian
        window, of a standard deviation of 1.5 and cut off at 11 pixels, lies inside.

    Source: Wang et al. 2004, doi:10.1109/TIP.2003.819861, Eq. 13 and Sec. III-C.
    """
    return tf.image.ssim(np.float32(first), np.float32(second), PEAK).numpy()

"""How similar pictures of the same things are: MAE, PSNR, SSIM, of each pair.

Each function takes two arrays `(n, height, width, channels)` in grey levels, 0 to 255,
and returns `(n,)`.
"""

import numpy as np
import tensorflow as tf

PEAK = 255.0
MAX_PSNR = 100.0  # instead of infinity, of equal images


def mean_absolute_error(first, second):
    """Mean absolute error of each pair, float64, in the unit of the images."""
    difference = np.abs(np.float64(first) - np.float64(second))
    return difference.mean(axis=(1, 2, 3))


def psnr(first, second):
    """`10 log10(255^2 / mean squared error)`, float32 decibels; at most `MAX_PSNR`."""
    values = tf.image.psnr(np.float32(first), np.float32(second), PEAK).numpy()
    return np.minimum(values, MAX_PSNR)


def ssim(first, second):
    """Structural similarity, float32: 1 where equal; of sides from 11 pixels on.

    The mean over channels and over the places where the Gaussian window, of a standard
    deviation of 1.5 and cut off at 11 pixels, lies inside.

    Source: Wang et al. 2004, doi:10.1109/TIP.2003.819861, Eq. 13 and Sec. III-C.
    """
    return tf.image.ssim(np.float32(first), np.float32(second), PEAK).numpy()

"""Scores: pure maths on NumPy arrays, float64 where digits could be lost."""

from cyclegan_tf.metrics.feature_distances import fid, kid
from cyclegan_tf.metrics.masked import background_error, coat_distance
from cyclegan_tf.metrics.similarity import mean_absolute_error, psnr, ssim
from cyclegan_tf.metrics.wasserstein import (
    pyramid_distance,
    pyramid_patches,
    sliced_wasserstein,
)

__all__ = [
    "background_error",
    "coat_distance",
    "fid",
    "kid",
    "mean_absolute_error",
    "psnr",
    "pyramid_distance",
    "pyramid_patches",
    "sliced_wasserstein",
    "ssim",
]

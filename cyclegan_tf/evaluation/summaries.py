"""What is kept of images that come in batches: few patches, features, errors."""

import numpy as np

from cyclegan_tf.evaluation.features import FeatureNetwork
from cyclegan_tf.metrics import feature_distances, wasserstein
from cyclegan_tf.metrics.similarity import mean_absolute_error, psnr, ssim

MAX_PSNR = 100.0  # instead of infinity, of equal images


class Summary:
    """What is kept of a set of images to compare it with another set.

    Args:
        patches_per_image: number of patches of each image and level, for the SWD.
        network: for KID and FID, or None for neither.
    """

    def __init__(self, patches_per_image: int, network: FeatureNetwork | None):
        self.patches_per_image, self.network = patches_per_image, network
        self.patches, self.features, self.count = [], [], 0

    def add(self, images: np.ndarray) -> None:
        """Looks at the next images, uint8 `(n, height, width, 3)`."""
        self.patches.append(
            wasserstein.pyramid_patches(images, self.patches_per_image, self.count)
        )
        if self.network is not None:
            self.features.append(self.network(images))
        self.count += len(images)

    def distances_to(self, reals: "Summary") -> tuple[dict[str, float], list[float]]:
        """SWD, KID and FID by name, and the SWD by level."""
        levels = wasserstein.pyramid_distance(self._all_patches(), reals._all_patches())
        scores = {"swd": float(np.mean(levels))}
        if self.network is not None and min(self.count, reals.count) > 1:
            features = [np.concatenate(s.features) for s in (self, reals)]
            kid = feature_distances.kid(*features)
            scores |= {"kid": kid.value, "kid_low": kid.low, "kid_high": kid.high}
            scores["fid"] = feature_distances.fid(*features)
        return scores, levels

    def _all_patches(self):
        return [np.concatenate(level) for level in zip(*self.patches, strict=True)]


class Errors:
    """Errors of pairs of images, by kind: "cycle", "identity" or "truth"."""

    def __init__(self):
        self.values: dict[str, list[np.ndarray]] = {}

    def add(self, kind: str, first: np.ndarray, second: np.ndarray) -> None:
        """Compares the next images, uint8 `(n, height, width, 3)`."""
        measured = {
            "mae": mean_absolute_error(first, second),
            "ssim": ssim(first, second),
        }
        if kind == "truth":
            measured["psnr"] = np.minimum(psnr(first, second), MAX_PSNR)
        for name, values in measured.items():
            self.values.setdefault(f"{kind}_{name}", []).append(values)

    def means(self) -> dict[str, float]:
        """By name, such as `cycle_mae`, the mean over all images."""
        return {
            name: float(np.concatenate(parts).mean())
            for name, parts in self.values.items()
        }

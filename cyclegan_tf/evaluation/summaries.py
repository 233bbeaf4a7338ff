"""What is kept of images that come in batches: few patches, features, errors."""

import numpy as np

from cyclegan_tf.evaluation.features import FeatureNetwork
from cyclegan_tf.metrics import feature_distances, wasserstein
from cyclegan_tf.metrics.similarity import mean_absolute_error, psnr, ssim

MAX_PSNR = 100.0  # instead of infinity, of equal images


class Summary:
    """What is kept of a set of images to score it.

    Args:
        patches_per_image: number of patches of each image and level, for the SWD.
        network: for KID and FID, or None for neither.
        keeps_images: whether to keep them whole, in `images`.
    """

    def __init__(
        self,
        patches_per_image: int,
        network: FeatureNetwork | None,
        keeps_images: bool = False,
    ):
        self.patches_per_image, self.network = patches_per_image, network
        self.keeps_images, self.images = keeps_images, []
        self.patches, self.features, self.count = [], [], 0
        self.errors: dict[str, list[np.ndarray]] = {}

    def add(self, images: np.ndarray) -> None:
        """Looks at the next images, `(n, height, width, channels)` in grey levels."""
        self.patches.append(
            wasserstein.pyramid_patches(images, self.patches_per_image, self.count)
        )
        if self.network is not None:
            self.features.append(self.network(images))
        if self.keeps_images:
            self.images.extend(images)
        self.count += len(images)

    def compare(self, kind: str, first: np.ndarray, second: np.ndarray) -> None:
        """Notes the errors of pairs of images; of a kind such as "cycle"."""
        measured = {
            "mae": mean_absolute_error(first, second),
            "ssim": ssim(first, second),
        }
        if kind == "truth":
            measured["psnr"] = np.minimum(psnr(first, second), MAX_PSNR)
        for name, values in measured.items():
            self.errors.setdefault(f"{kind}_{name}", []).append(values)

    def scores(self, reals: "Summary") -> tuple[dict[str, float], list[float]]:
        """SWD, KID and FID beside real images, mean errors; and the SWD by level."""
        patches = (
            [np.concatenate(level) for level in zip(*x.patches, strict=True)]
            for x in (self, reals)
        )
        levels = wasserstein.pyramid_distance(*patches)
        scores = {"swd": float(np.mean(levels))}
        if self.network is not None and min(self.count, reals.count) > 1:
            features = [np.concatenate(x.features) for x in (self, reals)]
            kid = feature_distances.kid(*features)
            scores |= {"kid": kid.value, "kid_low": kid.low, "kid_high": kid.high}
            scores["fid"] = feature_distances.fid(*features)
        for name, parts in self.errors.items():
            scores[name] = float(np.concatenate(parts).mean())
        return scores, levels

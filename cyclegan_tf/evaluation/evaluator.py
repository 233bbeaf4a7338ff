"""Scores of generators on a split of a dataset, with the protocol beside the numbers.

swd                        texture and colour of the fakes against the target's images
kid, fid                   the same by InceptionV3 features, where these are given
cycle_mae, cycle_ssim      images against their round trip
identity_mae, identity_ssim  images of the target domain against their translation
truth_mae, truth_ssim, truth_psnr  fakes against the truth, of image pairs
background_error, coat_distance    of image pairs with masks, see `metrics.coats`

Errors are in grey levels, PSNR in decibels. Images are read in batches and forgotten;
what is kept of each are 128 patches or fewer, and its features. Only the images of a
split with masks, of the embedded dataset, are kept whole.
"""

import dataclasses
import functools
import itertools
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np

from cyclegan_tf.common.console import progress_bar
from cyclegan_tf.data import pipeline
from cyclegan_tf.evaluation.features import FeatureNetwork
from cyclegan_tf.inference.pixels import translate
from cyclegan_tf.metrics import feature_distances, masked, wasserstein
from cyclegan_tf.metrics.similarity import mean_absolute_error, psnr, ssim

DOMAINS = {"a_to_b": ("a", "b"), "b_to_a": ("b", "a")}
# Of a batch: bounds the memory of the networks.
BATCH_PIXELS = 2**19
# Of the decoded images of a domain, to be kept for the next evaluation.
MAX_KEPT_BYTES = 2**28
MAX_PSNR = 100.0  # instead of infinity, of equal images


@dataclasses.dataclass(frozen=True)
class DirectionScores:
    """The scores of one direction.

    Attributes:
        direction: "a_to_b" or "b_to_a".
        scores: of the generator, by name.
        nothing: those that untranslated images would have, by name, where there are.
        swd_levels: SWD by level of the pyramid, the finest first.
        protocol: what was compared with what, and how.
    """

    direction: str
    scores: dict[str, float]
    nothing: dict[str, float]
    swd_levels: list[float]
    protocol: dict[str, Any]


class Batch(NamedTuple):
    """Images and what became of them; uint8 `(n, size, size, 3)`, or None."""

    reals: np.ndarray
    fakes: np.ndarray
    cycled: np.ndarray | None
    truths: np.ndarray | None


class Evaluator:
    """Scores generators on always the same images.

    It draws no random number but from generators of its own, and changes no variable
    of a model: a training run goes on as if it had not been there.

    Args:
        split_a, split_b: the images.
        size: side in pixels that they are resized to, a multiple of 4.
        is_paired: whether images i of both splits show the same scene.
        limit: the most images of each domain; None: all.
        features: network for KID and FID, or None for neither.
    """

    def __init__(
        self,
        split_a: pipeline.Split,
        split_b: pipeline.Split,
        size: int,
        is_paired: bool = False,
        limit: int | None = None,
        features: FeatureNetwork | None = None,
    ):
        self.splits = {"a": split_a, "b": split_b}
        self.size, self.limit, self.features = size, limit, features
        self.is_paired = is_paired
        self.counts = {
            domain: len(split) if limit is None else min(limit, len(split))
            for domain, split in self.splits.items()
        }
        self.patches_per_image = wasserstein.patches_per_image(
            max(self.counts.values())
        )
        self._images = {
            domain: self._open(split) for domain, split in self.splits.items()
        }
        # Of the untranslated images: the same at every evaluation.
        self._reals: dict[str, _Summary] = {}
        self._nothing: dict[str, dict[str, float]] = {}

    def _open(self, split):
        """The images in batches, decoded once where they are few."""
        batch_size = max(1, BATCH_PIXELS // self.size**2)
        batches = pipeline.image_batches(split, self.size, batch_size, self.limit)
        num_bytes = len(split) * self.size**2 * 3
        return batches.cache() if num_bytes <= MAX_KEPT_BYTES else batches

    @property
    def names(self) -> list[str]:
        """The scores that its images allow, in the order of `DirectionScores.scores`.

        Those of the round trip are missing where there is one generator only.
        """
        names = ["swd"]
        if self.features is not None and min(self.counts.values()) > 1:
            names += ["kid", "kid_low", "kid_high", "fid"]
        names += ["cycle_mae", "cycle_ssim", "identity_mae", "identity_ssim"]
        if self.is_paired:
            names += ["truth_mae", "truth_ssim", "truth_psnr"]
        if self._masked is not None:
            names += ["background_error", "coat_distance"]
        return names

    def evaluate(
        self, generators: dict[str, Callable], watch: Callable | None = None
    ) -> list[DirectionScores]:
        """Scores both directions, or the one that is there.

        Args:
            generators: models by direction, "a_to_b" and "b_to_a".
            watch: called with each direction and `Batch`, to see single images.
        """
        total = len(generators) * sum(self.counts.values())
        with progress_bar(total, "scoring", " images", delay=2) as bar:
            return [self._evaluate(name, generators, bar, watch) for name in generators]

    def _evaluate(self, direction, generators, bar, watch):
        source, target = DOMAINS[direction]
        there = generators[direction]
        back = generators.get(f"{target}_to_{source}")
        fakes, errors, kept = self._summary(), _Errors(), []
        for reals, truth in self._pairs(source, target):
            fake = translate(there, reals).numpy()
            fakes.add(fake)
            cycled = None
            if back is not None:
                cycled = translate(back, fake).numpy()
                errors.add("cycle", reals, cycled)
            if truth is not None:
                errors.add("truth", fake, truth)
            if self._masked is not None:
                kept.append(fake)
            if watch is not None:
                watch(direction, Batch(reals, fake, cycled, truth))
            bar.update(len(reals))
        for reals in self._batches(target):
            errors.add("identity", reals, translate(there, reals).numpy())
            bar.update(len(reals))

        scores, levels = fakes.distances_to(self._real(target))
        scores |= errors.means()
        if self._masked is not None:
            scores |= self._coat_scores(np.concatenate(kept), source, target)
        return DirectionScores(
            direction,
            {name: scores[name] for name in self.names if name in scores},
            self._scores_of_nothing(source, target),
            levels,
            self.protocol(direction),
        )

    def _scores_of_nothing(self, source, target):
        if source not in self._nothing:
            scores, _ = self._real(source).distances_to(self._real(target))
            if self.is_paired:
                errors = _Errors()
                for reals, truth in self._pairs(source, target):
                    errors.add("truth", reals, truth)
                scores |= errors.means()
            if self._masked is not None:
                images = self._masked[1][source]
                scores |= self._coat_scores(images, source, target)
            self._nothing[source] = scores
        return dict(self._nothing[source])

    def _coat_scores(self, images, source, target):
        masks, reals = self._masked
        return {
            "background_error": masked.background_error(images, reals[source], masks),
            "coat_distance": masked.coat_distance(images, masks, reals[target], masks),
        }

    def protocol(self, direction: str) -> dict[str, Any]:
        """What has to be the same for two numbers to be compared."""
        source, target = DOMAINS[direction]
        protocol = {
            "direction": direction,
            "fakes_from": f"{self.counts[source]} images of {self.splits[source].name}",
            "compared_with": (
                f"{self.counts[target]} images of {self.splits[target].name}"
            ),
            "is_paired": self.is_paired,
            "resize": f"bicubic, antialiased, to {self.size}x{self.size}",
            "swd": f"{self.patches_per_image} patches of 7x7 per image and level, "
            f"{wasserstein.NUM_PROJECTIONS} projections, in units of the real images' "
            f"spread, times 1000",
        }
        if self.features is not None:
            protocol["kid_and_fid"] = self.features.protocol | {
                "kid": f"all pairs; interval: {feature_distances.CONFIDENCE:.0%} of "
                f"{feature_distances.NUM_RESAMPLES} bootstrap samples"
            }
        return protocol

    def _batches(self, domain) -> Iterator[np.ndarray]:
        return self._images[domain].as_numpy_iterator()

    def _pairs(self, source, target):
        """Batches of images, each with the truth where it is known, or None."""
        if self.is_paired:
            return zip(self._batches(source), self._batches(target), strict=True)
        return zip(self._batches(source), itertools.repeat(None), strict=False)

    @functools.cached_property
    def _masked(self):
        """Masks and the images by domain; None without, or if no patch is inside."""
        if not self.is_paired:
            return None
        masks = pipeline.load_masks(self.splits["a"], self.size, self.limit)
        if masks is None or not len(masked.patches_inside(masks[..., None], masks)):
            return None
        images = {
            domain: pipeline.load_images(split, self.size, self.limit)
            for domain, split in self.splits.items()
        }
        return masks, images

    def _summary(self):
        return _Summary(self.patches_per_image, self.features)

    def _real(self, domain):
        if domain not in self._reals:
            summary = self._summary()
            for images in self._batches(domain):
                summary.add(images)
            self._reals[domain] = summary
        return self._reals[domain]


class _Summary:
    """What is kept of a set of images to compare it with another set."""

    def __init__(self, patches_per_image, network):
        self.patches_per_image, self.network = patches_per_image, network
        self.patches, self.features, self.count = [], [], 0

    def add(self, images):
        self.patches.append(
            wasserstein.pyramid_patches(images, self.patches_per_image, self.count)
        )
        if self.network is not None:
            self.features.append(self.network(images))
        self.count += len(images)

    def distances_to(self, reals):
        """SWD, KID and FID by name, and the SWD by level."""
        levels = wasserstein.pyramid_distance(self.all_patches(), reals.all_patches())
        scores = {"swd": float(np.mean(levels))}
        if self.network is not None and min(self.count, reals.count) > 1:
            features = [np.concatenate(s.features) for s in (self, reals)]
            kid = feature_distances.kid(*features)
            scores |= {"kid": kid.value, "kid_low": kid.low, "kid_high": kid.high}
            scores["fid"] = feature_distances.fid(*features)
        return scores, levels

    def all_patches(self):
        # Joined once, and kept joined.
        self.patches = [
            [np.concatenate(level) for level in zip(*self.patches, strict=True)]
        ]
        return self.patches[0]


class _Errors:
    """Errors of pairs of images, by name."""

    def __init__(self):
        self.values = {}

    def add(self, kind, first, second):
        errors = {
            "mae": mean_absolute_error(first, second),
            "ssim": ssim(first, second),
        }
        if kind == "truth":
            errors["psnr"] = np.minimum(psnr(first, second), MAX_PSNR)
        for name, values in errors.items():
            self.values.setdefault(f"{kind}_{name}", []).append(values)

    def means(self):
        return {
            name: float(np.concatenate(parts).mean())
            for name, parts in self.values.items()
        }


def mean_score(results: list[DirectionScores], name: str) -> float:
    """The mean of a score over the directions."""
    return float(np.mean([result.scores[name] for result in results]))


def flat_name(name: str, direction: str) -> str:
    """What a score is called where both directions stand side by side."""
    return f"{name}_{direction}"


def flat_scores(results: list[DirectionScores]) -> dict[str, float]:
    """All scores by name and direction, such as `swd_a_to_b`."""
    return {
        flat_name(name, result.direction): value
        for result in results
        for name, value in result.scores.items()
    }


def score_table(results: list[DirectionScores], title: str) -> str:
    """The scores as lines of text, beside those of doing nothing."""
    lines = [
        f"{title} (lower is better, but of ssim and psnr higher)",
        f"{'':18}" + "".join(f"{result.direction:>22}" for result in results),
        f"{'':18}" + f"{'model':>12}{'nothing':>10}" * len(results),
    ]
    for name in dict.fromkeys(name for result in results for name in result.scores):
        row = f"{name:18}"
        for result in results:
            row += f"{score_text(result.scores.get(name)):>12}"
            row += f"{score_text(result.nothing.get(name)):>10}"
        lines.append(row.rstrip())
    for result in results:
        protocol = result.protocol
        lines.append(
            f"{result.direction}: {protocol['fakes_from']} beside "
            f"{protocol['compared_with']}, {protocol['resize']}"
        )
    return "\n".join(lines)


def score_text(value: float | None) -> str:
    """A score with as many digits as say something; of None nothing."""
    if value is None:
        return ""
    return f"{value:.4f}" if 0 < abs(value) < 1 else f"{value:.2f}"

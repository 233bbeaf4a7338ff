"""Scores of generators on a split of a dataset, with the protocol beside the numbers.

Images are read in batches and forgotten; what is kept of each are 128 patches or fewer,
and its features. Only the images of a split with masks, of the embedded dataset, are
kept whole.
"""

import functools
import itertools
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from cyclegan_tf.common.console import progress_bar
from cyclegan_tf.data import pipeline
from cyclegan_tf.evaluation.features import FeatureNetwork
from cyclegan_tf.evaluation.results import DOMAINS, SCORES, DirectionScores
from cyclegan_tf.evaluation.summaries import Errors, Summary
from cyclegan_tf.inference.pixels import translate
from cyclegan_tf.metrics import feature_distances, masked, wasserstein

# Of a batch: bounds the memory of the networks.
BATCH_PIXELS = 2**19
# Of the decoded images of a domain, to be kept for the next evaluation.
MAX_KEPT_BYTES = 2**28


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
        most = max(self.counts.values())
        self.patches_per_image = wasserstein.patches_per_image(most)
        self._images = {
            domain: self._open(split) for domain, split in self.splits.items()
        }
        # Of the untranslated images: the same at every evaluation.
        self._reals: dict[str, Summary] = {}
        self._nothing: dict[str, dict[str, float]] = {}

    def _open(self, split):
        """The images in batches, decoded once where they are few."""
        batch_size = max(1, BATCH_PIXELS // self.size**2)
        batches = pipeline.image_batches(split, self.size, batch_size, self.limit)
        num_bytes = len(split) * self.size**2 * 3
        return batches.cache() if num_bytes <= MAX_KEPT_BYTES else batches

    @property
    def names(self) -> list[str]:
        """The scores that its images allow, in the order of `results.SCORES`.

        Those of the round trip are missing where there is one generator only.
        """
        has = {
            None: True,
            "features": self.features is not None and min(self.counts.values()) > 1,
            "pairs": self.is_paired,
            "masks": self._masked is not None,
        }
        return [score.name for score in SCORES if has[score.needs]]

    @pipeline.damage_named()
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
        fakes = Summary(self.patches_per_image, self.features)
        errors, kept = Errors(), []
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
            scores |= self._masked_scores(np.concatenate(kept), source, target)
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
                errors = Errors()
                for reals, truth in self._pairs(source, target):
                    errors.add("truth", reals, truth)
                scores |= errors.means()
            if self._masked is not None:
                images = self._masked[1][source]
                scores |= self._masked_scores(images, source, target)
            self._nothing[source] = scores
        return dict(self._nothing[source])

    def _masked_scores(self, images, source, target):
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
            "fakes_from": self._described(source),
            "compared_with": self._described(target),
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

    def _described(self, domain):
        return f"{self.counts[domain]} images of {self.splits[domain].name}"

    def _batches(self, domain):
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

    def _real(self, domain):
        if domain not in self._reals:
            self._reals[domain] = Summary(self.patches_per_image, self.features)
            for images in self._batches(domain):
                self._reals[domain].add(images)
        return self._reals[domain]

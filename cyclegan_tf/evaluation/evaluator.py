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
from cyclegan_tf.evaluation.summaries import Summary
from cyclegan_tf.inference.pixels import translate
from cyclegan_tf.metrics import feature_distances, wasserstein
from cyclegan_tf.metrics.masked import (
    background_error,
    coat_distance,
    patches_inside,
)

# Of a batch: bounds the memory of the networks.
BATCH_PIXELS = 2**19
# Of the decoded images of a domain, to be kept for the next evaluation.
MAX_KEPT_BYTES = 2**28


class Batch(NamedTuple):
    """Images and what became of them; uint8 `(n, size, size, 3)`, or None."""

    real: np.ndarray
    fake: np.ndarray
    cycled: np.ndarray | None
    truth: np.ndarray | None


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

    @property
    def names(self) -> list[str]:
        """The scores that its images allow, in the order of `results.SCORES`.

        Those of the round trip are missing where there is one generator only.
        """
        has = {
            None: True,
            "features": self.features is not None and min(self.counts.values()) > 1,
            "pairs": self.is_paired,
            "masks": self._masks is not None,
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
        fakes = self._new_summary()
        for real, truth in self._pairs(source, target):
            fake, cycled = translate(there, real).numpy(), None
            fakes.add(fake)
            if back is not None:
                cycled = translate(back, fake).numpy()
                fakes.compare("cycle", real, cycled)
            if truth is not None:
                fakes.compare("truth", fake, truth)
            if watch is not None:
                watch(direction, Batch(real, fake, cycled, truth))
            bar.update(len(real))
        for real in self._batches(target):
            fakes.compare("identity", real, translate(there, real).numpy())
            bar.update(len(real))
        scores, levels = self._scores(direction, fakes)
        return DirectionScores(
            direction,
            {name: scores[name] for name in self.names if name in scores},
            self._nothing[direction],
            levels,
            self.protocol(direction),
        )

    def _scores(self, direction, fakes):
        """Scores by name of what became of a domain, and the SWD by level."""
        source, target = DOMAINS[direction]
        scores, levels = fakes.scores(self._reals[target])
        if self._masks is not None:
            images, before, others = (
                np.stack(summary.images)
                for summary in (fakes, self._reals[source], self._reals[target])
            )
            masks = self._masks
            scores["background_error"] = background_error(images, before, masks)
            scores["coat_distance"] = coat_distance(images, masks, others, masks)
        return scores, levels

    @functools.cached_property
    def _reals(self):
        """Summaries of the untranslated images: the same at every evaluation."""
        summaries = {}
        for source, target in DOMAINS.values():
            summaries[source] = self._new_summary()
            for real, truth in self._pairs(source, target):
                summaries[source].add(real)
                if truth is not None:
                    summaries[source].compare("truth", real, truth)
        return summaries

    @functools.cached_property
    def _nothing(self):
        """The scores of doing nothing, by direction."""
        return {
            direction: self._scores(direction, self._reals[source])[0]
            for direction, (source, _) in DOMAINS.items()
        }

    @functools.cached_property
    def _masks(self):
        """Of both domains; None without, or if no patch is inside."""
        if not self.is_paired:
            return None
        masks = pipeline.load_masks(self.splits["a"], self.size, self.limit)
        if masks is None or not len(patches_inside(masks[..., None], masks)):
            return None
        return masks

    def _new_summary(self):
        keeps_images = self._masks is not None
        return Summary(self.patches_per_image, self.features, keeps_images)

    def _open(self, split):
        """The images in batches, decoded once where they are few."""
        batch_size = max(1, BATCH_PIXELS // self.size**2)
        batches = pipeline.image_batches(split, self.size, batch_size, self.limit)
        num_bytes = len(split) * self.size**2 * 3
        return batches.cache() if num_bytes <= MAX_KEPT_BYTES else batches

    def _batches(self, domain):
        return self._images[domain].as_numpy_iterator()

    def _pairs(self, source, target):
        """Batches of images, each with the truth where it is known, or None."""
        truths = self._batches(target) if self.is_paired else itertools.repeat(None)
        return zip(self._batches(source), truths, strict=self.is_paired)

    def protocol(self, direction: str) -> dict[str, Any]:
        """What has to be the same for two numbers to be compared."""
        fakes, reals = (
            f"{self.counts[domain]} images of {self.splits[domain].name}"
            for domain in DOMAINS[direction]
        )
        protocol = {
            "direction": direction,
            "fakes_from": fakes,
            "compared_with": reals,
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

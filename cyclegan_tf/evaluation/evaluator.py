"""Scores of generators on a split of a dataset, with the protocol beside the numbers.

Images are read in batches and forgotten; what is kept of each are 128 patches or fewer,
and its features. Only the images of a split with masks, of the embedded dataset, are
kept whole.

Whatever values the images have, scores are in grey levels: the range of their domain is
0 to 255. Fakes are of the type that the product gives, the target's, and compared in
the target's grey levels; round trips in the source's.
"""

import functools
import itertools
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from cyclegan_tf.common.console import progress_bar
from cyclegan_tf.config.sizes import Frame
from cyclegan_tf.data import pipeline
from cyclegan_tf.data.domain import Domain, with_channels
from cyclegan_tf.data.ranges import to_grey_levels
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
# What is said of each way of `Frame`.
RESIZE = {
    "stretch": "bicubic, antialiased, stretched to",
    "fit": "bicubic, antialiased, fitted and cropped to",
    "none": "cropped to",
}


class Batch(NamedTuple):
    """Images and what became of them, in grey levels of 255, or None.

    Each `(n, height, width, channels)`; of 8-bit images uint8, of others float32.
    """

    real: np.ndarray
    fake: np.ndarray
    cycled: np.ndarray | None
    truth: np.ndarray | None


class Evaluator:
    """Scores generators on always the same images.

    It draws no random number but from generators of its own, and changes no variable
    of a model: a training run goes on as if it had not been there.

    Args:
        split_a, split_b: the images, in the form that their domain has.
        frame: what is seen of each; its sides are multiples of 4.
        is_paired: whether images i of both splits show the same scene.
        limit: the most images of each domain; None: all.
        features: network for KID and FID, which the images have to suit, see
            `features.require_suitable`; or None for neither.
    """

    def __init__(
        self,
        split_a: pipeline.Split,
        split_b: pipeline.Split,
        frame: Frame,
        is_paired: bool = False,
        limit: int | None = None,
        features: FeatureNetwork | None = None,
    ):
        self.splits = {"a": split_a, "b": split_b}
        self.frame, self.limit, self.features = frame, limit, features
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
            "channels": self._has_same_channels,
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
        form, other_form = self.splits[source].domain, self.splits[target].domain
        there = generators[direction]
        back = generators.get(f"{target}_to_{source}")
        fakes = self._new_summary()
        for real, truth in self._beside_truth(self._batches(source), target):
            fake, cycled = translate(there, real, form, other_form).numpy(), None
            if back is not None:
                cycled = translate(back, fake, other_form, form).numpy()
            batch = Batch(
                _grey_levels(real, form),
                _grey_levels(fake, other_form),
                _grey_levels(cycled, form),
                truth,
            )
            fakes.add(batch.fake)
            if cycled is not None:
                fakes.compare("cycle", batch.real, batch.cycled)
            if truth is not None:
                fakes.compare("truth", batch.fake, batch.truth)
            if watch is not None:
                watch(direction, batch)
            bar.update(len(real))
        for real in self._batches(target):
            if self._has_same_channels:
                same = translate(there, real, other_form, other_form).numpy()
                pair = (_grey_levels(images, other_form) for images in (real, same))
                fakes.compare("identity", *pair)
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
        reals = self._real(DOMAINS[direction][1])
        scores, levels = fakes.scores(reals)
        if self._masks is not None:
            images, before, others = (
                np.stack(summary.images)
                for summary in (fakes, self._untouched(direction), reals)
            )
            masks = self._masks
            scores["background_error"] = background_error(images, before, masks)
            scores["coat_distance"] = coat_distance(images, masks, others, masks)
        return scores, levels

    @property
    def _has_same_channels(self):
        return self.splits["a"].domain.channels == self.splits["b"].domain.channels

    @functools.cached_property
    def _reals(self):
        """Summaries of the untranslated images, the same at every evaluation.

        By domain and number of channels: its own, and that of the other domain where
        grey integers become RGB, or RGB ones grey.
        """
        forms = {domain: split.domain for domain, split in self.splits.items()}
        summaries = {}
        for source, target in DOMAINS.values():
            form, wanted = forms[source], forms[target].channels
            kept = {form.channels}
            if form.is_encodable and wanted in (1, 3):
                kept.add(wanted)
            for channels in kept:
                summary = summaries[source, channels] = self._new_summary()
                for real, truth in self._beside_truth(self._batches(source), target):
                    levels = to_grey_levels(with_channels(real, channels), form)
                    summary.add(levels)
                    if truth is not None and channels == wanted:
                        summary.compare("truth", levels, truth)
        return summaries

    def _real(self, domain):
        """The summary of real images of a domain."""
        return self._reals[domain, self.splits[domain].domain.channels]

    def _untouched(self, direction):
        """The summary of untranslated images as if they were fakes; None: no such."""
        source, target = DOMAINS[direction]
        return self._reals.get((source, self.splits[target].domain.channels))

    @functools.cached_property
    def _nothing(self):
        """The scores of doing nothing, by direction."""
        untouched = {direction: self._untouched(direction) for direction in DOMAINS}
        return {
            direction: self._scores(direction, summary)[0] if summary else {}
            for direction, summary in untouched.items()
        }

    @functools.cached_property
    def _masks(self):
        """The masks of test pairs; None without, or if no patch is inside."""
        if not self.is_paired:
            return None
        masks = pipeline.load_masks(self.splits["a"], self.frame, self.limit)
        if masks is None or not len(patches_inside(masks[..., None], masks)):
            return None
        return masks

    def _new_summary(self):
        keeps_images = self._masks is not None
        return Summary(self.patches_per_image, self.features, keeps_images)

    def _open(self, split):
        """The images in batches, decoded once where they are few."""
        num_pixels = self.frame.height * self.frame.width
        batch_size = max(1, BATCH_PIXELS // num_pixels)
        batches = pipeline.image_batches(split, self.frame, batch_size, self.limit)
        pixel_bytes = split.domain.channels * np.dtype(split.domain.dtype).itemsize
        num_bytes = len(split) * num_pixels * pixel_bytes
        return batches.cache() if num_bytes <= MAX_KEPT_BYTES else batches

    def _batches(self, domain):
        return self._images[domain].as_numpy_iterator()

    def _beside_truth(self, batches, target):
        """Batches, each with the truth in grey levels where it is known, or None."""
        if not self.is_paired:
            return zip(batches, itertools.repeat(None), strict=False)
        form = self.splits[target].domain
        truths = (to_grey_levels(images, form) for images in self._batches(target))
        return zip(batches, truths, strict=True)

    def protocol(self, direction: str) -> dict[str, Any]:
        """What has to be the same for two numbers to be compared."""
        height, width, resize = self.frame
        fakes, reals = (
            f"{self.counts[domain]} images of {self.splits[domain].name}"
            for domain in DOMAINS[direction]
        )
        form, other_form = (self.splits[domain].domain for domain in DOMAINS[direction])
        protocol = {
            "direction": direction,
            "fakes_from": fakes,
            "compared_with": reals,
            "is_paired": self.is_paired,
            "resize": f"{RESIZE[resize]} {height}x{width}",
            "grey_levels": f"255 are the range; from {form}, to {other_form}",
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


def _grey_levels(images, domain: Domain):
    return None if images is None else to_grey_levels(images, domain)

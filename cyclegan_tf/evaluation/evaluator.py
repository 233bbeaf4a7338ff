"""Scores of generators on a split of a dataset, with the protocol beside the numbers.

Whatever values the images have, scores are in grey levels: the range of their domain is
0 to 255. Fakes are of the type that the product gives, the target's, and compared in
the target's grey levels; round trips in the source's.
"""

import collections
import functools
import itertools
from collections.abc import Callable
from typing import Any

import numpy as np

from cyclegan_tf.common.console import counted, progress_bar
from cyclegan_tf.config.sizes import Frame
from cyclegan_tf.data import pipeline
from cyclegan_tf.data.domain import Domains, with_channels
from cyclegan_tf.data.picture import filled
from cyclegan_tf.data.ranges import to_grey_levels
from cyclegan_tf.evaluation.features import FeatureNetwork
from cyclegan_tf.evaluation.results import DOMAINS, DirectionScores
from cyclegan_tf.evaluation.scores import SCORES, Batch, Kept, Sets
from cyclegan_tf.inference.pixels import translate
from cyclegan_tf.metrics import feature_distances, wasserstein
from cyclegan_tf.metrics.masked import patches_inside

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


class Evaluator:
    """Scores generators on always the same images.

    A training run goes on as if it had not been there: it draws no random number of
    TensorFlow's, and changes no variable of a model.

    Args:
        split_a, split_b: the images, in the form that their domain has.
        frame: what is seen of each; its sides are multiples of 4.
        is_paired: whether images i of both splits show the same scene.
        features: network for KID and FID, which the images have to suit, see
            `features.require_suitable`; or None for neither.
    """

    def __init__(
        self,
        split_a: pipeline.Split,
        split_b: pipeline.Split,
        frame: Frame,
        is_paired: bool = False,
        features: FeatureNetwork | None = None,
    ):
        self.splits = {"a": split_a, "b": split_b}
        self.domains = Domains(split_a.domain, split_b.domain)
        self.frame, self.is_paired, self.features = frame, is_paired, features
        self.counts = {domain: len(split) for domain, split in self.splits.items()}
        most = max(self.counts.values())
        self.patches_per_image = wasserstein.patches_per_image(most)

    @property
    def names(self) -> list[str]:
        """The scores that its images allow, in the order of `scores.SCORES`.

        Those of the round trip are missing where there is one generator only.
        """
        num_described = 0 if self.features is None else min(self.counts.values())
        is_there = {
            "sets": True,
            "features": num_described > 1,
            "interval": num_described >= feature_distances.MIN_FOR_INTERVAL,
            "cycle": True,
            "identity": self._has_same_channels,
            "truth": self.is_paired,
            "masks": self._masks is not None,
        }
        return [score.name for score in SCORES if is_there[score.of]]

    @pipeline.damage_named()
    def evaluate(
        self, generators: dict[str, Callable], watch: Callable | None = None
    ) -> list[DirectionScores]:
        """Scores both directions, or the one that is there.

        Generators are by direction, "a_to_b" and "b_to_a". To see single images,
        `watch` is called with each direction and `Batch`.
        """
        results, total = [], len(generators) * sum(self.counts.values())
        with progress_bar(total, "scoring", " images", delay=2) as bar:
            for direction in generators:
                fakes = self._new_kept()
                for images in self._batches():
                    batch = self._translated(direction, generators, images)
                    fakes.add(batch)
                    if watch is not None:
                        watch(direction, batch)
                    bar.update(sum(len(x) for x, _ in images.values() if x is not None))
                scores = self._scores(direction, fakes)
                about = self._nothing[direction], self.protocol(direction)
                results.append(DirectionScores(direction, scores, *about))
        return results

    def _translated(self, direction, generators, images):
        """What the generators make of images of both domains.

        Where pixels have no value, see `records.decode_valid`, neither has what becomes
        of them.
        """
        source, target = DOMAINS[direction]
        form, other_form = self.domains.of(direction)
        (real, valid), (other, other_valid) = images[source], images[target]
        there, back = generators[direction], generators.get(f"{target}_to_{source}")

        def made(generator, pixels, valid, of, to):
            if generator is None or pixels is None:
                return None
            return filled(
                translate(generator, pixels, of, to).numpy(), valid, to.middle
            )

        fake = made(there, real, valid, form, other_form)
        cycled = made(back, fake, valid, other_form, form)
        same = None
        if self._has_same_channels:
            same = made(there, other, other_valid, other_form, other_form)
        others = _grey_levels(other, other_form)
        return Batch(
            _grey_levels(real, form),
            _grey_levels(fake, other_form),
            _grey_levels(cycled, form),
            others if self.is_paired else None,
            others,
            _grey_levels(same, other_form),
            self._valid_of_pairs(images),
        )

    def _valid_of_pairs(self, images):
        """Which pixels have a value in both images of pairs; None where all have."""
        masks = [valid for _, valid in images.values() if valid is not None]
        return np.logical_and.reduce(masks) if masks and self.is_paired else None

    def _scores(self, direction, fakes):
        """The scores of what became of the images of a domain."""
        target, form = DOMAINS[direction][1], self.domains.of(direction)[1]
        reals = self._untranslated[target, form.channels]
        sets = Sets(fakes, reals, self._as_fakes(direction), self._masks)
        return sets.scores(self.names)

    @functools.cached_property
    def _nothing(self):
        """The scores of doing nothing, by direction."""
        kept = {direction: self._as_fakes(direction) for direction in DOMAINS}
        return {
            direction: self._scores(direction, fakes) if fakes else {}
            for direction, fakes in kept.items()
        }

    def _as_fakes(self, direction):
        """What is kept of untranslated images in the target's channels, or None."""
        source, form = DOMAINS[direction][0], self.domains.of(direction)[1]
        return self._untranslated.get((source, form.channels))

    @functools.cached_property
    def _untranslated(self):
        """What is kept of the images as they are, the same at every evaluation.

        By domain and number of channels: its own, and that of the other domain where
        grey integers become RGB, or RGB ones grey; but the luminance of channels that
        have ranges of their own means nothing.
        """
        kept = collections.defaultdict(self._new_kept)
        for images in self._batches():
            valid = self._valid_of_pairs(images)
            for direction, (source, target) in DOMAINS.items():
                real, truth = images[source][0], images[target][0]
                form, other_form = self.domains.of(direction)
                channels = {form.channels}
                is_one_range = form.bounds.size == 2
                if form.is_encodable and is_one_range and other_form.channels in (1, 3):
                    channels.add(other_form.channels)
                for number in channels if real is not None else ():
                    levels = _grey_levels(with_channels(real, number), form)
                    is_comparable = self.is_paired and number == other_form.channels
                    true = _grey_levels(truth, other_form) if is_comparable else None
                    batch = Batch(levels, levels, truth=true, valid=valid)
                    kept[source, number].add(batch)
        return kept

    @property
    def _has_same_channels(self):
        return self.domains.a.channels == self.domains.b.channels

    @functools.cached_property
    def _masks(self):
        """The masks of test pairs; None without, or if no patch is inside."""
        if not self.is_paired:
            return None
        masks = pipeline.load_masks(self.splits["a"], self.frame)
        if masks is None or not len(patches_inside(masks[..., None], masks)):
            return None
        return masks

    def _new_kept(self):
        is_whole = self._masks is not None
        return Kept(self.patches_per_image, self.features, is_whole)

    @functools.cached_property
    def _opened(self):
        """By domain, its images and which pixels of them have a value, in batches."""
        # Not before they are scored: a training has its first batch sooner.
        num_pixels = self.frame.height * self.frame.width
        options = self.frame, max(1, BATCH_PIXELS // num_pixels)
        opened = {}
        for domain, split in self.splits.items():
            images = pipeline.image_batches(split, *options)
            pixel_bytes = split.domain.channels * np.dtype(split.domain.dtype).itemsize
            # Few are decoded once.
            if len(split) * num_pixels * pixel_bytes <= MAX_KEPT_BYTES:
                images = images.cache()
            opened[domain] = images, pipeline.valid_batches(split, *options)
        return opened

    def _batches(self):
        """By domain, the next images and which pixels have a value.

        The latter is None where all have; both are of a domain that has no more.
        """
        domains = [
            zip(
                images.as_numpy_iterator(),
                itertools.repeat(None) if valid is None else valid.as_numpy_iterator(),
                strict=False,
            )
            for images, valid in self._opened.values()
        ]
        for pair in itertools.zip_longest(*domains, fillvalue=(None, None)):
            yield dict(zip("ab", pair, strict=True))

    def protocol(self, direction: str) -> dict[str, Any]:
        """What has to be the same for two numbers to be compared."""
        height, width, resize = self.frame
        fakes, reals = (
            f"{counted(self.counts[domain], 'image')} of {self.splits[domain].name}"
            for domain in DOMAINS[direction]
        )
        form, other_form = self.domains.of(direction)
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


def _grey_levels(images, domain):
    return None if images is None else to_grey_levels(images, domain)

"""Every score, a row each, and what is kept of images for them.

Images come in batches and are forgotten; what is kept of each are 128 patches or fewer,
its features, and its errors. Only those of a split with masks, of the embedded dataset,
are kept whole. To add a score, write its function and its row in `SCORES`: the
evaluator, the files, tables, curves, the report and the model card go by these rows.
"""

import collections
import dataclasses
import functools
from collections.abc import Callable, Container
from typing import NamedTuple

import numpy as np

from cyclegan_tf.data.picture import filled
from cyclegan_tf.evaluation.features import FeatureNetwork
from cyclegan_tf.metrics import feature_distances, wasserstein
from cyclegan_tf.metrics.masked import background_error, coat_distance
from cyclegan_tf.metrics.similarity import mean_absolute_error as mae
from cyclegan_tf.metrics.similarity import psnr, ssim

REALS = "beside real images of the target"
# Which images of a `Batch` are compared one by one.
PAIRS = {
    "cycle": ("real", "cycled"),
    "identity": ("other", "same"),
    "truth": ("fake", "truth"),
}


class Batch(NamedTuple):
    """Images and what became of them, in grey levels of 255; None: there are none.

    Each `(n, height, width, channels)`; of 8-bit images uint8, of others float32.

    Attributes:
        real, fake, cycled: of the source domain, translated, and translated back.
        truth: what the fakes should be.
        other, same: of the target domain, and what the generator makes of them.
        valid: bool `(n, height, width, 1)`, where source and truth have a value; None
            where all have.
    """

    real: np.ndarray | None
    fake: np.ndarray | None
    cycled: np.ndarray | None = None
    truth: np.ndarray | None = None
    other: np.ndarray | None = None
    same: np.ndarray | None = None
    valid: np.ndarray | None = None

    def pair(self, name: str) -> tuple[np.ndarray, np.ndarray] | None:
        """The images of a pair in `PAIRS`; None unless both are there.

        A truth without a value is taken to be what was made.
        """
        first, second = (getattr(self, images) for images in PAIRS[name])
        if first is None or second is None:
            return None
        return first, filled(second, self.valid, first) if name == "truth" else second


class Kept:
    """What is kept of a set of translated images to score it.

    That is patches of each level, for the SWD; features of the network, if there is
    one; and, if it `is_whole`, the images themselves.
    """

    def __init__(
        self, patches_per_image: int, network: FeatureNetwork | None, is_whole: bool
    ):
        self.patches_per_image, self.network = patches_per_image, network
        self.is_whole, self.images, self.count = is_whole, [], 0
        self._patches, self._features = [], []
        self._errors = collections.defaultdict(list)

    def add(self, batch: Batch) -> None:
        """Looks at the next images."""
        for score in SCORES:
            if score.of in PAIRS and (images := batch.pair(score.of)):
                self._errors[score.name].append(score.function(*images))
        if batch.fake is None:
            return
        places = self.patches_per_image, self.count
        self._patches.append(wasserstein.pyramid_patches(batch.fake, *places))
        if self.network is not None:
            self._features.append(self.network(batch.fake))
        if self.is_whole:
            self.images.extend(batch.fake)
        self.count += len(batch.fake)

    @property
    def patches(self) -> list[np.ndarray]:
        """Of all images, by level; see `wasserstein.pyramid_patches`."""
        return [np.concatenate(level) for level in zip(*self._patches, strict=True)]

    @property
    def features(self) -> np.ndarray:
        """Of all images, float32 `(count, NUM_FEATURES)`."""
        return np.concatenate(self._features)

    @property
    def errors(self) -> dict[str, float]:
        """The scores that compare pairs, by name: means over all images."""
        return {
            name: float(np.concatenate(parts).mean())
            for name, parts in self._errors.items()
        }


@dataclasses.dataclass(frozen=True)
class Sets:
    """What is scored: translated images, real ones of the target, and those before.

    `masks`, bool `(count, height, width)`, are of all three; None: there are none.
    """

    fakes: Kept
    reals: Kept
    before: Kept
    masks: np.ndarray | None

    @functools.cached_property
    def kid(self) -> feature_distances.Kid:
        """KID, with its interval."""
        return feature_distances.kid(self.fakes.features, self.reals.features)

    def scores(self, names: Container[str]) -> dict[str, float]:
        """Those of the scores that are there, in the order of `SCORES`."""
        found = self.fakes.errors
        for score in SCORES:
            if score.name in names and score.of not in PAIRS:
                found[score.name] = float(score.function(self))
        return {x.name: found[x.name] for x in SCORES if x.name in found}


class Score(NamedTuple):
    """One score of a direction.

    Attributes:
        of: what it compares: a pair in `PAIRS`, one by one; or "sets" of images, their
            "features", the "interval" of these, or what their "masks" show.
        function: of a pair, from two arrays of images to an array of as many values, of
            which the score is the mean; of others from `Sets` to the score.
        meaning: what it compares, and its unit.
    """

    name: str
    of: str
    function: Callable
    meaning: str
    is_higher_better: bool = False


def _swd(sets):
    return np.mean(wasserstein.pyramid_distance(sets.fakes.patches, sets.reals.patches))


def _fid(sets):
    return feature_distances.fid(sets.fakes.features, sets.reals.features)


def _outside(sets):
    return background_error(sets.fakes.images, sets.before.images, sets.masks)


def _coats(sets):
    return coat_distance(sets.fakes.images, sets.reals.images, sets.masks)


SCORES = (
    Score("swd", "sets", _swd, f"texture, colour, {REALS}"),
    Score("kid", "features", lambda x: x.kid.value, f"Inception features, {REALS}"),
    Score("kid_low", "interval", lambda x: x.kid.low, "lower end of its 95 % interval"),
    Score("kid_high", "interval", lambda x: x.kid.high, "upper end of that interval"),
    Score("fid", "features", _fid, f"Inception features, {REALS}"),
    Score("cycle_mae", "cycle", mae, "round trip, mean absolute error in grey levels"),
    Score("cycle_ssim", "cycle", ssim, "round trip, structural similarity", True),
    Score(
        "identity_mae", "identity", mae, "images of the target, error in grey levels"
    ),
    Score("identity_ssim", "identity", ssim, "images of the target, similarity", True),
    Score("truth_mae", "truth", mae, "to the true image, error in grey levels"),
    Score("truth_ssim", "truth", ssim, "to the true image, similarity", True),
    Score("truth_psnr", "truth", psnr, "to the true image, in decibels", True),
    Score("background_error", "masks", _outside, "change outside animals, grey levels"),
    Score("coat_distance", "masks", _coats, "coats, beside real ones, in grey levels"),
)

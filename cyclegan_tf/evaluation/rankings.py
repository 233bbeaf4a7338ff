"""Which test images come out best and worst, and where the errors are.

Images are seen in batches, in passing; of each ranking six are kept.
"""

from typing import NamedTuple

import numpy as np

from cyclegan_tf.evaluation import pictures
from cyclegan_tf.evaluation.evaluator import Batch
from cyclegan_tf.metrics.similarity import mean_absolute_error

NUM_EXTREMES = 3
# Single images can be ranked by these: name, and what is compared in a `Batch`.
RANKINGS = {"cycle_mae": ("reals", "cycled"), "truth_mae": ("truths", "fakes")}


class Ranked(NamedTuple):
    """A test image and what became of it.

    Attributes:
        error: in grey levels.
        index: of the image in its split.
        pictures: uint8 `(side, side, 3)` by caption, the map of the error last.
    """

    error: float
    index: int
    pictures: dict[str, np.ndarray]


class Ranking:
    """The images with the smallest and the largest errors, and the mean map.

    Args:
        first, second: which images of a `Batch` are compared.
    """

    def __init__(self, first: str, second: str):
        self.first, self.second = first, second
        self.best: list[Ranked] = []
        self.worst: list[Ranked] = []
        self.sum, self.count = 0.0, 0

    def add(self, batch: Batch) -> None:
        """Looks at the next images; few of them are kept."""
        first, second = getattr(batch, self.first), getattr(batch, self.second)
        errors = mean_absolute_error(first, second)
        ranked = [(float(error), self.count + i, i) for i, error in enumerate(errors)]
        candidates = sorted(ranked)
        few = {*candidates[:NUM_EXTREMES], *candidates[-NUM_EXTREMES:]}
        new = [
            Ranked(error, index, self._pictures(batch, i))
            for error, index, i in ranked
            if (error, index, i) in few
        ]
        self.best = sorted([*self.best, *new], key=_by_error)[:NUM_EXTREMES]
        self.worst = sorted([*self.worst, *new], key=_by_error)[-NUM_EXTREMES:]
        self.sum += _difference(first, second).sum(axis=0)
        self.count += len(errors)

    @property
    def mean_map(self) -> np.ndarray:
        """Where the errors are, as colours."""
        return pictures.error_map(self.sum / self.count)

    @property
    def extremes(self) -> dict[str, list[Ranked]]:
        """The best, from the best on, and the worst, from the worst on, none twice."""
        worst = [x for x in reversed(self.worst) if x.index not in self._best_indices]
        return {"best": self.best, "worst": worst}

    @property
    def _best_indices(self):
        return {ranked.index for ranked in self.best}

    def _pictures(self, batch, i):
        # Copies: a view would keep the whole batch.
        pictures = {"real": batch.reals[i].copy(), "translated": batch.fakes[i].copy()}
        if "cycled" in (self.first, self.second):
            pictures["translated back"] = batch.cycled[i].copy()
        else:
            pictures["truth"] = batch.truths[i].copy()
        first, second = getattr(batch, self.first), getattr(batch, self.second)
        pictures["error"] = pictures.error_map(_difference(first[i], second[i]))
        return pictures


class Rankings:
    """All rankings that the images allow: `by_direction[direction][name]`."""

    def __init__(self):
        self.by_direction: dict[str, dict[str, Ranking]] = {}

    def add(self, direction: str, batch: Batch) -> None:
        """Looks at the next images of a direction."""
        rankings = self.by_direction.setdefault(direction, {})
        for name, (first, second) in RANKINGS.items():
            if getattr(batch, first) is not None and getattr(batch, second) is not None:
                rankings.setdefault(name, Ranking(first, second)).add(batch)


def _difference(first, second):
    """Absolute difference per pixel, in grey levels, the mean over the channels."""
    return np.abs(np.float32(first) - np.float32(second)).mean(axis=-1)


def _by_error(ranked):
    return ranked.error, ranked.index

"""Which test images come out best and worst.

Images are seen in batches, in passing; of each ranking six are kept.
"""

from typing import NamedTuple

import numpy as np

from cyclegan_tf.evaluation.evaluator import Batch
from cyclegan_tf.evaluation.pictures import error_map
from cyclegan_tf.metrics.similarity import mean_absolute_error

NUM_EXTREMES = 3
CAPTIONS = {
    "reals": "real",
    "fakes": "translated",
    "cycled": "translated back",
    "truths": "truth",
}
# Single images can be ranked by these: what is compared in a `Batch`.
RANKINGS = {"cycle_mae": ("reals", "cycled"), "truth_mae": ("fakes", "truths")}


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
    """The images with the smallest and the largest errors.

    Args:
        first, second: which images of a `Batch` are compared.
    """

    def __init__(self, first: str, second: str):
        self.first, self.second = first, second
        self.kept: list[Ranked] = []
        self.count = 0

    def add(self, batch: Batch) -> None:
        """Looks at the next images; few of them are kept."""
        first, second = getattr(batch, self.first), getattr(batch, self.second)
        difference = np.abs(np.float32(first) - np.float32(second)).mean(axis=-1)
        shown = dict.fromkeys(("reals", "fakes", self.first, self.second))
        for i, error in enumerate(mean_absolute_error(first, second)):
            # Copies: a view would keep the whole batch.
            pictures = {CAPTIONS[x]: getattr(batch, x)[i].copy() for x in shown}
            pictures["error"] = error_map(difference[i])
            self.kept.append(Ranked(float(error), self.count + i, pictures))
        self.kept.sort(key=lambda ranked: ranked[:2])
        self.kept = self.best + self.kept[NUM_EXTREMES:][-NUM_EXTREMES:]
        self.count += len(difference)

    @property
    def best(self) -> list[Ranked]:
        """From the best on."""
        return self.kept[:NUM_EXTREMES]

    @property
    def worst(self) -> list[Ranked]:
        """From the worst on; none that is among the best."""
        return self.kept[NUM_EXTREMES:][::-1]


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

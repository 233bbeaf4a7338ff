"""Which test images come out best and worst: seen in passing, six are kept of each."""

from typing import NamedTuple

import numpy as np

from cyclegan_tf.data.domain import Domain
from cyclegan_tf.data.ranges import to_shown
from cyclegan_tf.evaluation.pictures import error_map
from cyclegan_tf.evaluation.scores import PAIRS, Batch
from cyclegan_tf.metrics.similarity import mean_absolute_error

NUM_EXTREMES = 3
# Single images are ranked by the errors of these pairs.
RANKINGS = {"error of the round trip": "cycle", "error to the truth": "truth"}


class Ranked(NamedTuple):
    """A test image and what became of it."""

    error: float  # in grey levels
    index: int  # of the image in its split
    # As they are shown, uint8 (height, width, 3), last the map of the error.
    pictures: dict[str, np.ndarray]


class Ranking:
    """The images with the smallest and the largest errors."""

    def __init__(self, pair: str):
        self.pair = pair  # of a `Batch`, a key of `PAIRS`
        self.best: list[Ranked] = []  # from the best on
        self.worst: list[Ranked] = []  # from the worst on; none that is among the best
        self.count = 0

    def add(self, batch: Batch) -> None:
        """Looks at the next images, if they have what is compared."""
        if (images := batch.pair(self.pair)) is None:
            return
        first, second = map(np.float32, images)
        difference = np.abs(first - second).mean(axis=-1)
        shown = dict.fromkeys(("real", "fake", *PAIRS[self.pair]))
        kept = self.best + self.worst
        for i, error in enumerate(mean_absolute_error(*images)):
            pictures = {name: _picture(getattr(batch, name)[i]) for name in shown}
            pictures["error"] = error_map(difference[i])
            kept.append(Ranked(float(error), self.count + i, pictures))
        kept.sort(key=lambda ranked: ranked[:2])
        self.best = kept[:NUM_EXTREMES]
        self.worst = kept[NUM_EXTREMES:][: -NUM_EXTREMES - 1 : -1]
        self.count += len(difference)


def _picture(levels):
    """A picture of an image in grey levels: a copy, as a view keeps its whole batch."""
    return to_shown(levels, Domain(channels=levels.shape[-1])).copy()

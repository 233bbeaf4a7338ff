"""A record of some steps of a run, and what measures their speed."""

import dataclasses
import time

from cyclegan_tf.evaluation.results import DirectionScores, flat_scores


@dataclasses.dataclass(frozen=True)
class Record:
    """What there is to say of some steps."""

    step: int  # the last of them
    losses: dict[str, float]  # their means, in the order of the model
    learning_rate: float  # of the generators
    images_per_s: float  # of both domains, in the epoch so far
    input_wait: float  # share of that time, 0 to 1, spent waiting for images
    peaks: dict[str, int]  # of the memory, in bytes, see `devices.peak_memory`
    results: list[DirectionScores]  # of an epoch that has been scored

    def row(self, epoch: int) -> dict[str, float]:
        """What `metrics.csv` has of an epoch, counted from 1."""
        names = ("learning_rate", "images_per_s", "input_wait")
        numbers = {name: getattr(self, name) for name in names}
        row = {"epoch": epoch, "step": self.step}
        return row | self.losses | numbers | flat_scores(self.results)


class Speed:
    """Images per second, and the share of the time spent waiting for input.

    The first step after `start` is set to None, which may compile, is left out.
    """

    def __init__(self, images_per_step: int):
        self.images_per_step, self.start = images_per_step, None
        self.images_per_s = self.input_wait = 0.0

    def measure(self, step: int, waited: float) -> None:
        """Takes the time of a step, which has ended, and the seconds waited so far."""
        now = time.monotonic()
        if self.start is None:
            self.start = now, step, waited
            return
        start, first_step, earlier_wait = self.start
        elapsed = max(now - start, 1e-9)
        self.images_per_s = self.images_per_step * (step - first_step) / elapsed
        self.input_wait = min(1.0, (waited - earlier_wait) / elapsed)

"""Scores the generators while they are trained."""

import dataclasses
import math

import tensorflow as tf

from cyclegan_tf.common.console import say
from cyclegan_tf.common.errors import Damaged
from cyclegan_tf.evaluation.results import flat_scores, mean_score
from cyclegan_tf.runs.saved import read_best
from cyclegan_tf.training.callbacks.step import StepCallback, is_due


class Scores(StepCallback):
    """Scores the generators after every few epochs, and announces a best epoch.

    Other callbacks read, of the epoch that has just ended, `results`, or none, and
    `best`: what is to be said of its checkpoint if it is better than all before it, or
    None.

    Args:
        evaluator: `evaluation.Evaluator`.
        every: number of epochs from one to the next; the last epoch is always scored.
        epochs: of the whole run.
        best_by: name of the score, the mean over both directions; lower is better.
        directory: of the checkpoints.
        log: `EventLog` that gets the scores.
    """

    def __init__(self, evaluator, every, epochs, best_by, directory, log):
        super().__init__()
        self.evaluator, self.every, self.epochs = evaluator, every, epochs
        self.best_by, self.directory, self.log = best_by, directory, log
        self.results, self.best = [], None

    def on_epoch_begin(self, epoch, logs=None):
        """Forgets the results of the epoch before."""
        super().on_epoch_begin(epoch, logs)
        self.results, self.best = [], None

    def on_epoch_end(self, epoch, logs=None):
        """Scores, and compares with the best so far."""
        if not is_due(epoch, self.every, self.epochs):
            return
        self.results = self.evaluator.evaluate(self.model.trained_generators)
        with self.log.as_default(step=self.step):
            for name, value in flat_scores(self.results).items():
                tf.summary.scalar(f"scores/{name}", value)
        about = {
            "step": self.step,
            "epoch": epoch + 1,
            "best_by": self.best_by,
            "value": mean_score(self.results, self.best_by),
            "scores": [dataclasses.asdict(result) for result in self.results],
        }
        try:
            earlier = read_best(self.directory)
        except Damaged as error:
            say(str(error))
            earlier = {}
        if not _is_comparable(about, earlier) or about["value"] < earlier["value"]:
            self.best = about


def _is_comparable(about, earlier):
    """Whether a best checkpoint is the best by the same score and protocol."""

    def measure(best):
        return best["best_by"], [entry["protocol"] for entry in best["scores"]]

    try:
        return measure(about) == measure(earlier) and math.isfinite(earlier["value"])
    except (KeyError, TypeError):
        return False  # none, or one of another version

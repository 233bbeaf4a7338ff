"""What is told of a run: one record of it every so many steps, and of each epoch."""

import contextlib
import dataclasses
import math
from typing import Any

import tensorflow as tf

from cyclegan_tf.common.console import markdown, say
from cyclegan_tf.common.errors import Damaged
from cyclegan_tf.data import pipeline
from cyclegan_tf.evaluation.results import mean_score
from cyclegan_tf.runs.history import METRICS, read_history, write_history
from cyclegan_tf.runs.saved import read_best
from cyclegan_tf.training.devices import peak_memory
from cyclegan_tf.training.reports.checkup import NUM_IMAGES, Checkup
from cyclegan_tf.training.reports.event_log import EventLog
from cyclegan_tf.training.reports.progress import ProgressBar
from cyclegan_tf.training.reports.record import Record, Speed
from cyclegan_tf.training.reports.samples import Samples
from cyclegan_tf.training.running import Run, is_due

RECORD_EVERY = 50  # steps


class Reporter:
    """Makes the records of a run, and gives them to TensorBoard, file, and console.

    Leaving the `stack` closes what is open. `results` are the scores of the epoch that
    has ended last, if it was scored.
    """

    def __init__(self, run: Run, stack: contextlib.ExitStack):
        self.run, self.model, config = run, run.model, run.config
        self.log = EventLog(run.path / "tensorboard")
        stack.enter_context(contextlib.closing(self.log))
        if run.model.step == 0:
            options = config.resolved().items()
            rows = (f"| {name} | {markdown(value)} |" for name, value in options)
            with self.log.at(0):
                tf.summary.text(
                    "config", "\n".join(["| option | value |\n|-|-|", *rows])
                )
        # A few images per domain: of the test set, or else of the training set.
        splits = (run.splits[f"test{x}"] or run.splits[f"train{x}"] for x in "AB")
        images = [
            pipeline.load_images(x.first(NUM_IMAGES), config.frame) for x in splits
        ]
        self.checkup = Checkup(run, images, self.log)
        self.samples = Samples(run, images, self.log)
        self.results = []
        self.rows = None  # of `metrics.csv`; once they are read, the file may vanish
        self.speed = Speed(2 * config.batch_size * run.devices.num_replicas)
        self.bar = ProgressBar(config.epochs, run.num_steps, config.best_by)
        stack.enter_context(contextlib.closing(self.bar))

    def begin_epoch(self, epoch: int, step: int) -> None:
        """Begins an epoch, counted from 0, or its rest, after a step."""
        self.speed.start, self.sums = None, self._sums()
        self.learning_rate = float(self.model.generator_optimizer.learning_rate)
        self.bar.begin_epoch(epoch, step)

    def after_step(self, step: int, logs: dict | None, is_last: bool) -> None:
        """Shows a step, whose losses are given if it has ended, and records some."""
        if logs:
            self.speed.measure(step, self.model.seconds_waited)
        self.bar.after_step(self._in_order(logs), self.speed.images_per_s)
        if step % RECORD_EVERY == 0 and not is_last:
            self.log.scalars(self._record(step, self._latest_losses(), []))

    def after_epoch(self, epoch: int, step: int, logs: dict) -> dict[str, Any] | None:
        """Scores, records and shows an epoch.

        Returns what is to be said of its checkpoint if it is the best so far, or None.
        """
        config, generators = self.run.config, self.model.trained_generators
        is_scored = is_due(epoch, config.evaluate_every, config.epochs)
        self.results = self.run.evaluator.evaluate(generators) if is_scored else []
        record = self._record(step, self._in_order(logs), self.results)
        # A curve of means over as many steps all along; the table is of whole epochs.
        self.log.scalars(dataclasses.replace(record, losses=self._latest_losses()))
        self.bar.after_epoch(record)
        self._add_row(epoch, record)
        self.samples.draw(epoch, step)
        self.checkup.examine(record)
        self.log.flush()
        return self._best(epoch, record) if is_scored else None

    def _add_row(self, epoch, record):
        """Rewrites `metrics.csv` without the rows after what the run resumes at."""
        path = self.run.path / METRICS
        with self.log.errors_said_once("metrics"):
            if self.rows is None:
                self.rows = read_history(path)
            self.rows = [row for row in self.rows if row["epoch"] <= epoch]
            self.rows.append(record.row(epoch + 1))
            write_history(path, self.rows)

    def _record(self, step, losses, results):
        speed = self.speed.images_per_s, self.speed.input_wait
        return Record(step, losses, self.learning_rate, *speed, peak_memory(), results)

    def _in_order(self, logs):
        """The losses as the model lists them; graphs sort them by name."""
        return {name: float(logs[name]) for name in self.model.trackers if logs}

    def _latest_losses(self):
        """The means of the losses since the last time within the epoch."""
        before, self.sums = self.sums, self._sums()
        return {
            name: (total - before[name][0]) / max(1.0, count - before[name][1])
            for name, (total, count) in self.sums.items()
        }

    def _sums(self):
        return {
            name: (float(tracker.total.numpy()), float(tracker.count.numpy()))
            for name, tracker in self.model.trackers.items()
        }

    def _best(self, epoch, record):
        best_by = self.run.config.best_by
        about = {
            "step": record.step,
            "epoch": epoch + 1,
            "best_by": best_by,
            "value": mean_score(record.results, best_by),
            "scores": [dataclasses.asdict(result) for result in record.results],
        }
        try:
            earlier = read_best(self.run.checkpoints)
        except Damaged as error:
            say(str(error))
            earlier = {}
        is_worse = _is_comparable(about, earlier) and about["value"] >= earlier["value"]
        return None if is_worse else about


def _is_comparable(about, earlier):
    """Whether a best checkpoint is the best by the same score and protocol."""

    def measure(best):
        return best["best_by"], [entry["protocol"] for entry in best["scores"]]

    try:
        return measure(about) == measure(earlier) and math.isfinite(earlier["value"])
    except (KeyError, TypeError):
        return False  # none, or one of another version

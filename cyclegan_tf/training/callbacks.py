"""What happens beside the steps: progress, pictures, TensorBoard, CSV, checkpoints.

All of them count steps from the start of the run, over all its resumptions. They are
called in the order in which `training` lists them, the checkpoint last: what a
checkpoint says has happened is then on disk.
"""

import csv
import dataclasses
import io
import math
import pathlib
import time

import keras
import tensorflow as tf

from cyclegan_tf.common.console import is_terminal, progress_bar, say, status_line
from cyclegan_tf.common.files import write_text
from cyclegan_tf.config.losses import LOSSES
from cyclegan_tf.evaluation import pictures
from cyclegan_tf.evaluation.results import DOMAINS, flat_name, flat_scores, mean_score
from cyclegan_tf.inference.pixels import translate_all
from cyclegan_tf.runs import checkpoint, history

SCALARS_EVERY = 50  # steps
LOSSES_EVERY = 10  # steps; in between, the device need not wait for anybody who reads


class Stopped(Exception):
    """The user asked to stop; raised between two steps, when the state is whole."""


class StepCallback(keras.callbacks.Callback):
    """Knows the step of the run: `self.step` steps have been taken."""

    step = 0

    def on_epoch_begin(self, epoch, logs=None):
        """Reads the step where an epoch, or the rest of one, begins."""
        self.first_step = self.step = self.model.step

    def on_train_batch_end(self, batch, logs=None):
        """Counts."""
        self.step = self.first_step + batch + 1


class Guard(StepCallback):
    """Ends the run where going on would lose something; comes first of all.

    Also chooses the steps whose losses are read back: the first and the last of an
    epoch and every tenth. Of others, callbacks get no losses.

    Args:
        is_stop_requested: function of the step, asked after every one.

    Raises:
        NonFiniteState: a loss, or after an epoch a variable, is NaN or infinite.
        Stopped: a stop was requested.
    """

    def __init__(self, is_stop_requested):
        super().__init__()
        self.is_stop_requested = is_stop_requested

    def on_train_batch_begin(self, batch, logs=None):
        """Says whether this step's losses are read."""
        is_first_or_last = batch in (0, self.params["steps"] - 1)
        is_due = (self.first_step + batch + 1) % LOSSES_EVERY == 0
        self.model.returns_logs = is_first_or_last or is_due

    def on_train_batch_end(self, batch, logs=None):
        """Looks at the losses, then at the request."""
        super().on_train_batch_end(batch, logs)
        for name in LOSSES if logs else ():
            if not math.isfinite(logs[name]):
                raise checkpoint.NonFiniteState(f"loss {name} is {logs[name]}")
        if self.is_stop_requested(self.step):
            raise Stopped

    def on_epoch_end(self, epoch, logs=None):
        """Looks at the variables, before others make something of them."""
        checkpoint.require_finite(self.model)


class Throughput(StepCallback):
    """Measures images per second and the share of the time spent waiting for input.

    Other callbacks read `images_per_s` and `input_wait` (0 to 1) of the epoch so far.
    The first step of each `fit`, which compiles, is left out.

    Args:
        batch_size: images of each domain per step; both domains are counted.
    """

    def __init__(self, batch_size):
        super().__init__()
        self.batch_size = batch_size
        self.images_per_s = self.input_wait = 0.0

    def on_epoch_begin(self, epoch, logs=None):
        """Starts anew."""
        super().on_epoch_begin(epoch, logs)
        self.start = None

    def on_train_batch_end(self, batch, logs=None):
        """Compares what was done and waited with the time since the first step."""
        super().on_train_batch_end(batch, logs)
        if not logs:
            return  # nobody has waited for the device: this step may not have ended
        now, waited = time.monotonic(), logs["input_wait"] * (batch + 1)
        if self.start is None:
            self.start = (now, self.step, waited)
            return
        start, step, earlier_wait = self.start
        elapsed = max(now - start, 1e-9)
        self.images_per_s = 2 * self.batch_size * (self.step - step) / elapsed
        self.input_wait = min(1.0, max(0.0, waited - earlier_wait) / elapsed)


class Evaluation(StepCallback):
    """Scores the generators after every few epochs and keeps the best checkpoint.

    Other callbacks read `results`, those of the epoch that has just ended or none, and
    `columns`, the names of all scores.

    Args:
        evaluator: `evaluation.Evaluator`.
        every: number of epochs from one to the next; the last epoch is always scored.
        epochs: of the whole run.
        best_by: name of the score, the mean over both directions; lower is better.
        directory: of the checkpoints.
        run_id: of the run, which they bear.
        writer: summary writer that gets the scores.
    """

    def __init__(self, evaluator, every, epochs, best_by, directory, run_id, writer):
        super().__init__()
        self.evaluator, self.every, self.epochs = evaluator, every, epochs
        self.best_by, self.directory, self.run_id = best_by, directory, run_id
        self.writer = writer
        self.results = []
        self.columns = [flat_name(n, d) for d in DOMAINS for n in evaluator.names]

    def on_epoch_begin(self, epoch, logs=None):
        """Forgets the results of the epoch before."""
        super().on_epoch_begin(epoch, logs)
        self.results = []

    def on_epoch_end(self, epoch, logs=None):
        """Scores, and saves a checkpoint that is better than all before it."""
        number = epoch + 1
        if number % self.every and number != self.epochs:
            return
        self.results = self.evaluator.evaluate(self.model.generators)
        with self.writer.as_default(step=self.step):
            for name, value in flat_scores(self.results).items():
                tf.summary.scalar(f"scores/{name}", value)
        about = {
            "step": self.step,
            "epoch": number,
            "best_by": self.best_by,
            "value": mean_score(self.results, self.best_by),
            "scores": [dataclasses.asdict(result) for result in self.results],
        }
        try:
            earlier = checkpoint.read_best(self.directory)
        except checkpoint.DamagedCheckpoint as error:
            say(str(error))
            earlier = {}
        if not _is_comparable(about, earlier) or about["value"] < earlier["value"]:
            checkpoint.save_best(self.model, self.directory, about, self.run_id)


class ProgressBar(StepCallback):
    """A bar over the whole run, the eight losses below; a line per finished epoch.

    Args:
        epochs: of the whole run.
        num_steps: of the whole run.
        throughput: measures the images per second.
        evaluation: has the scores of the epoch.
    """

    def __init__(self, epochs, num_steps, throughput, evaluation):
        super().__init__()
        self.epochs, self.num_steps, self.throughput = epochs, num_steps, throughput
        self.evaluation = evaluation
        self.bar = None

    def on_epoch_begin(self, epoch, logs=None):
        """Opens the bar at the first step, and says what the first step takes."""
        super().on_epoch_begin(epoch, logs)
        self.epoch = epoch + 1
        if self.bar is None:
            self.bar = progress_bar(self.num_steps, "", " steps", initial=self.step)
            self.losses = status_line()
            self.bar.set_description("tracing and compiling the step", refresh=True)

    def on_train_batch_end(self, batch, logs=None):
        """Moves on."""
        super().on_train_batch_end(batch, logs)
        if logs:
            self._show(logs)
        if self.bar.update():
            self.losses.refresh()

    def _show(self, logs):
        self.bar.set_description(f"epoch {self.epoch}/{self.epochs}", refresh=False)
        rate = f"{self.throughput.images_per_s:.3g} images/s"
        if is_terminal():
            self.bar.set_postfix_str(rate, refresh=False)
            self.losses.set_description_str(_in_brief(logs), refresh=False)
        else:
            self.bar.set_postfix_str(f"{rate}, {_in_words(logs, 2)}", refresh=False)

    def on_epoch_end(self, epoch, logs=None):
        """Leaves a line."""
        results, name = self.evaluation.results, self.evaluation.best_by
        scores = "".join(
            f"{name} {result.direction} {result.scores[name]:.4g}  "
            for result in results
        )
        say(
            f"epoch {epoch + 1}/{self.epochs}  {_in_words(logs, 3)}  {scores}"
            f"{self.throughput.images_per_s:.3g} images/s  "
            f"waiting for input {self.throughput.input_wait:.1%}"
        )

    def close(self):
        """Removes the bar from the console."""
        if self.bar is not None:
            self.losses.close()
            self.bar.close()


class TensorBoardLog(StepCallback):
    """Writes scalars for TensorBoard, as means over every 50 steps.

    Args:
        writer: summary writer.
        schedule: the learning rate as a function of the step.
        throughput: measures images per second and the wait for input.
    """

    def __init__(self, writer, schedule, throughput):
        super().__init__()
        self.writer, self.schedule, self.throughput = writer, schedule, throughput

    def on_epoch_begin(self, epoch, logs=None):
        """Remembers where the means begin; the trackers begin anew each epoch."""
        super().on_epoch_begin(epoch, logs)
        self.sums = self._sums()

    def on_train_batch_end(self, batch, logs=None):
        """Writes the scalars of the steps since the last time."""
        super().on_train_batch_end(batch, logs)
        if self.step % SCALARS_EVERY == 0:
            self._write()

    def on_epoch_end(self, epoch, logs=None):
        """Writes what is left of the epoch."""
        if self.step % SCALARS_EVERY:
            self._write()
        self.writer.flush()

    def _write(self):
        before, self.sums = self.sums, self._sums()
        with self.writer.as_default(step=self.step):
            for name, (total, count) in self.sums.items():
                mean = (total - before[name][0]) / max(1.0, count - before[name][1])
                tf.summary.scalar(f"losses/{name}", mean)
            tf.summary.scalar("learning_rate", self.schedule(self.step - 1))
            tf.summary.scalar("speed/images_per_s", self.throughput.images_per_s)
            tf.summary.scalar("speed/input_wait", self.throughput.input_wait)

    def _sums(self):
        return {
            name: (float(tracker.total.numpy()), float(tracker.count.numpy()))
            for name, tracker in self.model.trackers.items()
        }


class Samples(StepCallback):
    """Draws the same test images after every few epochs: real, fake, cycled, identity.

    Args:
        images_a, images_b: uint8 `(count, height, width, 3)`, fixed images.
        directory: gets `epoch-0001-a.png` and `epoch-0001-b.png`.
        every: number of epochs from one to the next; the last epoch is always drawn.
        epochs: of the whole run.
        writer: summary writer that gets the same pictures.
        warnings: `telling.Warnings`, where a file cannot be written.
    """

    def __init__(self, images_a, images_b, directory, every, epochs, writer, warnings):
        super().__init__()
        self.images = {"a": images_a, "b": images_b}
        self.directory, self.writer, self.warnings = directory, writer, warnings
        self.every, self.epochs = every, epochs

    def on_epoch_end(self, epoch, logs=None):
        """Draws one grid for A and one for B."""
        number = epoch + 1
        if number % self.every and number != self.epochs:
            return
        directions = {
            "a": (self.model.gen_ab, self.model.gen_ba, "B"),
            "b": (self.model.gen_ba, self.model.gen_ab, "A"),
        }
        for domain, (there, back, other) in directions.items():
            columns = {f"real {domain.upper()}": self.images[domain]}
            fakes = translate_all(there, self.images[domain])
            columns[f"fake {other}"] = fakes
            columns[f"cycled {domain.upper()}"] = translate_all(back, fakes)
            columns[f"identity {domain.upper()}"] = translate_all(
                back, self.images[domain]
            )
            grid = pictures.sample_grid(columns)
            with self.warnings.instead_of_errors("samples"):
                path = self.directory / f"epoch-{number:04d}-{domain}.png"
                pictures.save_png(path, grid)
            with self.writer.as_default(step=self.step):
                tf.summary.image(f"samples/{domain.upper()}", grid[None])


class MetricsCsv(StepCallback):
    """Writes one row per epoch: losses, learning rate, images/s, waiting, scores.

    Args:
        path: the CSV file; rows after the step that the run resumes at are dropped.
        schedule: the learning rate as a function of the step.
        throughput: measures images per second and the wait for input.
        evaluation: has the scores of the epoch; their cells of others stay empty.
        warnings: `telling.Warnings`, where it cannot be written.
    """

    def __init__(self, path, schedule, throughput, evaluation, warnings):
        super().__init__()
        self.path, self.schedule, self.throughput = path, schedule, throughput
        self.evaluation, self.warnings = evaluation, warnings
        self.rows = None

    def on_epoch_end(self, epoch, logs=None):
        """Rewrites the file with one more row."""
        if self.rows is None:  # from then on the file may vanish
            self.rows = []
            with self.warnings.instead_of_errors("metrics"):
                self.rows = history.read_rows(self.path)
        self.rows = rows = [row for row in self.rows if int(row["epoch"]) <= epoch]
        row = {"epoch": epoch + 1, "step": self.step}
        row |= {name: f"{logs[name]:.6g}" for name in LOSSES}
        row["learning_rate"] = f"{float(self.schedule(self.step - 1)):.6g}"
        row["images_per_s"] = f"{self.throughput.images_per_s:.4g}"
        row["input_wait"] = f"{self.throughput.input_wait:.4g}"
        scores = flat_scores(self.evaluation.results)
        row |= {name: f"{value:.6g}" for name, value in scores.items()}
        rows.append(row)
        # Rows of an earlier process may have scores that this one has not.
        earlier = (name for row in rows for name in row)
        columns = dict.fromkeys([*history.COLUMNS, *self.evaluation.columns, *earlier])
        text = io.StringIO()
        writer = csv.DictWriter(text, columns, restval="", lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
        with self.warnings.instead_of_errors("metrics"):
            write_text(self.path, text.getvalue())


class RestoreTrackers(keras.callbacks.Callback):
    """Goes on with the epoch's means where a run resumes within an epoch.

    `fit` clears the trackers at the beginning of what it takes for an epoch.

    Args:
        values: from `checkpoint.tracker_state`, or None.
    """

    def __init__(self, values):
        super().__init__()
        self.values = values

    def on_epoch_begin(self, epoch, logs=None):
        """Puts them back, once."""
        if self.values is not None:
            checkpoint.set_trackers(self.model, self.values)
            self.values = None


class Checkpoints(StepCallback):
    """Saves the state every so many steps and after every epoch.

    Args:
        directory: of the checkpoints.
        run_id: of the run, which they bear.
        every: number of steps from one to the next within an epoch.
        before_epochs_checkpoint: function of the step, called before the checkpoint
            that ends an epoch.
    """

    def __init__(
        self, directory: pathlib.Path, run_id: str, every, before_epochs_checkpoint
    ):
        super().__init__()
        self.directory, self.run_id, self.every = directory, run_id, every
        self.before_epochs_checkpoint = before_epochs_checkpoint

    def on_train_batch_end(self, batch, logs=None):
        """Saves within an epoch."""
        super().on_train_batch_end(batch, logs)
        if self.step % self.every == 0 and batch + 1 < self.params["steps"]:
            checkpoint.save(self.model, self.directory, self.step, self.run_id)

    def on_epoch_end(self, epoch, logs=None):
        """Saves after an epoch."""
        self.before_epochs_checkpoint(self.step)
        checkpoint.save(self.model, self.directory, self.step, self.run_id)


def _is_comparable(about, earlier):
    """Whether a best checkpoint is the best by the same score and protocol."""

    def measure(best):
        return best["best_by"], [entry["protocol"] for entry in best["scores"]]

    try:
        return measure(about) == measure(earlier) and math.isfinite(earlier["value"])
    except (KeyError, TypeError):
        return False  # none, or a damaged one


def _in_words(logs, digits):
    return " ".join(f"{name} {logs[name]:.{digits}f}" for name in LOSSES)


def _in_brief(logs):
    """All eight losses within 80 columns."""
    return "  ".join(
        f"{kind}_A|B {logs[f'{kind}_A']:.2f} {logs[f'{kind}_B']:.2f}"
        for kind in ("G", "cycle", "identity", "D")
    )

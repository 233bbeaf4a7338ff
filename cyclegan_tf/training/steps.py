"""The one callback of a run: what happens before, between and after its steps."""

import math

import keras
import numpy as np

from cyclegan_tf.model.state import NonFiniteState, finite_arrays
from cyclegan_tf.runs import checkpoint
from cyclegan_tf.training.reports.reporter import Reporter
from cyclegan_tf.training.running import Run

LOSSES_EVERY = 10  # steps; in between, the device need not wait for anybody who reads


class Stopped(Exception):
    """The user asked to stop; raised between two steps, when the state is saved."""


class Steps(keras.callbacks.Callback):
    """Counts the steps of a run over all its resumptions, and keeps what must be kept.

    After a step, and after an epoch, it first ends the run where going on would lose
    something, then has told what there is to tell, and saves the state last: what a
    checkpoint says has happened is then on disk. A stop in the last step of an epoch
    waits for what the epoch ends with: a run that goes on after it would not have it.
    Workers that tell nothing have no reporter.

    Raises:
        NonFiniteState: a loss, or after an epoch a variable, is NaN or infinite.
        Stopped: a stop was requested.
    """

    def __init__(self, run: Run, reporter: Reporter | None):
        super().__init__()
        self.run, self.reporter = run, reporter

    def on_train_begin(self, logs=None):
        """Keeps the means of an epoch that is resumed within, which `fit` clears."""
        is_within_epoch = self.model.step % self.run.steps_per_epoch
        means = [x for tracker in self.model.metrics for x in tracker.variables]
        self.means = [(x, np.asarray(x)) for x in means] if is_within_epoch else []

    def on_epoch_begin(self, epoch, logs=None):
        """Puts them back, and reads the step where the epoch, or its rest, begins."""
        for variable, value in self.means:
            variable.assign(value)
        self.means = []
        self.step = self.model.step
        if self.reporter:
            self.reporter.begin_epoch(epoch, self.step)

    def on_train_batch_begin(self, batch, logs=None):
        """Chooses whether this step's losses are read: first, last, and every tenth."""
        is_first_or_last = batch in (0, self.params["steps"] - 1)
        is_tenth = (self.step + 1) % LOSSES_EVERY == 0
        self.model.returns_logs = is_first_or_last or is_tenth

    def on_train_batch_end(self, batch, logs=None):
        """Looks at the losses and the request, reports, and saves within an epoch."""
        self.step += 1
        for name, value in (logs or {}).items():
            if not math.isfinite(value):
                raise NonFiniteState(f"loss {name} is {value}")
        # Workers agree only now and then, since each must wait for the others.
        is_last = batch + 1 == self.params["steps"]
        agree = self.run.devices.num_workers == 1 or self.step % LOSSES_EVERY == 0
        if agree and not is_last and self._is_stop_asked_for():
            self.run.save_checkpoint()
            raise Stopped
        if self.reporter:
            self.reporter.after_step(self.step, logs, is_last)
        if self.step % self.run.config.checkpoint_every == 0 and not is_last:
            self.run.save_checkpoint()

    def on_epoch_end(self, epoch, logs=None):
        """Looks at the variables, before others make something of them; saves all."""
        finite_arrays(self.model)
        best = self.reporter and self.reporter.after_epoch(epoch, self.step, logs)
        if best:
            checkpoint.save_best(self.model, self.run.checkpoints, best)
        self.run.save_generators()
        self.run.save_checkpoint()
        if self._is_stop_asked_for():
            raise Stopped

    def _is_stop_asked_for(self):
        """Whether by any worker: all must stop after the same step. Collective."""
        return self.run.devices.any_worker(self.run.received_signal() is not None)

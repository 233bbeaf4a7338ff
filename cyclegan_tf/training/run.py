"""One run, from its options to a trained model in a run directory."""

import contextlib

from cyclegan_tf.common.console import say
from cyclegan_tf.config import TrainConfig
from cyclegan_tf.training.conclude import complete, conclude
from cyclegan_tf.training.devices import choose_devices
from cyclegan_tf.training.first_state import restore_or_start
from cyclegan_tf.training.fit import failures_in_one_line, fit
from cyclegan_tf.training.prepare import prepare


def train(config: TrainConfig) -> None:
    """Begins, continues or extends a run.

    Raises:
        InputError: something the user can mend, the losses diverged, or the memory
            does not suffice.
        SystemExit: stopped by a signal, after saving; its status is 128 + the signal.
    """
    devices = choose_devices(config.strategy)
    say(devices.describe())
    with contextlib.ExitStack() as stack:
        stack.enter_context(devices.lost_workers_in_one_line())
        run, origins = prepare(config, devices, stack)
        stack.enter_context(failures_in_one_line(run))
        restore_or_start(run, origins)
        if run.model.step < run.num_steps:
            results = fit(run)
            if devices.is_first:
                conclude(run, results)
        elif devices.is_first:
            complete(run)
        # All end together, so that none takes the others for lost.
        devices.wait_for_all()

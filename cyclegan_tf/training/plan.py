"""A plan: what a run will take of time, memory and disk, by its first real steps.

It is begun in a folder aside, which is removed; only a dataset that had to be converted
stays. What else runs on the machine meanwhile counts.
"""

import contextlib
import dataclasses
import itertools
import pathlib
import shutil
import sys
import tempfile
import time
from typing import Any

import keras
import numpy as np
import psutil
import tensorflow as tf

from cyclegan_tf.common.console import say
from cyclegan_tf.common.errors import LESS_MEMORY, InputError
from cyclegan_tf.common.memory import available_memory, bytes_text
from cyclegan_tf.config import TrainConfig
from cyclegan_tf.data.pipeline import damage_named
from cyclegan_tf.evaluation.evaluator import Evaluator
from cyclegan_tf.runs import checkpoint, directory, saved
from cyclegan_tf.training import devices
from cyclegan_tf.training.first_state import TEACHER, start_from_others
from cyclegan_tf.training.fit import fit_all_epochs
from cyclegan_tf.training.head_start import steps_of_head_start
from cyclegan_tf.training.prepare import prepare
from cyclegan_tf.training.running import Run, is_due, steps_per_epoch

NUM_SKIPPED, NUM_MEASURED = 3, 20  # steps; the first ones are slower than all others
# An evaluation is measured on as many images as take about so long: an image goes three
# times through a generator, and a step is worth about 18 times.
EVALUATED_SECONDS, SHARE_OF_STEP = 20.0, 3 / 18
# Of the free memory. Beyond, the machine would swap, or end a process of its choice.
MEMORY_SHARE = 0.9


class Clock(keras.callbacks.Callback):
    """Notes when each step has ended, and ends where the memory does not suffice."""

    def __init__(self, run: Run, most_bytes: float):
        super().__init__()
        self.run, self.most_bytes, self.ends = run, most_bytes, []

    def on_train_batch_begin(self, batch, logs=None):
        """Has every step's losses read, so that a GPU has ended it."""
        self.model.returns_logs = True

    def on_train_batch_end(self, batch, logs=None):
        """Looks at the clock, the memory and the signals."""
        self.ends.append(time.monotonic())
        if psutil.Process().memory_info().rss > self.most_bytes:
            raise MemoryError(f"it takes more than {bytes_text(self.most_bytes)}")
        if number := self.run.received_signal():
            sys.exit(128 + number)


def plan_run(config: TrainConfig) -> dict[str, Any]:
    """What a run will take to its end, from its newest checkpoint on.

    It can be written as JSON; times are in seconds, sizes in bytes.

    Raises:
        InputError: the run would end with it, too.
    """
    if config.strategy == "multiworker":
        raise InputError(
            "--dry-run measures one machine; leave out --strategy multiworker."
        )
    say(f"measuring {NUM_MEASURED} steps, an evaluation and a checkpoint")
    free, path = available_memory(), config.resolved_run_dir
    begun = None if config.restart else directory.require_same_options(path, config)
    try:
        with tempfile.TemporaryDirectory("-plan") as scratch, damage_named():
            short = _short_run(config, begun, pathlib.Path(scratch, "run"))
            run, seconds, memory, size = _measured(short, MEMORY_SHARE * free)
    except (tf.errors.ResourceExhaustedError, MemoryError) as error:
        reason = (str(error).splitlines() or ["no more memory"])[0]
        raise InputError(
            f"--dry-run: it does not fit ({reason}); {LESS_MEMORY}."
        ) from None
    # How often each is done, from what is there already.
    found = [] if config.restart else saved.checkpoints(path / saved.CHECKPOINTS)
    done = saved.step_of(found[0]) if found else 0
    steps = steps_per_epoch(config, run.splits, run.devices.num_replicas)
    times = count_times(config, steps, done)
    if "head_start_step" in seconds and not found:
        times["head_start_step"] = config.discriminator_head_start
    kept = min(checkpoint.NUM_KEPT, times["checkpoint"]) + 1  # and the best
    seconds["epoch_of_steps"] = steps * seconds["step"]
    seconds["total"] = sum(count * seconds[name] for name, count in times.items())
    existing = next(each for each in (path, *path.absolute().parents) if each.exists())
    return {
        "options": config.resolved(),
        "device": run.devices.describe(),
        "dataset": {
            "directory": str(pathlib.Path(run.splits["trainA"].paths[0]).parent),
            "images": {domain: len(run.splits[f"train{domain}"]) for domain in "AB"},
        },
        "steps": {"per_epoch": steps, "done": done, "left": times["step"]},
        "seconds": seconds,
        "times": times,
        "memory": memory | {"free_bytes": free},
        "disk": {
            "checkpoint_bytes": size,
            "checkpoints_kept": kept,
            "run_bytes": kept * size,
            "free_bytes": shutil.disk_usage(existing).free,
        },
    }


def _short_run(config, begun, aside):
    """Options of a run of a few steps aside; a begun one has its images and teacher."""
    path, num_steps = config.resolved_run_dir, NUM_SKIPPED + NUM_MEASURED + 1
    changes = {"run_dir": str(aside), "steps_per_epoch": num_steps}
    changes |= {"epochs": 1, "constant_epochs": None}
    changes |= dict.fromkeys(("restart", "dry_run", "json"), False)
    if begun:
        # What it depends on no more may be gone by now.
        if saved.checkpoints(path / saved.CHECKPOINTS):
            changes["init_from"] = None
        if (path / TEACHER).is_dir():
            changes["teacher"] = str(path / TEACHER)
        options = dataclasses.replace(begun.options, **changes)
        directory.write_config(aside, begun._replace(options=options))
    return dataclasses.replace(config, **changes)


def _measured(config, most_bytes):
    """A run that has been begun, what its parts take, and bytes of a checkpoint."""
    with contextlib.ExitStack() as stack:
        run, origins = prepare(config, devices.choose_devices(config.strategy), stack)
        started, clock = time.monotonic(), Clock(run, most_bytes)
        fit_all_epochs(run, clock)
        seconds = {"start": clock.ends[0] - started}
        seconds["step"] = float(np.median(np.diff(clock.ends)[NUM_SKIPPED:]))
        # Of an evaluation, as many images as there is time for.
        whole = run.evaluator
        limit = int(EVALUATED_SECONDS / (2 * SHARE_OF_STEP * seconds["step"]))
        images = [split.first(max(4, limit)) for split in whole.splits.values()]
        some = Evaluator(*images, whole.frame, whole.is_paired, whole.features)
        share = sum(some.counts.values()) / sum(whole.counts.values())
        scoring = _seconds(some.evaluate, run.model.trained_generators)
        seconds["evaluation"] = scoring / share
        seconds["checkpoint"] = _seconds(run.save_checkpoint)
        if config.discriminator_head_start and not start_from_others(run, origins):
            seconds["head_start_step"] = _seconds_of_head_start(run)
        memory = {f"{name}_bytes": x for name, x in devices.peak_memory().items()}
        [written] = saved.checkpoints(run.checkpoints)
        return run, seconds, memory, written.stat().st_size


def _seconds_of_head_start(run):
    ends, count = [], NUM_SKIPPED + NUM_MEASURED + 1
    for _ in itertools.islice(steps_of_head_start(run), count):
        np.asarray(run.model.discriminator_variables[0])  # so that a GPU has ended it
        ends.append(time.monotonic())
    return float(np.median(np.diff(ends)[NUM_SKIPPED:]))


def _seconds(function, *arguments):
    """Seconds of a second call, as the first one may trace."""
    for _ in range(2):
        started = time.monotonic()
        function(*arguments)
    return time.monotonic() - started


def count_times(config: TrainConfig, steps: int, done: int) -> dict[str, int]:
    """How often each thing is done, `steps` an epoch of which so many are `done`."""
    epochs = range(done // steps, config.epochs)
    scored = [is_due(epoch, config.evaluate_every, config.epochs) for epoch in epochs]
    return {
        "start": int(bool(epochs)),
        "step": max(0, config.epochs * steps - done),
        "evaluation": sum(scored),
        "checkpoint": len(epochs) * (1 + (steps - 1) // config.checkpoint_every),
    }


def plan_text(plan: dict[str, Any]) -> str:
    """What `plan_run` gives, in lines for people."""
    names = ("dataset", "steps", "seconds", "times", "memory", "disk")
    dataset, steps, seconds, times, memory, disk = map(plan.get, names)
    images = " + ".join(map(str, dataset["images"].values()))
    done = f" from step {steps['done']} on" if steps["done"] else ""
    gpu = memory.get("device_bytes")
    on_gpu = f"{bytes_text(gpu)} of the GPU, " if gpu else ""
    ahead = ""
    if count := times.get("head_start_step"):
        each = seconds["head_start_step"]
        ahead = f"at most {count} steps of {each:.3g} s of the discriminators alone, "
    options = [f"{x} {y}" for x, y in plan["options"].items() if y is not None]
    return f"""\
dataset: {dataset["directory"]}: {images} images
device: {plan["device"]}
step: {seconds["step"]:.3g} s
epoch: {_duration(seconds["epoch_of_steps"])}: {steps["per_epoch"]} steps
run: {_duration(seconds["total"])}{done}: {ahead}{steps["left"]} steps, \
{times["evaluation"]} evaluations of {seconds["evaluation"]:.2g} s, \
{times["checkpoint"]} checkpoints of {seconds["checkpoint"]:.2g} s, \
first step {seconds["start"]:.2g} s
memory: {on_gpu}{bytes_text(memory["host_bytes"])} of this machine, \
which has {bytes_text(memory["free_bytes"])} free
disk: {disk["checkpoints_kept"]} checkpoints of \
{bytes_text(disk["checkpoint_bytes"])}; {bytes_text(disk["free_bytes"])} are free
options: {", ".join(options)}"""


def _duration(seconds):
    """In hours; short ones in minutes, too."""
    hours = f"{seconds / 3600:.2g} hours"
    return hours if seconds > 3600 else f"{hours} ({seconds / 60:.2g} min)"

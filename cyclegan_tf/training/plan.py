"""A plan: what a run will take of time, memory and disk, and what else would fit.

All is measured in processes of their own, by the code of a run, in a folder that is
removed: their memory is that of a run alone, and one that ends for lack of it says so.
"""

import contextlib
import dataclasses
import math
import pathlib
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from typing import Any

from cyclegan_tf.common.console import quiet_start, say
from cyclegan_tf.common.errors import LESS_MEMORY, InputError
from cyclegan_tf.common.memory import available_memory
from cyclegan_tf.common.processes import run_watched
from cyclegan_tf.config import TrainConfig, flag
from cyclegan_tf.config.sizes import size_text
from cyclegan_tf.runs import directory

# Of the free memory. Beyond, the machine would swap, or end a process of its choice.
MEMORY_SHARE = 0.9
# What is tried has to leave room for the images that a run may keep in memory.
TRIED_SHARE = 0.65
# For larger crops, and as many again for larger batches; or so many starts of a run.
TRIED_SECONDS = 30.0
TRIED_STARTS = 3
FACTORS = [2**power for power in range(1, 7)]


def plan(
    config: TrainConfig,
    free_bytes: int | None = None,
    tried_seconds: float | None = None,
) -> dict[str, Any]:
    """What a run will take, from a few of its steps; only its dataset is kept.

    Args:
        config: the options.
        free_bytes: of memory; default: what this machine has.
        tried_seconds: to try larger crops for, and then larger batches; 0: none are.
            Default: 30, or on a slow machine as long as three starts of a run.

    Returns:
        To be written as JSON: "options" as they will be used, "device", "dataset",
        "steps", "seconds" of everything once and in all, "times" that it is done,
        "memory" and "disk" in bytes, and "largest" by option.

    Raises:
        InputError: something the user can mend; the run would not fit, for instance.
    """
    if config.strategy == "multiworker":
        raise InputError(
            "--dry-run measures one machine; leave out --strategy multiworker."
        )
    path = config.resolved_run_dir
    directory.require_a_run(path)
    if not config.restart:
        directory.require_same_options(path, config)
    free = free_bytes or available_memory()
    with _terminated_as_exit(), tempfile.TemporaryDirectory("-plan") as name:
        folder = pathlib.Path(name)
        say("measuring a few steps, an evaluation and a checkpoint")
        measured, was_converted = _measured(config, folder, MEMORY_SHARE * free)
        if tried_seconds is None:
            start = measured["seconds"]["start"]
            tried_seconds = max(TRIED_SECONDS, TRIED_STARTS * start)
        largest = {}
        for option, larger in LARGER.items() if tried_seconds else ():
            say(f"trying larger values of {flag(option)} for {tried_seconds:.0f} s")
            limits = TRIED_SHARE * free, tried_seconds
            largest[option] = _largest(config, option, larger, folder, *limits)
    measured["dataset"]["was_converted"] = was_converted
    measured["memory"]["free_bytes"] = free
    measured["disk"]["free_bytes"] = _free_on_disk(path)
    return {"options": config.resolved(), **measured, "largest": largest}


@contextlib.contextmanager
def _terminated_as_exit() -> Iterator[None]:
    """Lets SIGTERM clean up as Ctrl-C does."""

    def leave(number, _):
        sys.exit(128 + number)

    previous = signal.signal(signal.SIGTERM, leave)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, previous)


def _measured(config, folder, most_bytes):
    """The answer of `measure.measure`, and whether it had to convert the dataset."""
    answer, processes = None, 0
    while answer is None and processes < 2:
        outcome = run_watched(
            *(_measure, config, folder / "run", time.time()), most_bytes=int(most_bytes)
        )
        if outcome.stopped_by:
            raise InputError(
                f"this run does not fit in {_size(most_bytes)}, {MEMORY_SHARE:.0%} of "
                f"the memory that is free; {LESS_MEMORY}."
            )
        [answer], processes = outcome.answers, processes + 1
    return answer, processes > 1


def _measure(tell, config, folder, started):
    tell(_measuring(folder).measure(config, folder, started))


def _try_each(tell, configs, folder):
    _measuring(folder).try_each(tell, configs, folder)


def _measuring(folder):
    """The module, whose import takes seconds."""
    # Files of TensorFlow's, too, are to go with the folder if the process is ended.
    tempfile.tempdir = str(folder.parent)
    with quiet_start():
        from cyclegan_tf.training import measure
    return measure


def _largest(config, option, larger, folder, most_bytes, seconds):
    """The largest value that fits: doubled, then halfway to what does not."""
    until, tried = time.monotonic() + seconds, []

    def climb(factors):
        configs = [larger(config, factor) for factor in factors]
        outcome = run_watched(
            *(_try_each, configs, folder / f"{option}-{factors[0]}"),
            most_bytes=int(most_bytes),
            seconds=until - time.monotonic(),
        )
        memory = [answer for answer in outcome.answers if answer is not None]
        for each, used in zip(configs, memory, strict=False):
            tried.append({"value": getattr(each, option)} | used)
        too_large = None in outcome.answers
        return len(memory), "memory" if too_large else outcome.stopped_by

    count, stopped_by = climb(FACTORS)
    largest, failing = (1, *FACTORS)[count], (*FACTORS, None)[count]
    halfway = failing and (largest + failing) / 2
    values = [
        getattr(larger(config, x or 1), option) for x in (halfway, largest, failing)
    ]
    if stopped_by == "memory" and values[0] not in values[1:]:
        fits, ended_by = climb([halfway])
        if fits:
            largest = halfway
        elif ended_by == "memory":
            failing = halfway
    return {
        "largest": getattr(larger(config, largest), option),
        "stopped_by": stopped_by,
        "stopped_at": failing and getattr(larger(config, failing), option),
        "seconds": seconds,
        "most_bytes": int(most_bytes),
        "tried": tried,
    }


def _crop(config, factor):
    """The options with a crop whose sides are so many times as long."""
    if factor == 1:
        return config
    sides = (4 * round(side * factor / 4) for side in config.frame[:2])
    # Drawn pictures stay as they are, and are resized.
    return dataclasses.replace(
        config,
        image_size=size_text(*sides),
        load_size=None,
        synthetic_size=config.resolved_synthetic_size,
    )


def _batch(config, factor):
    return dataclasses.replace(config, batch_size=int(config.batch_size * factor))


# By option, the function of the options and a factor.
LARGER = {"image_size": _crop, "batch_size": _batch}


def _free_on_disk(path):
    existing = next(each for each in (path, *path.absolute().parents) if each.exists())
    return shutil.disk_usage(existing).free


def text(planned: dict[str, Any]) -> str:
    """What `plan` gives, in lines for people."""
    options, steps, memory = (planned[name] for name in ("options", "steps", "memory"))
    seconds, times, disk = (planned[name] for name in ("seconds", "times", "disk"))
    images = " + ".join(map(str, planned["dataset"]["images"].values()))
    was_converted = ", converted now" * planned["dataset"]["was_converted"]
    done = f" from step {steps['done']} on" if steps["done"] else ""
    device = memory["device_bytes"]
    on_device = f"{_size(device)} of the GPU, " if device else ""
    lines = {
        "dataset": f"{planned['dataset']['directory']}: {images} images{was_converted}",
        "device": planned["device"],
        "step": f"{seconds['step']:.3g} s",
        "epoch": f"{_duration(seconds['epoch_of_steps'])}: {steps['per_epoch']} steps",
        "run": f"ends after {_duration(seconds['total'])}{done}: "
        f"{steps['left']} steps, "
        f"{times['evaluations']} evaluations of {seconds['evaluation']:.2g} s, "
        f"{times['samples']} x pictures of {seconds['sample']:.2g} s, "
        f"{times['checkpoints']} checkpoints of {seconds['checkpoint']:.2g} s, "
        f"start {seconds['start']:.2g} s",
        "memory": f"{on_device}{_size(memory['host_bytes'])} of this machine, which "
        f"has {_size(memory['free_bytes'])} free",
        "disk": f"{_size(disk['run_bytes'])}, of which {disk['checkpoints_kept']} "
        f"checkpoints of {_size(disk['checkpoint_bytes'])}; "
        f"{_size(disk['free_bytes'])} are free",
    }
    for option, found in planned["largest"].items():
        lines[f"largest {flag(option)}"] = _found(found)
    given = (f"{name} {value}" for name, value in options.items() if value is not None)
    lines["options"] = ", ".join(given)
    return "\n".join(f"{name}: {line}" for name, line in lines.items())


def _found(found):
    largest, reason = found["largest"], found["stopped_by"]
    if reason == "memory":
        limit = _size(found["most_bytes"])
        return f"{largest} ({found['stopped_at']} does not fit in {limit})"
    if reason == "time":
        limit = f"{found['seconds']:.0f} s"
        return f"at least {largest} ({found['stopped_at']} took longer than {limit})"
    return f"at least {largest}"


def _size(num_bytes):
    power = min(4, max(1, int(math.log2(max(1, num_bytes) * 1.024) // 10)))
    return f"{num_bytes / 1024**power:.3g} {' KMGT'[power]}iB"


def _duration(seconds):
    """In hours; short ones in minutes, too."""
    hours = f"{seconds / 3600:.2g} hours"
    return hours if seconds > 3600 else f"{hours} ({seconds / 60:.2g} min)"

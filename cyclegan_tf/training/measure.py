"""What a plan measures: the begin of a run, in a folder aside."""

import contextlib
import dataclasses
import gc
import pathlib
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from cyclegan_tf.common.errors import LESS_MEMORY, InputError
from cyclegan_tf.common.memory import peak_memory
from cyclegan_tf.config import TrainConfig
from cyclegan_tf.data import convert, pipeline
from cyclegan_tf.data.dataset import MANIFEST
from cyclegan_tf.evaluation import pictures
from cyclegan_tf.evaluation.evaluator import Evaluator
from cyclegan_tf.runs import checkpoint, history
from cyclegan_tf.training import devices, estimate
from cyclegan_tf.training.callbacks.doctor import Doctor
from cyclegan_tf.training.callbacks.guard import Guard, Stopped
from cyclegan_tf.training.callbacks.progress import ProgressBar
from cyclegan_tf.training.callbacks.samples import Samples
from cyclegan_tf.training.callbacks.scores import Scores
from cyclegan_tf.training.callbacks.step import StepCallback
from cyclegan_tf.training.conclude import save_generators
from cyclegan_tf.training.fit import NUM_SAMPLES, fit_all_epochs, reports
from cyclegan_tf.training.prepare import Run, prepare, steps_per_epoch

ENDLESS = 10**6  # steps of an epoch that is not to end
NUM_SKIPPED = 3  # measured steps, or tens of them, that are slower than all others
NUM_MEASURED = 60
LEAST_MEASURED = 5
MEASURED_SECONDS = 20.0  # then fewer of them do
REPEATED_BELOW = 5.0  # seconds: what takes longer is done once only
EVALUATED_SECONDS = 20.0  # then an evaluation is extrapolated
NUM_TRIED = 2  # steps


class Clock(StepCallback):
    """Measures the seconds of each step of an endless epoch.

    Attributes:
        first: wall-clock time at the end of the first step.
        seconds: of a step each. On a GPU, whose steps nobody waits for, means between
            those whose losses are read.
    """

    def __init__(self, waits_for_all: bool):
        super().__init__()
        self.waits_for_all = waits_for_all
        self.first = self.last = None
        self.seconds = []

    def on_train_batch_end(self, batch, logs=None):
        """Compares with the last one."""
        super().on_train_batch_end(batch, logs)
        if not (logs or self.waits_for_all):
            return
        now = time.monotonic(), self.step
        if self.last is None:
            self.first, self.start = time.time(), now[0]
        else:
            elapsed, steps = np.subtract(now, self.last)
            self.seconds.append(elapsed / steps)
        self.last = now

    def has_enough(self, step: int) -> bool:
        """Whether the seconds of a step are known well enough."""
        count = len(self.seconds) - NUM_SKIPPED
        is_late = self.last and self.last[0] - self.start > MEASURED_SECONDS
        return count >= (LEAST_MEASURED if is_late else NUM_MEASURED)

    @property
    def seconds_per_step(self) -> float:
        """The median."""
        return float(np.median(self.seconds[NUM_SKIPPED:]))


def measure(
    config: TrainConfig, folder: pathlib.Path, started: float
) -> dict[str, Any] | None:
    """Begins a run, takes a few steps, and does once all that comes after an epoch.

    Args:
        config: the options of the run; its run directory is only looked at.
        folder: gets a run directory.
        started: wall-clock time at which this process was begun.

    Returns:
        What the run will take, see `plan.plan`; None if this process has converted the
        dataset, which takes memory of its own: another one is to measure.

    Raises:
        InputError: the run would end with it, too.
    """
    dataset = convert.ensure_dataset(config)
    if (dataset / MANIFEST).stat().st_mtime > started:
        return None
    strategy = devices.choose_strategy(config.strategy)
    with contextlib.ExitStack() as stack:
        stack.enter_context(_failures_in_one_line())
        begun = _begun(config, folder, steps_per_epoch=ENDLESS)
        run = prepare(begun, strategy, stack)
        whole_evaluator, run.evaluator = run.evaluator, _evaluator(run.evaluator, 2)
        scores, told = reports(run, stack)
        told = [each for each in told if not isinstance(each, ProgressBar)]
        clock = Clock(waits_for_all=not tf.config.list_physical_devices("GPU"))
        with contextlib.suppress(Stopped):
            fit_all_epochs(run, [clock, Guard(clock.has_enough), *told])
        after_epoch = _seconds_after_an_epoch(run, scores, told)
        first, later = _seconds_of_evaluations(
            whole_evaluator, run.model, after_epoch["sample"]
        )
        seconds = estimate.Seconds(
            start=clock.first - started,
            step=clock.seconds_per_step,
            first_evaluation=first,
            evaluation=later,
            **after_epoch,
        )
    steps = steps_per_epoch(config, run.splits, run.num_replicas)
    left = estimate.left(config, steps, _step_of(config))
    whole = estimate.left(config, steps, 0)
    return {
        "device": devices.describe_devices(strategy),
        "dataset": {
            "directory": str(dataset),
            "images": {domain: len(run.splits[f"train{domain}"]) for domain in "AB"},
        },
        "steps": {"per_epoch": steps, "done": _step_of(config), "left": left.steps},
        "seconds": {
            **dataclasses.asdict(seconds),
            "epoch_of_steps": steps * seconds.step,
            "total": estimate.total_seconds(left, seconds),
        },
        "times": dataclasses.asdict(left),
        "memory": peak_of_memory(),
        "disk": estimate.run_bytes(whole, _bytes(run)),
    }


def try_each(
    tell: Callable[[dict[str, int | None] | None], None],
    configs: Sequence[TrainConfig],
    folder: pathlib.Path,
) -> None:
    """Takes two steps with each of some options, until one runs out of memory.

    Tells the memory that each took, or None of that one. They are in order of their
    size, as the host's memory is what this process has had at most.
    """
    strategy = devices.choose_strategy(configs[0].strategy)
    for number, config in enumerate(configs):
        for gpu in tf.config.list_logical_devices("GPU"):
            tf.config.experimental.reset_memory_stats(gpu.name)
        begun = _begun(config, folder / str(number), NUM_TRIED, cache="none")
        try:
            with contextlib.ExitStack() as stack:
                fit_all_epochs(prepare(begun, strategy, stack), [])
        except (tf.errors.ResourceExhaustedError, MemoryError):
            tell(None)
            return
        tell(peak_of_memory())
        keras.backend.clear_session()
        gc.collect()


def peak_of_memory() -> dict[str, int | None]:
    """The most bytes that this process had, on the host and on the fullest GPU."""
    peaks = [
        tf.config.experimental.get_memory_info(gpu.name)["peak"]
        for gpu in tf.config.list_logical_devices("GPU")
    ]
    names = ("host_bytes", "device_bytes")
    return dict(zip(names, (peak_memory(), max(peaks, default=None)), strict=True))


def _begun(config, folder, steps_per_epoch, **changes):
    """The options of a run elsewhere, of one epoch."""
    places = {"run_dir": str(folder), "restart": False, "dry_run": False, "json": False}
    schedule = {"epochs": 1, "steps_per_epoch": steps_per_epoch}
    return dataclasses.replace(config, **places, **schedule, **changes)


@contextlib.contextmanager
def _failures_in_one_line() -> Iterator[None]:
    try:
        with pipeline.damage_named():
            yield
    except checkpoint.NonFiniteState as error:
        raise InputError(f"--dry-run: {error} within the first steps.") from None
    except (tf.errors.ResourceExhaustedError, MemoryError) as error:
        reason = (str(error).splitlines() or ["no more memory"])[0]
        raise InputError(
            f"--dry-run: it does not fit ({reason}); {LESS_MEMORY}."
        ) from None


def _step_of(config):
    """The step that the run in its directory would continue after."""
    found = checkpoint.checkpoints(config.resolved_run_dir / checkpoint.CHECKPOINTS)
    return checkpoint.step_of(found[0]) if found and not config.restart else 0


def _seconds_after_an_epoch(run: Run, scores: Scores, told: list) -> dict[str, float]:
    """Of all but the evaluation, each as it takes when it is done again."""
    logs = {name: float(x.result()) for name, x in run.model.trackers.items()}
    scores.on_epoch_end(0, logs)  # others read what it found
    others = [each for each in told if each is not scores]
    seconds = {type(x): _seconds(x.on_epoch_end, 0, logs) for x in others}
    [doctor] = (x for x in told if isinstance(x, Doctor))
    doctor.epochs.append(logs)
    rows = history.read(run.path / history.METRICS)

    def save_best():
        checkpoint.save_best(run.model, run.checkpoints, scores.best)

    return {
        "sample": seconds.pop(Samples),
        "examination": _seconds(lambda: list(doctor.examine())),
        "checkpoint": max(_seconds(run.save_checkpoint), _seconds(save_best)),
        "models": _seconds(save_generators, run, run.model.step),
        "epoch": sum(seconds.values()),
        "end": _seconds(pictures.loss_plot, rows),
    }


def _seconds_of_evaluations(evaluator: Evaluator, model, sample) -> np.ndarray:
    """Of the first one and of a later one.

    Where that would take long, it is that of some images, and from there on by the
    seconds that one more image takes. `sample` is what translating a few of them took;
    all is traced by now.
    """
    total = max(evaluator.counts.values())

    def seconds(count):
        some = evaluator if count == total else _evaluator(evaluator, count)
        started = time.monotonic()
        some.evaluate(model.trained_generators)
        first = time.monotonic() - started
        return np.array([first, _seconds(some.evaluate, model.trained_generators)])

    # An image of each domain is translated six times; of a sample, three times.
    per_image = 2 * sample / (2 * NUM_SAMPLES)
    few = min(2, total)
    count = min(total, max(2 * few, int(EVALUATED_SECONDS / per_image)))
    if count == total:
        return seconds(total)
    of_few, of_some = seconds(few), seconds(count)
    per_image = (of_some - of_few).clip(0) / (count - few)
    return of_some + (total - count) * per_image


def _evaluator(whole, limit):
    """The same of few images."""
    splits = whole.splits.values()
    return Evaluator(*splits, whole.frame, whole.is_paired, limit, whole.features)


def _seconds(function, *arguments):
    """Of a second call, as the first one may trace; of the first if that takes long."""
    for _ in range(2):
        started = time.monotonic()
        function(*arguments)
        elapsed = time.monotonic() - started
        if elapsed > REPEATED_BELOW:
            break
    return elapsed


def _bytes(run):
    newest = checkpoint.checkpoints(run.checkpoints)[0].stat().st_size
    models, sample, everything = (
        sum(path.stat().st_size for path in run.path.glob(pattern) if path.is_file())
        for pattern in ("model/*", "samples/epoch-*", "**/*")
    )
    # The checkpoint and the best one; the pictures, and they in TensorBoard.
    rest = max(0, everything - models - 2 * newest - 2 * sample)
    return estimate.Bytes(newest, models, sample, rest)

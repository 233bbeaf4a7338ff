"""The training itself: `fit` with the callbacks of a run."""

import contextlib
import shlex
import signal
import sys
from collections.abc import Iterator

import numpy as np
import tensorflow as tf

from cyclegan_tf.common.console import markdown
from cyclegan_tf.common.errors import Damaged, InputError, out_of_memory
from cyclegan_tf.config import TrainConfig
from cyclegan_tf.data import pipeline
from cyclegan_tf.data.forms import tell_of_sizes
from cyclegan_tf.model import replicas
from cyclegan_tf.runs import checkpoint, saved
from cyclegan_tf.runs.history import METRICS
from cyclegan_tf.training import devices
from cyclegan_tf.training.build import learning_rate
from cyclegan_tf.training.callbacks.checkpoints import Checkpoints
from cyclegan_tf.training.callbacks.doctor import NUM_IMAGES, Doctor
from cyclegan_tf.training.callbacks.guard import LOSSES_EVERY, Guard, Stopped
from cyclegan_tf.training.callbacks.metrics_csv import MetricsCsv
from cyclegan_tf.training.callbacks.progress import ProgressBar
from cyclegan_tf.training.callbacks.samples import Samples
from cyclegan_tf.training.callbacks.scores import Scores
from cyclegan_tf.training.callbacks.tensorboard import TensorBoardLog
from cyclegan_tf.training.callbacks.throughput import Throughput
from cyclegan_tf.training.callbacks.trackers import RestoreTrackers
from cyclegan_tf.training.conclude import save_generators
from cyclegan_tf.training.event_log import EventLog
from cyclegan_tf.training.running import Run

NUM_SAMPLES = 4
# Of so few steps and so low a rate nothing comes, see docs/quality.md.
SHORT_STEPS, LOW_RATE = 10_000, 5e-4


def fit(run: Run, trackers: dict | None) -> list:
    """Trains to the end of the run.

    Args:
        run: at the step to go on from.
        trackers: the loss trackers' values, if that is within an epoch.

    Returns:
        The scores of the last epoch; on workers that do not score, none.

    Raises:
        InputError: the losses diverged, or the memory does not suffice.
        SystemExit: stopped by a signal, after saving; its status is 128 + the signal.
    """
    _announce(run)
    with contextlib.ExitStack() as stack:
        stack.enter_context(_failures_in_one_line(run))
        stack.enter_context(pipeline.damage_named())
        scores, told = reports(run, stack) if run.is_first else (None, [])
        callbacks = [
            RestoreTrackers(trackers),
            Guard(lambda step: _is_stop_requested(run, step)),
            *told,
            Checkpoints(
                run.checkpoints,
                run.config.checkpoint_every,
                lambda step: save_generators(run, step),
                scores,
            ),
        ]
        try:
            fit_all_epochs(run, callbacks)
        except Stopped:
            run.save_checkpoint()
            run.say(
                f"stopped and saved after step {run.model.step}; the same command "
                f"continues"
            )
            # Of several workers only one may have been sent the signal.
            sys.exit(128 + (run.received_signal() or signal.SIGTERM))
    return scores.results if scores else []


def _announce(run):
    batch_size, num_replicas = run.config.batch_size, run.num_replicas
    copies = f" ({num_replicas} x {batch_size})" if num_replicas > 1 else ""
    run.say(
        f"{run.path}: {run.num_steps - run.model.step} steps of batch size "
        f"{batch_size * num_replicas}{copies} to go, {run.steps_per_epoch} per epoch; "
        f"{len(run.splits['trainA'])} + {len(run.splits['trainB'])} images"
    )
    _announce_domains(run)
    if run.model.step == 0 and is_low_rate(run.config, run.num_steps):
        run.say(
            f"so few steps learn more with --learning-rate 1e-3 "
            f"--discriminator-learning-rate 5e-4 than with "
            f"{run.config.learning_rate:g}, which is for {SHORT_STEPS} and more; where "
            f"most of a picture is to stay as it is, try --recipe quick"
        )
    log = shlex.quote(str(run.path / "tensorboard"))
    run.say(f"watch it with: tensorboard --logdir {log}")


def is_low_rate(config: TrainConfig, num_steps: int) -> bool:
    """Whether a run is too short for its learning rate, and not the paper's anyway."""
    is_low = config.learning_rate < LOW_RATE and config.recipe != "paper"
    return is_low and num_steps < SHORT_STEPS


def _announce_domains(run):
    for domain in "AB":
        split = run.splits[f"train{domain}"]
        if not split.domain.is_grey_levels:
            run.say(f"domain {domain}: {split.domain} are -1 to 1 for the networks")
        if run.is_first:
            tell_of_sizes(split, run.config.frame)
    a, b = (domain.channels for domain in run.domains)
    if a != b:
        run.say(f"no identity losses: channels are {a} in A, and {b} in B")


@contextlib.contextmanager
def _failures_in_one_line(run) -> Iterator[None]:
    """Says what became of the run, and what helps."""
    try:
        yield
    except checkpoint.NonFiniteState as error:
        raise InputError(
            f"{run.path}: {error} after step {run.model.step}; {_kept(run)}. Begin "
            f"anew with --restart and a lower --learning-rate than "
            f"{run.config.learning_rate}."
        ) from None
    except Damaged as error:
        raise Damaged(f"{error} {run.path}: {_kept(run)}.") from None
    except tf.errors.ResourceExhaustedError as error:
        raise out_of_memory(error) from None


def _kept(run):
    newest = saved.checkpoints(run.checkpoints)
    return f"the checkpoint {newest[0]} is intact" if newest else "nothing is saved"


def fit_all_epochs(run: Run, callbacks: list) -> None:
    """Trains from the step of the model to the end of the run."""
    batches_from = pipeline.training_input(
        run.splits["trainA"],
        run.splits["trainB"],
        frame=run.config.frame,
        load_frame=run.config.load_frame,
        flip=run.config.flip,
        batch_size=run.config.batch_size,
        seed=run.config.seed,
        cache=run.config.cache,
    )

    def fit_epochs(first, last, steps_per_epoch):
        run.model.fit(
            run.strategy.distribute_datasets_from_function(
                lambda context: batches_from(run.model.step, context)
            ),
            initial_epoch=first,
            epochs=last,
            steps_per_epoch=steps_per_epoch,
            callbacks=callbacks,
            shuffle=False,  # the pipeline has its own order
            verbose=0,
        )

    epoch, taken = divmod(run.model.step, run.steps_per_epoch)
    if taken:
        # `fit` knows whole epochs only: what is left of this one comes first.
        fit_epochs(epoch, epoch + 1, run.steps_per_epoch - taken)
        epoch += 1
    if epoch < run.config.epochs:
        fit_epochs(epoch, run.config.epochs, run.steps_per_epoch)


def _is_stop_requested(run, step):
    # All workers must stop after the same step. They agree only now and then, since
    # each must wait for the others.
    num_workers = replicas.worker_of(run.strategy)[1]
    if num_workers > 1 and step % LOSSES_EVERY:
        return False
    return devices.any_worker(run.strategy, run.received_signal() is not None)


def reports(run: Run, stack: contextlib.ExitStack) -> tuple[Scores, list]:
    """The scores and the other callbacks that only tell; `stack` closes them."""
    config, every_image = run.config, _fixed_images(run)
    log = EventLog(run.path / "tensorboard")
    stack.enter_context(contextlib.closing(log))
    if run.model.step == 0:
        _describe_in(log, run)
    schedule = learning_rate(config, run.steps_per_epoch)
    throughput = Throughput(config.batch_size * run.num_replicas)
    scores = Scores(
        run.evaluator,
        config.evaluate_every,
        config.epochs,
        config.best_by,
        run.checkpoints,
        log,
    )
    doctor = Doctor(
        *(*every_image, run.domains, throughput, log), scores, run.num_steps
    )
    bar = ProgressBar(config.epochs, run.num_steps, throughput, scores)
    stack.enter_context(contextlib.closing(bar))
    samples = Samples(
        *(images[:NUM_SAMPLES] for images in every_image),
        run.domains,
        run.path / "samples",
        config.sample_every,
        config.epochs,
        log,
    )
    return scores, [
        throughput,
        scores,
        bar,
        TensorBoardLog(log, schedule, throughput),
        MetricsCsv(run.path / METRICS, schedule, throughput, scores, log),
        samples,
        doctor,
    ]


def _fixed_images(run) -> list[np.ndarray]:
    """A few images per domain: of the test set, or else of the training set."""
    images = []
    for domain in "AB":
        split = run.splits[f"test{domain}"]
        if not len(split):
            split = run.splits[f"train{domain}"]
        images.append(pipeline.load_images(split, run.config.frame, NUM_IMAGES))
    return images


def _describe_in(log, run):
    """Shows the options and the networks' graphs in TensorBoard."""
    rows = [f"| {n} | {markdown(v)} |" for n, v in run.config.resolved().items()]
    with log.as_default(step=0):
        tf.summary.text("config", "\n".join(["| option | value |", "|-|-|", *rows]))
    shape = (1, *run.config.frame[:2], run.domains.a.channels)
    images = tf.TensorSpec(shape, tf.float32)
    for name, network in (
        ("generator", run.model.gen_ab),
        ("discriminator", run.model.disc_a),
    ):
        log.graph(name, tf.function(network).get_concrete_function(images).graph)

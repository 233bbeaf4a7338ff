"""The training itself: `fit` with the callback of a run."""

import contextlib
import shlex
import signal
import sys

import keras
import tensorflow as tf

from cyclegan_tf.common.errors import Damaged, InputError, out_of_memory
from cyclegan_tf.config import TrainConfig, flag
from cyclegan_tf.config.architectures import GENERATORS, kind_of
from cyclegan_tf.data.pipeline import damage_named
from cyclegan_tf.evaluation.results import DirectionScores
from cyclegan_tf.model.state import NonFiniteState
from cyclegan_tf.runs import saved
from cyclegan_tf.training.reports.reporter import Reporter
from cyclegan_tf.training.running import Run
from cyclegan_tf.training.steps import Steps, Stopped

# Of so few steps and so low a rate nothing comes, see docs/quality.md.
SHORT_STEPS, LOW_RATE = 10_000, 5e-4


def fit(run: Run) -> list[DirectionScores]:
    """Trains to the end of the run, from the step that its model is at.

    Returns the scores of the last epoch; on workers that do not score, none. A signal
    ends it with `SystemExit`, after saving; its status is 128 + the signal.
    """
    _announce(run)
    with contextlib.ExitStack() as stack:
        reporter = Reporter(run, stack) if run.devices.is_first else None
        try:
            fit_all_epochs(run, Steps(run, reporter))
        except Stopped:
            run.say(
                f"stopped and saved after step {run.model.step}; the same command "
                f"continues"
            )
            # Of several workers only one may have been sent the signal.
            sys.exit(128 + (run.received_signal() or signal.SIGTERM))
    return reporter.results if reporter else []


def _announce(run):
    batch_size, num_replicas = run.config.batch_size, run.devices.num_replicas
    copies = f" ({num_replicas} x {batch_size})" if num_replicas > 1 else ""
    run.say(
        f"{run.path}: {run.num_steps - run.model.step} steps of batch size "
        f"{batch_size * num_replicas}{copies} to go, {run.steps_per_epoch} per epoch; "
        f"{len(run.splits['trainA'])} + {len(run.splits['trainB'])} images"
    )
    for name, domain in zip("AB", run.domains, strict=True):
        if not domain.is_grey_levels:
            run.say(f"domain {name}: {domain} are -1 to 1 for the networks")
    a, b = (domain.channels for domain in run.domains)
    if a != b:
        run.say(f"no identity losses: channels are {a} in A, and {b} in B")
    of_teachers = ("teacher_weight", "feature_weight")
    given = [
        x for x in of_teachers if getattr(run.config, x) != getattr(TrainConfig, x)
    ]
    if given and not run.config.teacher:
        run.say(f"without --teacher, {' and '.join(map(flag, given))} changes nothing")
    kind, upsampling = run.config.generator, run.config.upsampling
    if upsampling == "resize" and "upsampling" not in kind_of(GENERATORS, kind).options:
        run.say(f"--upsampling resize changes nothing in --generator {kind}")
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


@contextlib.contextmanager
def failures_in_one_line(run: Run):
    """Says what became of the run, and what helps."""
    try:
        with damage_named():
            yield
    except NonFiniteState as error:
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


def fit_all_epochs(run: Run, callback: keras.callbacks.Callback) -> None:
    """Trains from the step of the model to the end of the run."""

    def fit_epochs(first, last, steps_per_epoch):
        run.model.fit(
            run.devices.strategy.distribute_datasets_from_function(
                lambda context: run.batches_from(run.model.step, context)
            ),
            initial_epoch=first,
            epochs=last,
            steps_per_epoch=steps_per_epoch,
            callbacks=[callback],
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

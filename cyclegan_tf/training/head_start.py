"""A head start of the discriminators: steps that they alone take, before the first."""

import itertools
import signal
import sys
from collections.abc import Iterator

import numpy as np
import tensorflow as tf

from cyclegan_tf.common.console import progress_bar
from cyclegan_tf.model.building import new_optimizer
from cyclegan_tf.training.running import Run

# A discriminator that knows nothing, and answers 0.5, has a loss of 0.25.
TOLD_APART, NUM_LATEST = 0.1, 50  # by the mean over so many steps


def give_head_start(run: Run) -> None:
    """Teaches fresh discriminators to tell the domains apart. Collective.

    A discriminator that cannot has nothing to teach, and a generator that alters its
    images little at first shows it little. One that is all too sure has nothing to
    teach either, as its scores hardly change with the image: it ends once they tell
    them apart. Its fakes are the other domain's images as they are: what generators
    make it would learn to know by their hand, and trained ones would then be better off
    to change nothing. Only where channels differ, it is what generators make.

    Raises:
        SystemExit: a stop was requested; nothing is kept.
    """
    count, losses = run.config.discriminator_head_start, []
    label = "head start of the discriminators"
    with progress_bar(count, label, " steps") as bar:
        for loss in itertools.islice(steps_of_head_start(run), count):
            bar.update()
            if run.devices.any_worker(run.received_signal() is not None):
                run.say("stopped in the head start; the same command begins it again")
                sys.exit(128 + (run.received_signal() or signal.SIGTERM))
            losses.append(loss)
            is_due = len(losses) % NUM_LATEST == 0
            if is_due and np.mean(losses[-NUM_LATEST:]) < TOLD_APART:
                run.say(
                    f"the discriminators tell the domains apart by step {len(losses)}"
                )
                break


def steps_of_head_start(run: Run) -> Iterator[tf.Tensor]:
    """Takes a step of the discriminators alone each time, without an end.

    Gives the mean of both losses, float32 of all replicas, see `discriminator_loss`.
    The optimizer is one of its own, at their first rate; the run's counts no step.
    """
    model, strategy, config = run.model, run.devices.strategy, run.config
    with strategy.scope():
        optimizer = new_optimizer(config, config.resolved_discriminator_learning_rate)
        optimizer.build(model.discriminator_variables)

    def take_step(batch, step):
        coins = model.diffaugment.coins(step, batch[0].shape[0])
        variables = [variable.value for variable in model.discriminator_variables]
        real_a, real_b = batch
        comparable = real_a.shape[-1] == real_b.shape[-1]
        fake_b, fake_a = (real_a, real_b) if comparable else model(batch)
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(variables)
            losses = model.discriminator_losses(*batch, fake_a, fake_b, coins)
            total = sum(losses.values())
            objective = optimizer.scale_loss(total / model.num_replicas)
        gradients = tape.gradient(objective, variables)
        optimizer.apply(gradients, model.discriminator_variables)
        return total / len(losses)

    # AutoGraph would take a second to rewrite what has nothing to be rewritten.
    take_step = tf.autograph.experimental.do_not_convert(take_step)

    @tf.function(autograph=False)
    def on_all_replicas(batch, step):
        losses = strategy.run(take_step, args=(batch, step))
        return strategy.reduce("MEAN", losses, axis=None)

    batches = iter(
        strategy.distribute_datasets_from_function(
            lambda context: run.batches_from(0, context)
        )
    )
    for step, batch in enumerate(batches):
        yield on_all_replicas(batch, tf.constant(step, tf.int64))

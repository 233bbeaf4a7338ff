"""Going on where a run was, or starting it."""

from cyclegan_tf.common.errors import Damaged, InputError
from cyclegan_tf.common.files import remove_remains
from cyclegan_tf.runs import checkpoint
from cyclegan_tf.training import devices, teaching
from cyclegan_tf.training.fine_tuning import start_from
from cyclegan_tf.training.prepare import Run, steps_per_epoch


def resume(run: Run) -> dict | None:
    """Restores the newest whole checkpoint, or starts the run. Collective.

    Returns:
        The loss trackers' values where the run goes on within an epoch, or None.

    Raises:
        InputError: there are checkpoints, but none can be read, or workers differ.
    """
    if run.is_first:
        # Of a process that was killed.
        remove_remains(run.path)
        checkpoint.remove_old(run.checkpoints)
    num_replicas = _restore_newest(run)
    step = run.model.step
    if not devices.is_same_everywhere(run.strategy, step):
        raise InputError(
            f"this worker would continue {run.path} after step {step}, others after "
            f"another one; --run-dir must be on a disk that all share."
        )
    if num_replicas not in (None, run.num_replicas):
        _change_replicas(run, num_replicas)
    if run.earlier:
        start_from(run.earlier, run.model)
        # From here on the run does not depend on the earlier one.
        run.save_checkpoint()
    if run.model.teachers and num_replicas is None:
        teaching.start_discriminators(run.config, run.model)
        run.save_checkpoint()
    is_within_epoch = run.model.step % run.steps_per_epoch
    return checkpoint.tracker_state(run.model) if is_within_epoch else None


def _restore_newest(run):
    """The number of replicas that the checkpoint was written with; None: there is none.

    A damaged one is named, and the one before it taken.
    """
    paths = checkpoint.checkpoints(run.checkpoints)
    for path in paths:
        try:
            num_replicas = checkpoint.restore(run.model, path)
        except Damaged as error:
            run.say(f"{error} Trying the one before.")
        else:
            run.say(f"continuing after step {run.model.step} from {path}")
            return num_replicas
    if paths:
        raise InputError(
            f"no checkpoint in {run.checkpoints} can be read; begin anew with "
            f"--restart."
        )
    return None


def _change_replicas(run, before):
    """Goes on with another number of devices, from the same place in the epoch."""
    model, step = run.model, run.model.step
    rate = run.steps_per_epoch / steps_per_epoch(run.config, run.splits, before)
    for optimizer in (model.generator_optimizer, model.discriminator_optimizer):
        optimizer.iterations.assign(round(step * rate))
    run.say(
        f"trained with {before} devices before, now with {run.num_replicas}: the "
        f"result will not be the same to the bit; step {step} was one of batch size "
        f"{before * run.config.batch_size} and is now {model.step}"
    )
    run.save_checkpoint()
    if run.is_first:
        # Steps count anew, and the highest must be the newest.
        for path in checkpoint.checkpoints(run.checkpoints):
            if checkpoint.step_of(path) > model.step:
                path.unlink()

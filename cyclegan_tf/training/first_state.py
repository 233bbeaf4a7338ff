"""The first state of a run in this process: what it goes on from, or starts with.

1. The newest whole checkpoint of the run has all of it, and nothing else is asked.
2. Without one, `--init-from` gives the generators of an earlier run or of an import.
3. Without one, a teacher gives its discriminators to a student.
4. What none of them gives has fresh weights, by the seed: `build.build_model`.

What 2 and 3 name is opened and compared before anything takes long, and what they give
is kept as a checkpoint at once: from then on the run depends on no other. A teacher's
generators, which a student learns from to its end, are copied into its directory.
"""

import dataclasses
import pathlib
import shutil

import keras

from cyclegan_tf.common.console import say
from cyclegan_tf.common.errors import Damaged, InputError
from cyclegan_tf.common.files import folder_written_aside, remove_remains
from cyclegan_tf.config import TrainConfig, flag
from cyclegan_tf.data.domain import Domains
from cyclegan_tf.model.cyclegan import CycleGAN
from cyclegan_tf.model.layers import InstanceNormalization
from cyclegan_tf.runs import checkpoint, saved
from cyclegan_tf.runs.directory import CONFIG
from cyclegan_tf.runs.history import METRICS
from cyclegan_tf.runs.run_dir import RunDir
from cyclegan_tf.runs.weights import read_arrays
from cyclegan_tf.training import devices
from cyclegan_tf.training.running import Run, steps_per_epoch

TEACHER = "teacher"  # folder of a run directory
DISCRIMINATORS = ("disc_a", "disc_b")


@dataclasses.dataclass(frozen=True)
class Origins:
    """Other runs that a run starts from; None where it does not.

    Attributes:
        earlier: that `--init-from` names; of a run with a checkpoint, None.
        teacher: of a student, or the copy of it in the student's directory.
    """

    earlier: RunDir | None = None
    teacher: RunDir | None = None


def open_origins(config: TrainConfig, path: pathlib.Path) -> Origins:
    """Opens the runs that a run starts from, and compares their networks with its own.

    Args:
        config: the options of the run.
        path: its directory; once it has a copy of the teacher, that is taken.

    Raises:
        InputError: there is no such run, its weights cannot be read, or it does not
            fit; all options that would have to be other ones are named.
    """
    earlier = teacher = None
    if config.init_from and not saved.checkpoints(path / saved.CHECKPOINTS):
        earlier = RunDir.open(config.init_from)
        saved.read_weights(earlier.path)
        _require_same_networks(earlier, config)
    if config.teacher:
        kept = path / TEACHER
        teacher = RunDir.open(kept if kept.is_dir() else config.teacher)
        directions = saved.read_weights(teacher.path).about["directions"]
        if len(directions) < 2:
            raise InputError(
                f"--teacher {teacher.path} has one direction only, {directions[0]}; a "
                f"student needs both."
            )
    return Origins(earlier, teacher)


def _require_same_networks(earlier, config):
    has, wrong = earlier.options, []
    if has.generator != config.generator:
        wrong.append(f"--generator {has.generator} (not {config.generator})")
    filters, wanted = has.resolved_generator_filters, config.resolved_generator_filters
    if filters != wanted:
        name = "filters" if config.generator_filters is None else "generator_filters"
        wrong.append(f"{flag(name)} {filters} (not {wanted})")
    blocks, wanted = has.resolved_residual_blocks, config.resolved_residual_blocks
    if blocks != wanted:
        wrong.append(f"--residual-blocks {blocks} (not {wanted})")
    # The other way round is exact: scales of 1 and offsets of 0.
    if config.norm == "plain" and has.norm != "plain":
        wrong.append("--norm affine (not plain)")
    if has.upsampling != config.upsampling:
        wrong.append(f"--upsampling {has.upsampling} (not {config.upsampling})")
    if wrong:
        raise InputError(f"--init-from {earlier.path} needs {', '.join(wrong)}.")


def require_same_channels(origins: Origins, domains: Domains) -> None:
    """Compares the images of other runs with those of a run that starts from them.

    Raises:
        InputError: they have another number of channels.
    """
    now = [domain.channels for domain in domains]
    named = {"init_from": origins.earlier, "teacher": origins.teacher}
    for name, run in named.items():
        before = [domain.channels for domain in run.domains] if run else now
        if before != now:
            raise InputError(
                f"{flag(name)} {run.path} is of images with {before[0]} channels in A "
                f"and {before[1]} in B, and the new ones have {now[0]} and {now[1]}; "
                f"--channels-a and --channels-b make RGB of grey ones, and grey of RGB."
            )


def keep_teacher(origins: Origins, path: pathlib.Path) -> None:
    """Copies the teacher into the directory of a student, unless it is there."""
    teacher, kept = origins.teacher, path / TEACHER
    if teacher is None or kept.is_dir():
        return
    with folder_written_aside(kept) as aside:
        shutil.copyfile(teacher.path / CONFIG, aside / CONFIG)
        folder = saved.FOLDER
        shutil.copytree(teacher.path / folder, aside / folder)


def build_teachers(origins: Origins, path: pathlib.Path) -> dict[str, keras.Model]:
    """The generators that a student learns from, by direction; of other runs, none.

    They are those of the copy, as the teacher may have been trained on meanwhile.
    """
    if origins.teacher is None:
        return {}
    return RunDir.open(path / TEACHER).generators().generators


def restore_or_start(run: Run, origins: Origins) -> dict | None:
    """Gives the model of a run its first state. Collective.

    Returns:
        The loss trackers' values where the run goes on within an epoch, or None.

    Raises:
        InputError: there are checkpoints, but none can be read, or workers differ.
    """
    if run.is_first:
        # Of a process that was killed.
        remove_remains(run.path)
        checkpoint.remove_old(run.checkpoints)

    # 1: its own newest whole checkpoint, perhaps of other devices.
    num_replicas = _restore_newest(run)
    step = run.model.step
    if not devices.is_same_everywhere(run.strategy, step):
        raise InputError(
            f"this worker would continue {run.path} after step {step}, others after "
            f"another one; --run-dir must be on a disk that all share."
        )
    if num_replicas not in (None, run.num_replicas):
        _change_replicas(run, num_replicas)

    # 2 and 3: what other runs give to one without a checkpoint; all else stays fresh.
    if num_replicas is None and (origins.earlier or origins.teacher):
        if origins.earlier:
            start_generators(origins.earlier, run.model)
        if origins.teacher:
            start_discriminators(run.config.teacher, run.model)
        run.save_checkpoint()

    is_within_epoch = run.model.step % run.steps_per_epoch
    return checkpoint.tracker_state(run.model) if is_within_epoch else None


def _restore_newest(run):
    """The number of replicas that the checkpoint was written with; None: there is none.

    A damaged one is named, and the one before it taken.
    """
    paths = saved.checkpoints(run.checkpoints)
    for path in paths:
        try:
            num_replicas = checkpoint.restore(run.model, path)
        except Damaged as error:
            run.say(f"{error} Trying the one before.")
        else:
            if run.model.step < run.num_steps:
                run.say(f"continuing after step {run.model.step} from {path}")
            return num_replicas
    if paths:
        raise InputError(
            f"no checkpoint in {run.checkpoints} can be read; begin anew with "
            f"--restart."
        )
    saved.require_checkpoints(run.path)
    if (run.path / METRICS).exists():
        run.say(f"{run.checkpoints} has no checkpoint: beginning again at step 0")
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
        for path in saved.checkpoints(run.checkpoints):
            if saved.step_of(path) > model.step:
                path.unlink()


def start_generators(earlier: RunDir, model: CycleGAN) -> None:
    """Gives the generators of a model the weights of an earlier run's.

    A direction that is not there keeps its fresh weights, which is said.
    """
    trained = earlier.generators().generators
    for direction, fresh in model.generators.items():
        if direction in trained:
            _copy_weights(trained[direction], fresh)
            say(f"{direction} starts from trained weights")
        else:
            say(
                f"{direction} starts from fresh weights: --init-from has only the other"
            )


def _copy_weights(source, target):
    for layer in target.layers:
        weights = source.get_layer(layer.name).get_weights()
        # A plain norm is an affine one with the scale and offset that a fresh one has.
        if weights or not isinstance(layer, InstanceNormalization):
            layer.set_weights(weights)


def start_discriminators(teacher: str, model: CycleGAN) -> None:
    """Gives the discriminators of a model those of a teacher's newest checkpoint.

    Where they do not fit or are not there, as of imports, fresh ones stay; it is said.

    Args:
        teacher: directory of its run; copies of it have no checkpoints.
        model: the student's.
    """
    run_dir = pathlib.Path(teacher).expanduser()
    newest = saved.checkpoints(run_dir / saved.CHECKPOINTS)[:1]
    arrays = read_arrays(newest[0], DISCRIMINATORS) if newest else {}
    variables = {
        f"{part}/{variable.path}": variable
        for part in DISCRIMINATORS
        for variable in getattr(model, part).variables
    }
    shapes = {name: tuple(variable.shape) for name, variable in variables.items()}
    if shapes == {name: array.shape for name, array in arrays.items()}:
        for name, variable in variables.items():
            variable.assign(arrays[name])
        say(f"discriminators start from those of {newest[0]}")
    else:
        say(f"discriminators start from fresh weights: {run_dir} has none that fit")

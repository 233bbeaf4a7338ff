"""The first state of a run in this process: what it goes on from, or starts with.

1. The newest whole checkpoint of the run has all of it, and nothing else is asked.
2. Without one, `--init-from` gives the generators of an earlier run or of an import.
3. The same run gives its discriminators, too, or a teacher those of its student, where
   they fit.
4. What none of them gives has fresh weights, by the seed: `building.build_model`.
5. Fresh discriminators then get their head start, if one is asked for: `head_start`.

What 2 and 3 name is opened and compared before anything takes long, and what they give
is kept as a checkpoint at once: from then on the run depends on no other. A teacher's
generators, which a student learns from to its end, are copied into its directory.
"""

import pathlib
from typing import NamedTuple

from cyclegan_tf.common.console import say
from cyclegan_tf.common.errors import Damaged, InputError
from cyclegan_tf.config import TrainConfig, flag
from cyclegan_tf.config.architectures import GENERATORS, kind_of
from cyclegan_tf.data.domain import Domains
from cyclegan_tf.model.cyclegan import CycleGAN
from cyclegan_tf.model.layers import InstanceNormalization
from cyclegan_tf.runs import checkpoint, saved
from cyclegan_tf.runs.history import METRICS
from cyclegan_tf.runs.run_dir import RunDir
from cyclegan_tf.training.head_start import give_head_start
from cyclegan_tf.training.running import Run, steps_per_epoch

TEACHER = "teacher"  # folder of a run directory
DISCRIMINATORS = ("disc_a", "disc_b")


class Origins(NamedTuple):
    """Other runs that a run starts from: an earlier one, and a student's teacher.

    Of a run with a checkpoint there is no earlier one, and the teacher is its copy.
    """

    earlier: RunDir | None
    teacher: RunDir | None


def open_origins(config: TrainConfig, path: pathlib.Path | None) -> Origins:
    """Opens the runs that a run starts from, and compares the networks.

    Its directory is `path`; of a run that is about to begin, None. Raises `InputError`
    if one cannot be read, or does not fit; all options that would have to be other ones
    are named.
    """
    earlier, teacher, kept = None, None, path and path / TEACHER
    if config.teacher:
        teacher = RunDir.open(kept if kept and kept.is_dir() else config.teacher)
        directions = saved.read_weights(teacher.path).directions
        if len(directions) < 2:
            raise InputError(
                f"--teacher {teacher.path} has one direction only, {directions[0]}; a "
                f"student needs both."
            )
    is_whole = path and saved.checkpoints(path / saved.CHECKPOINTS)
    if config.init_from and not is_whole:
        earlier = RunDir.open(config.init_from)
        saved.read_weights(earlier.path)
        _require_same_networks(earlier, config)
    return Origins(earlier, teacher)


def _require_same_networks(earlier, config):
    needed, given = earlier.options.resolved(), config.resolved()
    names = ["generator", "generator_filters", "residual_blocks"]
    names += kind_of(GENERATORS, needed["generator"]).options
    # The other way round is exact: scales of 1 and offsets of 0.
    if "norm" in names and config.norm != "plain":
        names.remove("norm")
    wrong = [
        f"{flag(name)} {needed[name]} (not {given[name]})"
        for name in names
        if needed[name] != given[name]
    ]
    if wrong:
        asked = ", ".join(wrong)
        if config.generator_filters is None:
            asked = asked.replace(flag("generator_filters"), flag("filters"))
        raise InputError(f"--init-from {earlier.path} needs {asked}.")


def compare_images(origins: Origins, domains: Domains) -> None:
    """Compares the images that other runs have learned from with the new ones.

    Raises `InputError` where they have another number of channels, or where what a
    student is taught would stand for other values; elsewhere that is said.
    """
    now = [domain.channels for domain in domains]
    for name, run in zip(("--init-from", "--teacher"), origins, strict=True):
        if run is None:
            continue
        before = [domain.channels for domain in run.domains]
        if before != now:
            raise InputError(
                f"{name} {run.path} is of images with {before[0]} channels in A "
                f"and {before[1]} in B, and the new ones have {now[0]} and {now[1]}; "
                f"--channels-a and --channels-b make RGB of grey ones, and grey of RGB."
            )
        for letter, old, new in zip("ab", run.domains, domains, strict=True):
            # White is white in 8 bits and in 16, but 1 is another Hounsfield unit.
            if old.dtype == new.dtype and old.range_option != new.range_option:
                text = (
                    f"{name} {run.path} has learned from {old.range_text} of domain "
                    f"{letter.upper()}, and here {new.range_text} become -1 to 1; "
                    f"--range-{letter}={old.range_option} takes the same."
                )
                if run is origins.teacher:
                    raise InputError(text)
                say(text)


def restore_or_start(run: Run, origins: Origins) -> None:
    """Gives the model of a run its first state. Collective.

    Raises `InputError` if no checkpoint can be read, or workers differ.
    """
    # 1: its own newest whole checkpoint, perhaps of other devices.
    saved.require_checkpoints(run.path)
    restored = checkpoint.restore_newest(run.model, run.checkpoints, run.say)
    step = run.model.step
    if restored is None and (run.path / METRICS).exists():
        run.say(f"{run.checkpoints} has no checkpoint: beginning again at step 0")
    elif restored and step < run.num_steps:
        run.say(f"continuing after step {step} from {restored[0]}")
    if not run.devices.is_same_everywhere(step):
        raise InputError(
            f"this worker would continue {run.path} after step {step}, others after "
            f"another one; --run-dir must be on a disk that all share."
        )
    if restored and restored[1] != run.devices.num_replicas:
        _change_replicas(run, restored[1])

    if restored:
        return
    are_taught = start_from_others(run, origins)
    # 5: what fresh discriminators learn before the first step.
    is_ahead = run.config.discriminator_head_start and not are_taught
    if is_ahead:
        give_head_start(run)
    if any(origins) or is_ahead:
        run.save_checkpoint()


def start_from_others(run: Run, origins: Origins) -> bool:
    """Gives the model of a run what other runs have for it; all else stays fresh.

    Returns whether its discriminators are among it.
    """
    # 2 and 3, as listed above.
    if origins.earlier:
        start_generators(origins.earlier, run.model)
    source = run.config.teacher or run.config.init_from
    return any(origins) and start_discriminators(source, run.model)


def _change_replicas(run, before):
    """Goes on with another number of devices, from the same place in the epoch."""
    model, step, now = run.model, run.model.step, run.devices.num_replicas
    rate = run.steps_per_epoch / steps_per_epoch(run.config, run.splits, before)
    for optimizer in (model.generator_optimizer, model.discriminator_optimizer):
        optimizer.iterations.assign(round(step * rate))
    run.say(
        f"trained with {before} devices before, now with {now}: the result will not be "
        f"the same to the bit; step {step} was one of batch size "
        f"{before * run.config.batch_size} and is now {model.step}"
    )
    run.save_checkpoint()
    # Steps count anew, and the highest must be the newest.
    for path in saved.checkpoints(run.checkpoints) if run.devices.is_first else ():
        if saved.step_of(path) > model.step:
            path.unlink()


def start_generators(earlier: RunDir, model: CycleGAN) -> None:
    """Gives the generators of a model the weights of an earlier run's.

    A direction that is not there keeps its fresh weights, which is said.
    """
    trained = earlier.generators().generators
    for direction, fresh in model.generators.items():
        if direction not in trained:
            say(
                f"{direction} starts from fresh weights: --init-from has only the other"
            )
            continue
        for layer in fresh.layers:
            weights = trained[direction].get_layer(layer.name).get_weights()
            # A plain norm is an affine one with a fresh one's scale and offset.
            if weights or not isinstance(layer, InstanceNormalization):
                layer.set_weights(weights)
        if direction in model.averages:  # no step has been taken: its average is itself
            model.averages[direction].set_weights(fresh.get_weights())
        say(f"{direction} starts from trained weights")


def start_discriminators(source: str, model: CycleGAN) -> bool:
    """Gives the discriminators of a model those of another run's newest checkpoint.

    Where they do not fit, are damaged or not there, as of imports, fresh ones stay; it
    is said.

    Args:
        source: the directory of an earlier run, or of a teacher: its own, as the copy
            in its student has no checkpoints.
        model: whose discriminators have fresh weights.

    Returns:
        Whether they fitted.
    """
    run_dir = pathlib.Path(source).expanduser()
    newest = saved.checkpoints(run_dir / saved.CHECKPOINTS)[:1]
    arrays = {}
    try:
        arrays = saved.read_arrays(newest[0], DISCRIMINATORS) if newest else {}
    except Damaged as error:
        say(str(error))
    variables = {
        f"{part}/{variable.path}": variable
        for part in DISCRIMINATORS
        for variable in getattr(model, part).variables
    }
    shapes = {name: tuple(variable.shape) for name, variable in variables.items()}
    fit = shapes == {name: array.shape for name, array in arrays.items()}
    if fit:
        for name, variable in variables.items():
            variable.assign(arrays[name])
        say(f"discriminators start from those of {newest[0]}")
    else:
        say(f"discriminators start from fresh weights: {run_dir} has none that fit")
    return fit

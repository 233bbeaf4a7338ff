"""A run that learns the translations of an earlier one: its teacher, and what it costs.

The teacher's generators are copied into the student's run directory, which from then on
does not depend on the teacher's. They see the crops that the student sees.
"""

import pathlib
import shutil
import statistics
import time

import keras
import tensorflow as tf

from cyclegan_tf.common.console import say
from cyclegan_tf.common.errors import InputError
from cyclegan_tf.common.files import folder_written_aside
from cyclegan_tf.config import TrainConfig
from cyclegan_tf.evaluation.results import DirectionScores, flat_scores
from cyclegan_tf.model.cost import multiply_adds
from cyclegan_tf.model.cyclegan import CycleGAN
from cyclegan_tf.runs import checkpoint, generators
from cyclegan_tf.runs.directory import CONFIG
from cyclegan_tf.runs.weights import read_arrays

FOLDER = "teacher"
DISCRIMINATORS = ("disc_a", "disc_b")
NUM_TIMED = 21


def load_teachers(config: TrainConfig, path: pathlib.Path) -> dict[str, keras.Model]:
    """The generators that a run learns from, by direction; of most runs, none.

    Args:
        config: the options of the run.
        path: its directory; once it has a copy of the teacher, that is taken.

    Raises:
        InputError: there is no such run, or it has one direction only.
    """
    if config.teacher is None:
        return {}
    kept = path / FOLDER
    source = kept if kept.is_dir() else pathlib.Path(config.teacher).expanduser()
    teachers = generators.load_generators(source)
    if len(teachers) < 2:
        raise InputError(
            f"--teacher {source} has one direction only, {', '.join(teachers)}; a "
            f"student needs both."
        )
    return teachers


def keep_teacher(config: TrainConfig, path: pathlib.Path) -> None:
    """Copies the teacher into the directory of a run, unless it is there."""
    if config.teacher is None or (path / FOLDER).is_dir():
        return
    source = pathlib.Path(config.teacher).expanduser()
    with folder_written_aside(path / FOLDER) as aside:
        shutil.copyfile(source / CONFIG, aside / CONFIG)
        shutil.copytree(source / generators.FOLDER, aside / generators.FOLDER)


def start_discriminators(config: TrainConfig, model: CycleGAN) -> None:
    """Gives a new run the discriminators of its teacher's newest checkpoint.

    Where they do not fit or are not there, as of imports, fresh ones stay; it is said.
    """
    run_dir = pathlib.Path(config.teacher).expanduser()
    newest = checkpoint.checkpoints(run_dir / checkpoint.CHECKPOINTS)[:1]
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


def costs(pair: dict[str, keras.Model], frame, results: list[DirectionScores]) -> dict:
    """What a pair of generators costs, and what it is worth.

    Args:
        pair: generators by direction; what is told of the cost is of the first.
        frame: height and width of an image come first.
        results: the scores of both.

    Returns:
        "multiply_adds" and "parameters" as int; "milliseconds", the median time of an
        image on this machine; "scores" by name and direction.
    """
    generator = next(iter(pair.values()))
    return {
        "multiply_adds": multiply_adds(generator, *frame[:2]),
        "parameters": generator.count_params(),
        "milliseconds": _milliseconds(generator, frame),
        "scores": {name: float(f"{v:.5g}") for name, v in flat_scores(results).items()},
    }


def _milliseconds(generator, frame):
    image = tf.zeros((1, *frame[:2], generator.input_shape[-1]))
    translate = tf.function(lambda images: generator(images, training=False))
    times = []
    for _ in range(NUM_TIMED):
        start = time.perf_counter()
        translate(image).numpy()
        times.append(time.perf_counter() - start)
    return round(1000 * statistics.median(times), 2)


def cost_table(teacher: dict, student: dict) -> str:
    """Both costs side by side, as text; what is less is less than one."""
    flat = [of | of["scores"] for of in (teacher, student)]
    names = [name for name in flat[0] if name != "scores" and name in flat[1]]
    lines = [f"  {'':28}{'teacher':>14}{'student':>14}{'ratio':>8}"]
    for name in names:
        before, after = (of[name] for of in flat)
        ratio = f"{after / before:8.3f}" if before else ""
        lines.append(f"  {name:28}{before:14,.10g}{after:14,.10g}{ratio}")
    return "\n".join(lines)

"""The trained generators of a run on disk, in its folder `model/`.

generators.npz  weights: `gen_ab/...` translates A to B, `gen_ba/...` B to A; their
                averages over the latest steps: `average_ab/...`, `average_ba/...`
model.json      which directions there are, and where they come from

Networks are built from the run's options, and weights put into them; a file runs no
code. A run may have one direction only.
"""

import os
import pathlib
from typing import Any, NamedTuple

import keras
import numpy as np

from cyclegan_tf.common.console import say
from cyclegan_tf.common.errors import InputError
from cyclegan_tf.common.files import folder_written_aside, write_json
from cyclegan_tf.config import TrainConfig
from cyclegan_tf.data.domain import DIRECTIONS, Domains
from cyclegan_tf.model.building import new_generator
from cyclegan_tf.model.state import AVERAGES
from cyclegan_tf.runs.directory import CONFIG, read_config
from cyclegan_tf.runs.saved import (
    ABOUT,
    FOLDER,
    LAST,
    WEIGHTS,
    read_weights,
    write_arrays,
)

# What names of arrays begin with, by the kind of weights.
PREFIXES = {"raw": DIRECTIONS, "average": AVERAGES}


class Trained(NamedTuple):
    """Trained generators by direction, and the step and weights that they are of.

    The step of imports is None; weights are "average" or "raw".
    """

    generators: dict[str, keras.Model]
    step: int | None
    weights: str


def save_generators(
    run_dir: pathlib.Path,
    generators: dict[str, keras.Model],
    about: dict[str, Any],
    averages: dict[str, keras.Model] | None = None,
) -> None:
    """Writes the generators of a run, replacing those there all at once.

    Models are by direction, `averages` the same with averaged weights; one of both may
    be empty. `about` goes into `model.json`, such as dataset and step.
    """
    arrays = {
        f"{PREFIXES[kind][direction]}/{variable.path}": np.asarray(variable)
        for kind, models in (("raw", generators), ("average", averages or {}))
        for direction, generator in models.items()
        for variable in generator.variables
    }
    with folder_written_aside(run_dir / FOLDER) as aside:
        write_arrays(aside / WEIGHTS, arrays)
        write_json(aside / ABOUT, {**about, "directions": list(generators or averages)})


def load_generators(
    run_dir: str | os.PathLike, checkpoint: str = LAST, weights: str = "average"
) -> dict[str, keras.Model]:
    """The trained generators of a run, those of "a_to_b" and "b_to_a" that it has.

    Args:
        run_dir: its directory.
        checkpoint: "last", those of the last finished epoch; "best", of the best
            score; or the step of a checkpoint that is still there.
        weights: "average", or "raw", those of the last step; where the run has only
            the others, these, which is said.

    Returns:
        Functional models from float32 `(batch, height, width, channels)` in [-1, 1] to
        the same size, sides multiples of 4; see `networks.build_generator`.

    Raises:
        InputError: there is no run, no trained model yet, no such checkpoint, or a
            damaged file.
    """
    path = pathlib.Path(run_dir)
    options, _, domains, _ = read_config(path)
    return load_trained(path, options, domains, checkpoint, weights).generators


def load_trained(
    run_dir: pathlib.Path,
    options: TrainConfig,
    domains: Domains,
    checkpoint: str,
    weights: str,
    direction: str | None = None,
) -> Trained:
    """What `load_generators` gives, of a run whose options have been read.

    With a `direction` that one alone, as building a generator takes a quarter second.
    """
    directions, step, arrays = read_weights(run_dir, checkpoint)
    beginnings = tuple(PREFIXES[weights].values())
    if not any(name.startswith(beginnings) for name in arrays):
        missing, weights = weights, "average" if weights == "raw" else "raw"
        say(f"{run_dir} has no {missing} weights: the {weights} ones are used")
    generators = {}
    for direction in [x for x in directions if direction in (None, x)]:
        generator = new_generator(options, domains, direction)
        for variable in generator.variables:
            name = f"{PREFIXES[weights][direction]}/{variable.path}"
            value = arrays.get(name)
            if value is None or value.shape != tuple(variable.shape):
                raise InputError(
                    f"the weights of {run_dir} do not fit the options in its {CONFIG}: "
                    f"they differ in {name}."
                )
            variable.assign(value)
        generators[direction] = generator
    return Trained(generators, step, weights)

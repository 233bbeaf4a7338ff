"""The trained generators of a run on disk, in its folder `model/`.

gen_ab.keras  translates A to B: float32 RGB in [-1, 1], sides multiples of 4
gen_ba.keras  translates B to A, likewise
model.json    where they come from

A run may have one direction only. Models are Keras' own format, loaded in its safe
mode: no code from a file is run.
"""

import json
import pathlib
from typing import Any, NamedTuple

import keras

from cyclegan_tf.checkpoint import BEST, find, read_arrays, read_best
from cyclegan_tf.errors import InputError
from cyclegan_tf.files import current, folder_written_aside, write_text
from cyclegan_tf.networks import InstanceNormalization  # registers it for loading

DIRECTIONS = {"a_to_b": "gen_ab", "b_to_a": "gen_ba"}
FOLDER = "model"
ABOUT = "model.json"
CHECKPOINTS = "checkpoints"
LAST = "last"


def save_generators(
    run_dir: pathlib.Path, generators: dict[str, keras.Model], about: dict[str, Any]
) -> None:
    """Writes the generators of a run, replacing those there all at once.

    Args:
        run_dir: directory of the run.
        generators: models by direction, "a_to_b" and "b_to_a" or one of them.
        about: what to say of them in `model.json`, such as dataset and step.
    """
    about = {**about, "directions": list(generators), "keras": keras.__version__}
    with folder_written_aside(run_dir / FOLDER) as aside:
        for direction, generator in generators.items():
            generator.save(aside / f"{DIRECTIONS[direction]}.keras")
        write_text(aside / ABOUT, json.dumps(about, indent=2) + "\n")


def load_generators(
    run_dir: pathlib.Path, checkpoint: str = LAST
) -> dict[str, keras.Model]:
    """The trained generators of a run by direction, "a_to_b" and "b_to_a".

    A direction that the run does not have is left out.

    Args:
        run_dir: directory of the run.
        checkpoint: "last", those of the last finished epoch; "best", of the best
            score; or the step of a checkpoint that is still there.

    Raises:
        InputError: there is no run, no trained model yet, no such checkpoint, or a
            damaged file.
    """
    return load(run_dir, checkpoint)[0]


def load(
    run_dir: pathlib.Path, checkpoint: str = LAST
) -> tuple[dict[str, keras.Model], int | None]:
    """Like `load_generators`, with the step that they are of; of imports, None.

    A run that goes on meanwhile may write other ones; all are of one step.
    """
    while True:
        before = _source(run_dir, checkpoint)
        try:
            generators = _load_all(run_dir, checkpoint)
        except InputError:
            if _source(run_dir, checkpoint) == before:
                raise
        else:
            if _source(run_dir, checkpoint) == before:
                return generators, _step(checkpoint, *before)


def _source(run_dir, checkpoint):
    """What says of which step those files are that a run replaces."""
    about = read_about(run_dir)
    return about, read_best(run_dir / CHECKPOINTS) if checkpoint == BEST else {}


def _step(checkpoint, about, best):
    if checkpoint in (LAST, BEST):
        return (about if checkpoint == LAST else best).get("step")
    return int(checkpoint)


def _load_all(run_dir, checkpoint):
    present = read_about(run_dir)["directions"]
    generators = {
        direction: _load(current(run_dir / FOLDER) / f"{name}.keras")
        for direction, name in DIRECTIONS.items()
        if direction in present
    }
    if checkpoint != LAST:
        # The same networks with other weights.
        path = find(run_dir / CHECKPOINTS, checkpoint)
        for direction, generator in generators.items():
            _restore(generator, DIRECTIONS[direction], path)
    return generators


def step_of(run_dir: pathlib.Path, checkpoint: str = LAST) -> int | None:
    """The step that `load_generators` takes the generators from; of imports, None."""
    return _step(checkpoint, *_source(run_dir, checkpoint))


def read_about(run_dir: pathlib.Path) -> dict[str, Any]:
    """The content of `model.json`.

    Raises:
        InputError: there is no run, no trained model yet, or a damaged file.
    """
    path = current(run_dir / FOLDER) / ABOUT
    try:
        about = json.loads(path.read_text(encoding="utf-8"))
        if not set(about["directions"]) <= set(DIRECTIONS) or not about["directions"]:
            raise ValueError(f"directions {about['directions']}")
    except (FileNotFoundError, NotADirectoryError):
        raise InputError(_why_missing(run_dir)) from None
    except (ValueError, TypeError, KeyError) as error:
        reason = f"{type(error).__name__}: {error}"
        raise InputError(f"{path} is damaged ({reason}).") from None
    return about


class Architecture(NamedTuple):
    """What a generator was built with, see `networks.build_generator`.

    Attributes:
        filters: channels of the first convolution.
        residual_blocks: their number.
        norm_is_plain: no norm scales or shifts: none can, or all scales are 1 and all
            offsets 0.
        upsampling: "transpose" or "resize".
    """

    filters: int
    residual_blocks: int
    norm_is_plain: bool
    upsampling: str


def architecture(generator: keras.Model) -> Architecture:
    """The architecture of a generator, read off its layers."""
    norms = [x for x in generator.layers if isinstance(x, InstanceNormalization)]
    is_transposed = isinstance(generator.get_layer("up1"), keras.layers.Conv2DTranspose)
    return Architecture(
        filters=generator.get_layer("stem").filters,
        residual_blocks=sum(x.name.endswith("_sum") for x in generator.layers),
        norm_is_plain=all(_is_plain(norm) for norm in norms),
        upsampling="transpose" if is_transposed else "resize",
    )


def _is_plain(norm):
    if not norm.affine:
        return True
    scale, offset = norm.get_weights()
    return bool((scale == 1).all() and not offset.any())


def _why_missing(run_dir):
    if not run_dir.is_dir():
        return f"{run_dir}: no such run directory; train one with train.py."
    if not (run_dir / "config.json").is_file():
        return f"{run_dir} is not the directory of a run: it has no config.json."
    return f"{run_dir} has no trained model yet; one is written after each epoch."


def _load(path):
    try:
        return keras.models.load_model(path, compile=False)
    except (ValueError, TypeError, OSError, KeyError, EOFError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise InputError(f"{path} cannot be loaded ({reason}).") from None


def _restore(generator, name, path):
    arrays = read_arrays(path, f"{name}/")
    for variable in generator.variables:
        value = arrays.get(f"{name}/{variable.path}")
        if value is None or value.shape != tuple(variable.shape):
            raise InputError(
                f"{path} does not fit {name}: it differs in {variable.path}."
            )
        variable.assign(value)

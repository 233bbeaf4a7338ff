"""A trained model as a function from pictures to pictures, from a run or an export.

Importing this, and loading an ONNX or LiteRT file, needs no TensorFlow.
"""

import os
import pathlib

from cyclegan_tf.common.console import quiet_start
from cyclegan_tf.common.errors import InputError
from cyclegan_tf.common.hub import local_copy
from cyclegan_tf.data.domain import DIRECTIONS
from cyclegan_tf.inference.direction import Translator
from cyclegan_tf.inference.exported import check_export, find_export, open_export
from cyclegan_tf.runs.directory import CONFIG, near_runs, read_config
from cyclegan_tf.runs.saved import LAST, require_trained


def load(
    model: str | os.PathLike,
    direction: str | None = None,
    checkpoint: str = LAST,
    scratch_dir: str | os.PathLike | None = None,
    weights: str = "average",
) -> Translator:
    """Loads one direction of a run, or of an export.

    Args:
        model: directory of a run; or an export: a SavedModel, an .onnx or .tflite
            file, or a directory of versions of these, of which the newest is taken; or
            `hf://user/name`, a run on the Hugging Face Hub.
        direction: "a_to_b" or "b_to_a"; None: the first that there is.
        checkpoint: of a run, "last", "best", or a step.
        scratch_dir: of a run, translate in bounded memory, with scratch files here.
        weights: of a run, "average" or "raw".

    Returns:
        A function from pictures to pictures, see `Translator`; of 8-bit RGB from uint8
        `(height, width, 3)`, or several of one size, `(count, height, width, 3)`, to
        the same.

    Raises:
        InputError: there is no such model, it is damaged, lacks the direction, or is an
            export and something of a run is asked for.

    Example:
        >>> translate = load("runs/synthetic/horse2zebra")
        >>> translate(np.zeros((64, 64, 3), np.uint8)).shape
        (64, 64, 3)
    """
    for name in [direction] if direction else DIRECTIONS:
        found = load_all(model, checkpoint, scratch_dir, weights, name)
        if name in found:
            return found[name]
    raise InputError(f"{model} has no direction {direction or 'a_to_b'}.")


def load_all(
    model: str | os.PathLike,
    checkpoint: str = LAST,
    scratch_dir: str | os.PathLike | None = None,
    weights: str = "average",
    direction: str | None = None,
) -> dict[str, Translator]:
    """Loads the directions that a run, or an export, has, or the one asked for.

    Arguments as of `load`.
    """
    with local_copy(model) as path:
        require_model(path)
        if export := find_export(path):
            refuse_for_export(path, checkpoint, weights, scratch_dir is not None)
            check_export(export)
            return open_export(export, direction)
        require_trained(path, checkpoint)
        with quiet_start():
            from cyclegan_tf.inference.trained import translators_of
            from cyclegan_tf.runs.generators import load_trained
        options, _, domains, _ = read_config(path)
        how = checkpoint, weights, direction
        trained = load_trained(path, options, domains, *how)
        return translators_of(trained.generators, domains, scratch_dir)


def refuse_for_export(
    path: pathlib.Path, checkpoint: str, weights: str, is_tiled: bool = False
) -> None:
    """Raises `InputError` if something is asked of an export that only runs have."""
    for flag, is_given in (
        (f"--checkpoint {checkpoint}", checkpoint != LAST),
        ("--tile", is_tiled),
        ("--weights raw", weights == "raw"),
    ):
        if is_given:
            raise InputError(
                f"{flag}: {path} is an export; name the directory of a run."
            )


def require_model(path: pathlib.Path) -> None:
    """Raises `InputError` where there is neither a run nor an export."""
    if (path / CONFIG).is_file() or find_export(path):
        return
    if not path.exists():
        raise InputError(
            f"{path}: no such run or export{near_runs(path)}; train one with train.py, "
            f"or name another one."
        )
    what = f"no {CONFIG} of a run" if path.is_dir() else "neither .onnx nor .tflite"
    raise InputError(
        f"{path} is no model: {what}; expected the directory of a run or of an export, "
        f"or an .onnx or .tflite file."
    )

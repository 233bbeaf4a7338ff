"""A trained model as a function from pictures to pictures, from a run or an export."""

import os
import pathlib
from collections.abc import Callable

import numpy as np
import psutil
import tensorflow as tf

from cyclegan_tf.common import checksums
from cyclegan_tf.common.errors import InputError
from cyclegan_tf.data.images import MIN_SIDE, UnreadableImage
from cyclegan_tf.inference.pixels import PIXELS_SPEC, pixels_function
from cyclegan_tf.inference.tiling import FLOAT_BYTES, translate_in_stripes
from cyclegan_tf.runs.generators import DIRECTIONS, LAST, load_generators

# Where a SavedModel keeps what is not of the model: checksums for `sha256sum -c`.
EXTRAS = "assets.extra"
SUMS = f"{EXTRAS}/{checksums.SUMS}"

Translator = Callable[[np.ndarray], np.ndarray]


def load(
    model: str | os.PathLike,
    direction: str = "a_to_b",
    checkpoint: str = LAST,
    scratch_dir: str | os.PathLike | None = None,
    weights: str = "average",
) -> Translator:
    """Loads one direction of a run, or of an export.

    Args:
        model: directory of a run, of an export (its newest version is taken), or of
            one version of a SavedModel.
        direction: "a_to_b" or "b_to_a".
        checkpoint: of a run, "last", "best", or a step; see
            `generators.load_generators`. An export has one model only.
        scratch_dir: translate in bounded memory, see `tiling`, with scratch files in
            this folder; for a run only.
        weights: of a run, "average" or "raw", see `generators.load_generators`.

    Returns:
        A function from one picture, uint8 `(height, width, 3)`, or several of one size,
        `(count, height, width, 3)`, RGB, sides from 16 px on, to the same shape.

        It raises `ValueError` for another type or shape, and `images.UnreadableImage`
        where the pictures are too large for the model or the memory.

    Raises:
        InputError: there is no such model, it is damaged, lacks the direction, or is an
            export and `checkpoint`, `scratch_dir` or raw `weights` are asked for.

    Example:
        >>> translate = load("runs/synthetic/horse2zebra")
        >>> translate(np.zeros((64, 64, 3), np.uint8)).shape
        (64, 64, 3)
    """
    path = pathlib.Path(model).expanduser()
    saved = _saved_model_in(path)
    for_runs_only = {
        f"--checkpoint {checkpoint}": checkpoint != LAST,
        "--tile": scratch_dir is not None,
        "--weights raw": weights == "raw",
    }
    for flag, is_given in for_runs_only.items():
        if saved and is_given:
            raise InputError(
                f"{flag}: {path} is an export; name the directory of a run."
            )
    found = _signatures(saved) if saved else load_generators(path, checkpoint, weights)
    if direction not in DIRECTIONS or direction not in found:
        raise InputError(f"{path} has no direction {direction}.")
    if saved:
        return _with_clear_errors(found[direction])
    return _with_clear_errors(_function(found[direction], scratch_dir))


def _saved_model_in(path):
    """The SavedModel that a directory is, or the newest version in it, or None."""
    versions = [p for p in path.glob("*") if p.name.isdecimal()]
    for candidate in (path, *sorted(versions, key=lambda p: -int(p.name))):
        # Also one that has lost a file.
        if any((candidate / name).is_file() for name in ("saved_model.pb", SUMS)):
            return candidate
    return None


def _signatures(path):
    checksums.check_sums(path, SUMS, "export it again")
    try:
        loaded = tf.saved_model.load(str(path))
    except (OSError, ValueError, tf.errors.OpError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise InputError(f"{path} cannot be loaded ({reason}).") from None
    # A signature holds its model only weakly.
    return {
        name: lambda images, f=function, _=loaded: _call(f, images)
        for name, function in loaded.signatures.items()
    }


def _function(generator, scratch_dir):
    """A generator as a function from uint8 arrays to the same."""
    if scratch_dir is not None:
        return lambda images: np.stack(
            [translate_in_stripes(generator, image, scratch_dir) for image in images]
        )
    compiled = tf.function(pixels_function(generator), input_signature=[PIXELS_SPEC])
    filters = generator.get_layer("stem").filters

    def translate(images):
        _require_memory(images, filters)
        return _call(compiled, images)

    return translate


def _call(function, images):
    return function(images=tf.constant(images))["translated"].numpy()


def _require_memory(images, filters):
    """Refuses what would make the system end the process; a GPU has its own error."""
    if tf.config.list_physical_devices("GPU"):
        return
    # Four of the largest layers and the picture in floats; measured with 2 to 64
    # filters and up to 9 megapixels.
    needed = images[..., 0].size * FLOAT_BYTES * (4 * filters + 6)
    free = psutil.virtual_memory().available
    if needed > free:
        raise UnreadableImage(
            f"needs about {needed / 1e9:.1f} GB of memory, and {free / 1e9:.1f} GB are "
            f"free; --tile needs little"
        )


def _with_clear_errors(function):
    """Checks what is translated, and says in one line why it cannot be."""

    def translate(images):
        images = np.asarray(images)
        is_rgb = images.ndim in (3, 4) and images.shape[-1] == 3
        is_large = min(images.shape[-3:-1], default=0) >= MIN_SIDE
        if images.dtype != np.uint8 or not is_rgb or not is_large:
            raise ValueError(
                f"expected uint8 (height, width, 3) or (count, height, width, 3), "
                f"sides from {MIN_SIDE} on, got {images.dtype} {images.shape}."
            )
        try:
            translated = function(images.reshape((-1, *images.shape[-3:])))
        except tf.errors.ResourceExhaustedError:
            raise UnreadableImage(
                "too large for the memory; --tile, with a run, needs little"
            ) from None
        except tf.errors.InvalidArgumentError as error:
            lines = error.message.splitlines()
            said = [line for line in lines if line.startswith("assertion failed")]
            raise UnreadableImage((said or lines)[0]) from None
        return translated.reshape(images.shape)

    return translate

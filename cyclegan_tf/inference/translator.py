"""A trained model as a function from pictures to pictures, from a run or an export."""

import dataclasses
import os
from collections.abc import Callable

import numpy as np
import psutil
import tensorflow as tf

from cyclegan_tf.common import checksums
from cyclegan_tf.common.errors import InputError
from cyclegan_tf.common.hub import local_copy
from cyclegan_tf.data.domain import Domain
from cyclegan_tf.data.images import MIN_SIDE, UnreadableImage
from cyclegan_tf.inference.pixels import pixels_function, pixels_spec
from cyclegan_tf.inference.tiling import FLOAT_BYTES, translate_in_stripes
from cyclegan_tf.model.cost import floats_per_pixel
from cyclegan_tf.runs.directory import read_config
from cyclegan_tf.runs.generators import DIRECTIONS, LAST, load_generators

# Where a SavedModel keeps what is not of the model: checksums for `sha256sum -c`.
EXTRAS = "assets.extra"
SUMS = f"{EXTRAS}/{checksums.SUMS}"


@dataclasses.dataclass(frozen=True)
class Translator:
    """One direction of a trained model, to be called with pictures.

    Attributes:
        source, target: the form of what it takes and gives. An export has its ranges
            of values within: type and channels are all that is known of them here.
        function: does it, of arrays `(count, height, width, channels)`.
    """

    source: Domain
    target: Domain
    function: Callable[[np.ndarray], np.ndarray]

    def __call__(self, images: np.ndarray) -> np.ndarray:
        """Translates pictures.

        Args:
            images: one picture `(height, width, channels)`, or several of one size
                `(count, height, width, channels)`, of the type and channels of
                `source`, sides from 16 px on.

        Returns:
            As many of the same size, of the type and channels of `target`.

        Raises:
            ValueError: another type or shape, or values that are no numbers.
            UnreadableImage: too large for the model or the memory.
        """
        images = np.asarray(images)
        self._require_fitting(images)
        try:
            translated = self.function(images.reshape((-1, *images.shape[-3:])))
        except tf.errors.ResourceExhaustedError:
            raise UnreadableImage(
                "too large for the memory; --tile, with a run, needs little"
            ) from None
        except tf.errors.InvalidArgumentError as error:
            lines = error.message.splitlines()
            said = [line for line in lines if line.startswith("assertion failed")]
            raise UnreadableImage((said or lines)[0]) from None
        return translated.reshape((*images.shape[:-1], self.target.channels))

    def _require_fitting(self, images):
        channels, dtype = self.source.channels, self.source.dtype
        is_fitting = images.ndim in (3, 4) and images.shape[-1] == channels
        is_large = min(images.shape[-3:-1], default=0) >= MIN_SIDE
        if images.dtype != dtype or not is_fitting or not is_large:
            raise ValueError(
                f"expected {dtype} (height, width, {channels}) or (count, height, "
                f"width, {channels}), sides from {MIN_SIDE} on, got {images.dtype} "
                f"{images.shape}."
            )
        if dtype == "float32" and not np.isfinite(images).all():
            raise ValueError("expected numbers, got NaN or infinity among them.")


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
            one version of a SavedModel; or `hf://user/name`, a run on the Hugging Face
            Hub, see `common.hub`.
        direction: "a_to_b" or "b_to_a".
        checkpoint: of a run, "last", "best", or a step; see
            `generators.load_generators`. An export has one model only.
        scratch_dir: translate in bounded memory, see `tiling`, with scratch files in
            this folder; for a run only.
        weights: of a run, "average" or "raw", see `generators.load_generators`.

    Returns:
        A function from pictures to pictures, see `Translator`; of 8-bit RGB from uint8
        `(height, width, 3)`, or several of one size, `(count, height, width, 3)`, to
        the same.

    Raises:
        InputError: there is no such model, it is damaged, lacks the direction, or is an
            export and `checkpoint`, `scratch_dir` or raw `weights` are asked for.

    Example:
        >>> translate = load("runs/synthetic/horse2zebra")
        >>> translate(np.zeros((64, 64, 3), np.uint8)).shape
        (64, 64, 3)
    """
    found = load_all(model, checkpoint, scratch_dir, weights)
    if direction not in found:
        raise InputError(f"{model} has no direction {direction}.")
    return found[direction]


def load_all(
    model: str | os.PathLike,
    checkpoint: str = LAST,
    scratch_dir: str | os.PathLike | None = None,
    weights: str = "average",
) -> dict[str, Translator]:
    """Loads the directions that a run, or an export, has; as `load`."""
    with local_copy(model) as path:
        return _load(path, checkpoint, scratch_dir, weights)


def _load(path, checkpoint, scratch_dir, weights):
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
    if saved:
        return _of_export(saved)
    return _of_run(path, checkpoint, scratch_dir, weights)


def _saved_model_in(path):
    """The SavedModel that a directory is, or the newest version in it, or None."""
    versions = [p for p in path.glob("*") if p.name.isdecimal()]
    for candidate in (path, *sorted(versions, key=lambda p: -int(p.name))):
        # Also one that has lost a file.
        if any((candidate / name).is_file() for name in ("saved_model.pb", SUMS)):
            return candidate
    return None


def _of_export(path):
    """The translators of a SavedModel, by direction."""
    checksums.check_sums(path, SUMS, "export it again")
    try:
        loaded = tf.saved_model.load(str(path))
    except (OSError, ValueError, tf.errors.OpError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise InputError(f"{path} cannot be loaded ({reason}).") from None
    translators = {}
    for direction in DIRECTIONS:
        if (function := loaded.signatures.get(direction)) is None:
            continue
        images = function.structured_input_signature[1]["images"]
        translators[direction] = Translator(
            _domain_of(images),
            _domain_of(function.structured_outputs["translated"]),
            # A signature holds its model only weakly.
            lambda images, f=function, _=loaded: _call(f, images),
        )
    return translators


def _domain_of(spec):
    return Domain(spec.shape[-1], spec.dtype.name)


def _of_run(path, checkpoint, scratch_dir, weights):
    """The translators of a run, by direction."""
    translators = {}
    for direction, generator in load_generators(path, checkpoint, weights).items():
        source, target = read_config(path).domains.of(direction)
        function = _function(generator, source, target, scratch_dir)
        translators[direction] = Translator(source, target, function)
    return translators


def _function(generator, source, target, scratch_dir):
    """A generator as a function from arrays of pictures to the same."""
    if scratch_dir is not None:
        return lambda images: np.stack(
            [
                translate_in_stripes(generator, image, source, target, scratch_dir)
                for image in images
            ]
        )
    compiled = tf.function(
        pixels_function(generator, source, target),
        input_signature=[pixels_spec(source)],
    )
    num_floats = floats_per_pixel(generator)

    def translate(images):
        _require_memory(images, num_floats, target.channels)
        return _call(compiled, images)

    return translate


def _call(function, images):
    return function(images=tf.constant(images))["translated"].numpy()


def _require_memory(images, floats_per_pixel, out_channels):
    """Refuses what would make the system end the process; a GPU has its own error."""
    if tf.config.list_physical_devices("GPU"):
        return
    # Four of the largest layers and both pictures in floats; measured with 2 to 64
    # filters and up to 9 megapixels.
    num_floats = 4 * floats_per_pixel + images.shape[-1] + out_channels
    needed = images[..., 0].size * FLOAT_BYTES * num_floats
    free = psutil.virtual_memory().available
    if needed > free:
        raise UnreadableImage(
            f"needs about {needed / 1e9:.1f} GB of memory, and {free / 1e9:.1f} GB are "
            f"free; --tile needs little"
        )

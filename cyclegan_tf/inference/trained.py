"""The generators of a run as translators."""

import contextlib
import os
import pathlib

import keras
import numpy as np
import psutil
import tensorflow as tf

from cyclegan_tf.data.arrays import UnreadableImage
from cyclegan_tf.data.domain import Domain, Domains
from cyclegan_tf.inference.direction import Translator
from cyclegan_tf.inference.pixels import pixels_function, pixels_spec
from cyclegan_tf.inference.tiling import FLOAT_BYTES, translate_in_stripes
from cyclegan_tf.model.cost import floats_per_pixel
from cyclegan_tf.runs.directory import read_config
from cyclegan_tf.runs.generators import load_generators


def load_run(
    path: pathlib.Path,
    checkpoint: str,
    weights: str,
    scratch_dir: str | os.PathLike | None = None,
) -> dict[str, Translator]:
    """The translators of a run by direction; arguments as of `translator.load`."""
    generators = load_generators(path, checkpoint, weights)
    return translators_of(generators, read_config(path).domains, scratch_dir)


def translators_of(
    generators: dict[str, keras.Model],
    domains: Domains,
    scratch_dir: str | os.PathLike | None = None,
) -> dict[str, Translator]:
    """Generators at hand as translators by direction.

    Args:
        generators: by direction.
        domains: what the directions lead from and to.
        scratch_dir: translate in bounded memory, see `tiling`, with scratch files in
            this folder.
    """
    translators = {}
    for direction, generator in generators.items():
        source, target = domains.of(direction)
        if scratch_dir is None:
            function = _whole(generator, source, target)
        else:
            function = _in_stripes(generator, source, target, scratch_dir)
        num_bytes = sum(weight.nbytes for weight in generator.get_weights())
        translators[direction] = Translator(
            source, target, function, None, num_bytes / 1e6, generator
        )
    return translators


def _in_stripes(generator, source, target, scratch_dir):
    def translate(images):
        form = source, target, scratch_dir
        return np.stack([translate_in_stripes(generator, x, *form) for x in images])

    return translate


def _whole(generator, source: Domain, target: Domain):
    compiled = tf.function(
        pixels_function(generator, source, target),
        input_signature=[pixels_spec(source)],
    )
    num_floats = floats_per_pixel(generator)

    def translate(images):
        _require_memory(images, num_floats, target.channels)
        with _exhaustion_told():
            return compiled(tf.constant(images))["translated"].numpy()

    return translate


@contextlib.contextmanager
def _exhaustion_told():
    try:
        yield
    except tf.errors.ResourceExhaustedError:
        raise UnreadableImage("too large for the memory; --tile needs little") from None


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

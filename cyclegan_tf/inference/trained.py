"""The generators of a run as translators."""

import os

import keras
import numpy as np
import tensorflow as tf

from cyclegan_tf.common.memory import available_memory
from cyclegan_tf.config.sizes import Frame
from cyclegan_tf.data.arrays import UnreadableImage
from cyclegan_tf.data.domain import Domain, Domains
from cyclegan_tf.inference.direction import Translator
from cyclegan_tf.inference.pixels import pixels_function, pixels_spec
from cyclegan_tf.inference.tiling import FLOAT_BYTES, translate_in_stripes
from cyclegan_tf.model.cost import floats_per_pixel


def translators_of(
    generators: dict[str, keras.Model],
    domains: Domains,
    scratch_dir: str | os.PathLike | None = None,
    frame: Frame | None = None,
) -> dict[str, Translator]:
    """Generators, and what they lead from and to, as translators by direction.

    With a `scratch_dir` they translate in bounded memory, see `tiling`, with scratch
    files in that folder. The `frame` is what they were trained to see of a picture.
    """
    translators = {}
    for direction, generator in generators.items():
        form = domains.of(direction)
        if scratch_dir is None:
            function = _whole(generator, *form)
        else:
            function = _in_stripes(generator, *form, scratch_dir)
        megabytes = sum(weight.nbytes for weight in generator.get_weights()) / 1e6
        translators[direction] = Translator(
            *form, function, megabytes=megabytes, generator=generator, frame=frame
        )
    return translators


def _in_stripes(generator, *how):
    return lambda images: np.stack(
        [translate_in_stripes(generator, image, *how) for image in images]
    )


def _whole(generator, source: Domain, target: Domain):
    compiled = tf.function(
        pixels_function(generator, source, target),
        input_signature=[pixels_spec(source)],
    )
    num_floats = floats_per_pixel(generator)

    def translate(images):
        _require_memory(images, num_floats, target.channels)
        try:
            return compiled(tf.constant(images))["translated"].numpy()
        except tf.errors.ResourceExhaustedError:
            problem = "too large for the memory; --tile needs little"
            raise UnreadableImage(problem) from None

    return translate


def _require_memory(images, floats_per_pixel, out_channels):
    """Refuses what would make the system end the process; a GPU has its own error."""
    if tf.config.list_physical_devices("GPU"):
        return
    # Four of the largest layers and both pictures in floats; measured with 2 to 64
    # filters and up to 9 megapixels.
    num_floats = 4 * floats_per_pixel + images.shape[-1] + out_channels
    needed = images[..., 0].size * FLOAT_BYTES * num_floats
    free = available_memory()
    if needed > free:
        raise UnreadableImage(
            f"needs about {needed / 1e9:.1f} GB of memory, and {free / 1e9:.1f} GB are "
            f"free; --tile needs little"
        )

"""SavedModels, for TensorFlow Serving and all else that runs TensorFlow.

The names of signatures, inputs and outputs are the contract with those who serve the
model; everything between, from pictures or files' bytes to the same, is in the graph.
"""

import pathlib
from collections.abc import Callable

import keras
import tensorflow as tf

from cyclegan_tf.config import ExportConfig
from cyclegan_tf.data.images import MIN_SIDE
from cyclegan_tf.exporting.formats.format import Format
from cyclegan_tf.exporting.graph_decoding import check_size, decode_upright
from cyclegan_tf.inference.pixels import PIXELS_SPEC, pixels_function
from cyclegan_tf.inference.translator import EXTRAS
from cyclegan_tf.model.networks import with_dtype

BYTES_SPEC = tf.TensorSpec((None,), tf.string, name="image_bytes")
INTERFACE = """\
- `a_to_b`, `b_to_a`: `images`, uint8 [N, H, W, 3], RGB, sides from 16 px on, to
  `translated`, uint8 of the same shape.
- `a_to_b_bytes`, `b_to_a_bytes`: `image_bytes`, string [N], JPEG or PNG of any sizes,
  to `translated_bytes`, string [N], PNG.
- `serving_default` is the first direction."""


def write(
    generators: dict[str, keras.Model], directory: pathlib.Path, config: ExportConfig
) -> None:
    """Writes a SavedModel that needs neither Keras nor this package.

    Its signatures are those of `INTERFACE`, for each direction that there is. A call
    with more pixels than `config.max_pixels` (all images together, or one image of
    `image_bytes`) is an `InvalidArgumentError`, so that one request cannot take all
    the memory.
    """
    archive = keras.export.ExportArchive()
    functions = {}
    for direction, generator in generators.items():
        converted = with_dtype(generator, config.precision)
        archive.track(converted)
        functions[direction] = _bounded(pixels_function(converted), config.max_pixels)
        archive.add_endpoint(direction, functions[direction], [PIXELS_SPEC])
        encoded = bytes_function(converted, config.max_pixels)
        archive.add_endpoint(f"{direction}_bytes", encoded, [BYTES_SPEC])
    default = next(iter(functions.values()))
    archive.add_endpoint("serving_default", default, [PIXELS_SPEC])
    archive.write_out(str(directory), verbose=False)


def bytes_function(generator: keras.Model, max_pixels: int) -> Callable:
    """A function from encoded pictures, strings `(count,)`, to PNG, strings `(count,)`.

    The pictures may differ in size; they are translated one after the other.
    """
    translate = pixels_function(generator)

    def translate_one(encoded):
        pixels = decode_upright(encoded, MIN_SIDE, max_pixels)
        return tf.io.encode_png(translate(pixels[None])["translated"][0])

    def translate_all(image_bytes):
        translated = tf.map_fn(
            translate_one,
            image_bytes,
            fn_output_signature=tf.TensorSpec((), tf.string),
            parallel_iterations=1,  # the memory is that of one picture
        )
        return {"translated_bytes": translated}

    return translate_all


def _bounded(translate, max_pixels):
    def checked(images):
        shape = tf.shape(images, tf.int64)
        count, height, width = shape[0], shape[1], shape[2]
        is_fine = check_size(height, width, MIN_SIDE, max_pixels, count)
        with tf.control_dependencies([is_fine]):
            return translate(tf.identity(images))

    return checked


FORMAT = Format(
    name="savedmodel",
    folder=".",
    precisions=("float32", "bfloat16", "float16"),
    write=write,
    interface=INTERFACE,
    extras=EXTRAS,
    is_served=True,
)

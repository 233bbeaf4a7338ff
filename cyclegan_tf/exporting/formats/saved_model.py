"""SavedModels, for TensorFlow Serving and all else that runs TensorFlow.

The names of signatures, inputs and outputs are the contract with those who serve the
model; everything between, from pictures or files' bytes to the same, is in the graph.
"""

import pathlib

import keras
import numpy as np
import tensorflow as tf

from cyclegan_tf.common.console import say
from cyclegan_tf.config import ExportConfig
from cyclegan_tf.data.images import MIN_SIDE, encode_png
from cyclegan_tf.exporting.formats.format import Format
from cyclegan_tf.exporting.graph_decoding import check_size, decode_upright
from cyclegan_tf.inference.pixels import PIXELS_SPEC, pixels_function
from cyclegan_tf.model.networks import with_dtype

WARM_UP = "tf_serving_warmup_requests"
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
    functions = []
    for direction, generator in generators.items():
        converted = with_dtype(generator, config.precision)
        archive.track(converted)
        translate = pixels_function(converted)
        functions.append(_bounded(translate, config.max_pixels))
        archive.add_endpoint(direction, functions[-1], [PIXELS_SPEC])
        of_bytes = _of_bytes(translate, config.max_pixels)
        archive.add_endpoint(f"{direction}_bytes", of_bytes, [BYTES_SPEC])
    archive.add_endpoint("serving_default", functions[0], [PIXELS_SPEC])
    archive.write_out(str(directory), verbose=False)


def write_warm_up(
    path: pathlib.Path, model_name: str, images: dict[str, np.ndarray]
) -> None:
    """Writes the requests with which TensorFlow Serving warms a model up.

    Of the images, uint8 `(count, height, width, 3)` by direction, the first is sent to
    each signature.
    """
    try:
        from tensorflow_serving.apis import predict_pb2, prediction_log_pb2
    except ImportError:
        say(
            "no warm-up requests written: they need tensorflow-serving-api (pip "
            "install '.[export]')"
        )
        return
    inputs = {}
    for direction, (first, *_) in images.items():
        inputs[direction] = {"images": first[None]}
        inputs[f"{direction}_bytes"] = {"image_bytes": [encode_png(first).encoded]}
    with tf.io.TFRecordWriter(str(path)) as writer:
        for signature, values in inputs.items():
            request = predict_pb2.PredictRequest(
                model_spec={"name": model_name, "signature_name": signature},
                inputs={key: tf.make_tensor_proto(x) for key, x in values.items()},
            )
            log = prediction_log_pb2.PredictionLog(predict_log={"request": request})
            writer.write(log.SerializeToString())


def _bounded(translate, max_pixels):
    def checked(images):
        shape = tf.shape(images, tf.int64)
        is_fine = check_size(shape[1:3], MIN_SIDE, max_pixels, count=shape[0])
        with tf.control_dependencies([is_fine]):
            return translate(tf.identity(images))

    return checked


def _of_bytes(translate, max_pixels):
    def translate_one(encoded):
        pixels = decode_upright(encoded, MIN_SIDE, max_pixels)
        return tf.io.encode_png(translate(pixels[None])["translated"][0])

    def translate_each(image_bytes):
        translated = tf.map_fn(
            translate_one,
            image_bytes,
            fn_output_signature=tf.TensorSpec((), tf.string),
            parallel_iterations=1,  # the memory is that of one picture
        )
        return {"translated_bytes": translated}

    return translate_each


FORMAT = Format(
    "savedmodel",
    write,
    INTERFACE,
    precisions=("float32", "bfloat16", "float16"),
    is_served=True,
)

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
from cyclegan_tf.config.sizes import MIN_SIDE
from cyclegan_tf.data.domain import Domains
from cyclegan_tf.data.images import encode
from cyclegan_tf.exporting.graph_decoding import check_size, decode_upright
from cyclegan_tf.inference.pixels import pixels_function, pixels_spec
from cyclegan_tf.model.networks import with_dtype

WARM_UP = "tf_serving_warmup_requests"
BYTES_SPEC = tf.TensorSpec((None,), tf.string, name="image_bytes")


def write(
    generators: dict[str, keras.Model],
    domains: Domains,
    directory: pathlib.Path,
    config: ExportConfig,
    calibration: dict[str, np.ndarray] | None = None,
) -> None:
    """Writes a SavedModel that needs neither Keras nor this package.

    Of each direction there is `a_to_b`, from pixels to pixels, and, where PNG holds the
    images of both domains, `a_to_b_bytes`, from files to PNG. A call with more pixels
    than `config.max_pixels` (all images together, or one image of `image_bytes`) is an
    `InvalidArgumentError`, so that one request cannot take all the memory. So are
    floats with NaN or infinity among them.
    """
    # Not Keras' ExportArchive, which stores each variable twice.
    module, signatures = tf.Module(), {}
    module.all_variables = []
    for direction, generator in generators.items():
        source, target = domains.of(direction)
        converted = with_dtype(generator, config.precision)
        module.all_variables += [variable.value for variable in converted.variables]
        translate = pixels_function(converted, source, target)
        signatures[direction] = tf.function(
            _bounded(translate, config.max_pixels), [pixels_spec(source)]
        )
        if domains.are_encodable:
            signatures[f"{direction}_bytes"] = tf.function(
                _of_bytes(translate, source, config.max_pixels), [BYTES_SPEC]
            )
    signatures["serving_default"] = next(iter(signatures.values()))
    tf.saved_model.save(module, str(directory), signatures)


def write_warm_up(
    folder: pathlib.Path,
    model_name: str,
    domains: Domains,
    images: dict[str, np.ndarray],
) -> None:
    """Writes the requests with which TensorFlow Serving warms a model up.

    Of the images, `(count, height, width, channels)` by direction, the first is sent
    to each signature.
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
        if domains.are_encodable:
            inputs[f"{direction}_bytes"] = {"image_bytes": [encode(first).encoded]}
    with tf.io.TFRecordWriter(str(folder / WARM_UP)) as writer:
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
        checks = [check_size(shape[1:3], MIN_SIDE, max_pixels, count=shape[0])]
        if images.dtype.is_floating:
            # One NaN would spread to the whole picture by the normalization.
            message = "expected numbers, got NaN or infinity among them"
            is_fine = tf.reduce_all(tf.math.is_finite(images))
            checks.append(tf.debugging.Assert(is_fine, [message]))
        with tf.control_dependencies(checks):
            return translate(tf.identity(images))

    return checked


def _of_bytes(translate, source, max_pixels):
    def translate_one(encoded):
        pixels = decode_upright(encoded, source, MIN_SIDE, max_pixels)
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

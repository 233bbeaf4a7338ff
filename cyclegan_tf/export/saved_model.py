"""Generators as graphs from uint8 pictures, or files' bytes, to the same; SavedModels.

The names of signatures, inputs and outputs are the contract with those who serve the
model; everything between is inside of the graph.
"""

import pathlib
from collections.abc import Callable

import keras
import tensorflow as tf

from cyclegan_tf.common import checksums
from cyclegan_tf.common.console import say
from cyclegan_tf.data.images import MIN_SIDE, encode_png
from cyclegan_tf.export.graph_decoding import check_size, decode_upright
from cyclegan_tf.inference.pixels import PIXELS_SPEC, pixels_function
from cyclegan_tf.inference.translator import SUMS

BYTES_SPEC = tf.TensorSpec((None,), tf.string, name="image_bytes")


def bytes_function(generator, max_pixels: int) -> Callable:
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


def write_saved_model(
    generators: dict[str, keras.Model], directory: pathlib.Path, max_pixels: int
) -> None:
    """Writes a SavedModel that needs neither Keras nor this package.

    Signatures, for each direction that there is:

        a_to_b, b_to_a              images: uint8 [N, H, W, 3], sides from 16 px on
                                    -> translated: uint8, the same shape
        a_to_b_bytes, b_to_a_bytes  image_bytes: string [N], JPEG, PNG or WebP
                                    -> translated_bytes: string [N], PNG

    `serving_default` is the first of the directions. A call with more pixels than
    `max_pixels` (all images together, or one image of `image_bytes`) is an
    `InvalidArgumentError`, so that one request cannot take all the memory. The
    files' checksums are written, too, and to be written anew where more are added.
    """
    archive = keras.export.ExportArchive()
    for direction, generator in generators.items():
        archive.track(generator)
        pixels = _bounded(pixels_function(generator), max_pixels)
        archive.add_endpoint(direction, pixels, [PIXELS_SPEC])
        encoded = bytes_function(generator, max_pixels)
        archive.add_endpoint(f"{direction}_bytes", encoded, [BYTES_SPEC])
    first = next(iter(generators.values()))
    default = _bounded(pixels_function(first), max_pixels)
    archive.add_endpoint("serving_default", default, [PIXELS_SPEC])
    archive.write_out(str(directory), verbose=False)
    checksums.write_sums(directory, SUMS)


def write_warmup(directory: pathlib.Path, model_name: str, images: dict) -> None:
    """Writes requests with which TensorFlow Serving warms a model up before its use.

    Without the official protos, which are an extra, nothing is written, and said.

    Args:
        directory: of the SavedModel.
        model_name: what the server calls it.
        images: uint8 `(count, height, width, 3)` by direction; the first is sent.
    """
    try:
        from tensorflow_serving.apis import predict_pb2, prediction_log_pb2
    except ImportError:
        say(
            "no warm-up requests written: they need tensorflow-serving-api (pip "
            "install -r requirements-export.txt)"
        )
        return
    path = directory / "assets.extra" / "tf_serving_warmup_requests"
    path.parent.mkdir(exist_ok=True)
    with tf.io.TFRecordWriter(str(path)) as writer:
        for direction, pictures in images.items():
            encoded = tf.constant([encode_png(pictures[0]).encoded])
            for signature, key, value in (
                (direction, "images", tf.constant(pictures[:1])),
                (f"{direction}_bytes", "image_bytes", encoded),
            ):
                request = predict_pb2.PredictRequest()
                request.model_spec.name = model_name
                request.model_spec.signature_name = signature
                request.inputs[key].CopyFrom(tf.make_tensor_proto(value))
                log = prediction_log_pb2.PredictLog(request=request)
                entry = prediction_log_pb2.PredictionLog(predict_log=log)
                writer.write(entry.SerializeToString())


def _bounded(translate, max_pixels):
    def checked(images):
        shape = tf.shape(images, tf.int64)
        count, height, width = shape[0], shape[1], shape[2]
        is_fine = check_size(height, width, MIN_SIDE, max_pixels, count)
        with tf.control_dependencies([is_fine]):
            return translate(tf.identity(images))

    return checked

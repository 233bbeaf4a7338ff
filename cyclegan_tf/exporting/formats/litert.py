"""LiteRT files, for phones and other small devices."""

import pathlib

import keras
import numpy as np
import tensorflow as tf

from cyclegan_tf.config import ExportConfig
from cyclegan_tf.data.domain import Domains
from cyclegan_tf.exporting.formats.format import Format
from cyclegan_tf.inference.pixels import pixels_function, pixels_spec


def write(
    generators: dict[str, keras.Model],
    domains: Domains,
    directory: pathlib.Path,
    config: ExportConfig,
    calibration: dict[str, np.ndarray] | None = None,
) -> None:
    """Writes `<direction>.tflite` for each direction.

    In float16 the weights are stored in half precision; what computes with them
    decides on its own precision.
    """
    for direction, generator in generators.items():
        source, target = domains.of(direction)
        translate = pixels_function(_with_constants(generator), source, target)
        function = tf.function(translate, input_signature=[pixels_spec(source)])
        converter = tf.lite.TFLiteConverter.from_concrete_functions(
            [function.get_concrete_function()], generator
        )
        if config.precision == "float16":
            converter.optimizations = [tf.lite.Optimize.DEFAULT]
            converter.target_spec.supported_types = [tf.float16]
        (directory / f"{direction}.tflite").write_bytes(converter.convert())


def _with_constants(generator):
    # The converter leaves Keras' variables as variables, which no file can hold.
    weights = [variable.numpy() for variable in generator.trainable_variables]

    def call(images, training):
        constants = [tf.constant(array) for array in weights]
        return generator.stateless_call(constants, [], images, training=training)[0]

    return call


FORMAT = Format("litert", write, packages=("ai_edge_litert",))

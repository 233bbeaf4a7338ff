"""ONNX files, for ONNX Runtime and others without TensorFlow."""

import pathlib

import keras
import tensorflow as tf

from cyclegan_tf.config import ExportConfig
from cyclegan_tf.data.domain import Domains
from cyclegan_tf.exporting.formats.format import Format
from cyclegan_tf.inference.pixels import pixels_function, pixels_spec
from cyclegan_tf.model.networks import with_dtype

OPSET = 18


def write(
    generators: dict[str, keras.Model],
    domains: Domains,
    directory: pathlib.Path,
    config: ExportConfig,
) -> None:
    """Writes `<direction>.onnx` for each direction."""
    import tf2onnx

    for direction, generator in generators.items():
        source, target = domains.of(direction)
        converted = with_dtype(generator, config.precision)
        translate = pixels_function(converted, source, target)
        signature = [pixels_spec(source)]
        tf2onnx.convert.from_function(
            tf.function(translate, input_signature=signature),
            input_signature=signature,
            opset=OPSET,
            output_path=str(directory / f"{direction}.onnx"),
        )


FORMAT = Format("onnx", write, packages=("tf2onnx", "onnxruntime"))

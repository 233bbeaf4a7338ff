"""ONNX files, for ONNX Runtime and others without TensorFlow."""

import pathlib

import keras
import tensorflow as tf

from cyclegan_tf.config import ExportConfig
from cyclegan_tf.exporting.formats.format import FILE_PER_DIRECTION, Format
from cyclegan_tf.inference.pixels import PIXELS_SPEC, pixels_function
from cyclegan_tf.model.networks import with_dtype

OPSET = 18


def write(
    generators: dict[str, keras.Model], directory: pathlib.Path, config: ExportConfig
) -> None:
    """Writes `<direction>.onnx` for each direction."""
    import tf2onnx

    for direction, generator in generators.items():
        function = tf.function(
            pixels_function(with_dtype(generator, config.precision)),
            input_signature=[PIXELS_SPEC],
        )
        tf2onnx.convert.from_function(
            function,
            input_signature=function.input_signature,
            opset=OPSET,
            output_path=str(directory / f"{direction}.onnx"),
        )


FORMAT = Format(
    name="onnx",
    folder="onnx",
    precisions=("float32", "float16"),
    write=write,
    interface=FILE_PER_DIRECTION,
    packages={"tf2onnx": "tf2onnx", "onnxruntime": "onnxruntime"},
)

"""Generators as ONNX and LiteRT files, for programs without TensorFlow.

Input and output are those of the SavedModel: `images`, uint8 `[N, H, W, 3]` of any
size from 16 px on, and `translated`, the same.
"""

import importlib.util
import pathlib

import keras
import tensorflow as tf

from cyclegan_tf.common.errors import InputError
from cyclegan_tf.inference.pixels import PIXELS_SPEC, pixels_function
from cyclegan_tf.model.networks import with_dtype

ONNX_OPSET = 18
# What writes a format, and what runs it to verify it: (module, package) to install.
NEEDED = {
    "onnx": (("tf2onnx", "tf2onnx"), ("onnxruntime", "onnxruntime")),
    "litert": (("ai_edge_litert", "ai-edge-litert"),),
}


def require_libraries(file_format: str) -> None:
    """Raises `InputError` if a format's libraries are not installed."""
    missing = [
        package
        for module, package in NEEDED.get(file_format, ())
        if importlib.util.find_spec(module) is None
    ]
    if missing:
        raise InputError(
            f"--format {file_format} needs {' and '.join(missing)}; install with "
            f"pip install -r requirements-export.txt."
        )


def write_onnx(generators: dict[str, keras.Model], directory, precision: str) -> None:
    """Writes `<direction>.onnx` for each direction; float32 or float16."""
    import tf2onnx

    for direction, generator in generators.items():
        function = tf.function(
            pixels_function(with_dtype(generator, precision)),
            input_signature=[PIXELS_SPEC],
        )
        tf2onnx.convert.from_function(
            function,
            input_signature=function.input_signature,
            opset=ONNX_OPSET,
            output_path=str(directory / f"{direction}.onnx"),
        )


def write_litert(generators: dict[str, keras.Model], directory, precision: str) -> None:
    """Writes `<direction>.tflite` for each direction.

    In float16 the weights are stored in half precision; what computes with them
    decides on its own precision.
    """
    for direction, generator in generators.items():
        function = tf.function(
            pixels_function(_with_constants(generator)), input_signature=[PIXELS_SPEC]
        )
        converter = tf.lite.TFLiteConverter.from_concrete_functions(
            [function.get_concrete_function()], generator
        )
        if precision == "float16":
            converter.optimizations = [tf.lite.Optimize.DEFAULT]
            converter.target_spec.supported_types = [tf.float16]
        pathlib.Path(directory, f"{direction}.tflite").write_bytes(converter.convert())


def _with_constants(generator):
    """The generator as a function whose weights are constants of the graph.

    The converter leaves Keras' variables as variables, which no file can hold.
    """
    weights = [variable.numpy() for variable in generator.trainable_variables]

    def call(images, training):
        constants = [tf.constant(array) for array in weights]
        return generator.stateless_call(constants, [], images, training=training)[0]

    return call

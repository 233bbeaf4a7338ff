"""LiteRT files, for phones and other small devices."""

import pathlib
import warnings

import keras
import numpy as np
import tensorflow as tf

from cyclegan_tf.config import ExportConfig
from cyclegan_tf.data.domain import Domains
from cyclegan_tf.inference.pixels import pixels_function, pixels_spec
from cyclegan_tf.model.layers import ReflectionPadding2D

# What computes in int8. All else would spoil the statistics of the normalization. A
# convolution that is left out is stored in 8 bits all the same, and then takes several
# times as long as in float32, as LiteRT's fast kernels do not know the mixture.
CONVOLUTIONS = ("CONV_2D", "DEPTHWISE_CONV_2D", "TRANSPOSE_CONV")


def write(
    generators: dict[str, keras.Model],
    domains: Domains,
    directory: pathlib.Path,
    config: ExportConfig,
    calibration: dict[str, np.ndarray] | None = None,
) -> None:
    """Writes `<direction>.tflite` for each direction.

    In float16 the weights are stored in half precision; what computes with them
    decides on its own precision. In int8 convolutions compute in 8 bits, for values in
    the range that they have for the calibration images, and all between them in
    float32. In int8-weights all kernels are stored in 8 bits, and what
    goes into a convolution is rounded to 8 bits of its own range, image by image.
    """
    for direction, generator in generators.items():
        source, target = domains.of(direction)
        generator = _with_replaced_layers(generator)
        translate = pixels_function(_with_constants(generator), source, target)
        function = tf.function(
            translate, input_signature=[pixels_spec(source, config.fixed_size)]
        )
        converter = tf.lite.TFLiteConverter.from_concrete_functions(
            [function.get_concrete_function()], generator
        )
        if config.precision != "float32":
            converter.optimizations = [tf.lite.Optimize.DEFAULT]
        if config.precision == "float16":
            converter.target_spec.supported_types = [tf.float16]
        if config.precision == "int8":
            content = _quantized(converter, calibration[direction])
        else:
            content = converter.convert()
        (directory / f"{direction}.tflite").write_bytes(content)


def _quantized(converter, images):
    """Converts with convolutions in 8 bits, calibrated on images, one at a time."""
    from ai_edge_litert.schema_py_generated import BuiltinOperator

    names = filter(str.isupper, vars(BuiltinOperator))
    stay = [name for name in names if name not in CONVOLUTIONS]
    converter.representative_dataset = lambda: ([image[None]] for image in images)
    with warnings.catch_warnings():  # it runs TensorFlow's own, deprecated interpreter
        warnings.simplefilter("ignore", UserWarning)
        # Only the debugger's options can leave operators out.
        debugger = tf.lite.experimental.QuantizationDebugger(
            converter=converter,
            debug_options=tf.lite.experimental.QuantizationDebugOptions(
                denylisted_ops=stay
            ),
        )
        return debugger.get_nondebug_quantized_model()


class SlicedReflectionPadding2D(ReflectionPadding2D):
    """The same, of slices: LiteRT's operator for it takes longer than a convolution."""

    def call(self, images):
        """Pads height and width, one line after the other."""
        for axis in (1, 2):
            before = range(self.padding, 0, -1)
            after = range(-2, -2 - self.padding, -1)
            first, last = ([_line(images, i, axis) for i in x] for x in (before, after))
            images = tf.concat([*first, images, *last], axis)
        return images


class ResizedUpSampling2D(keras.layers.UpSampling2D):
    """The same, by one operator: after Keras' own the channels are not known."""

    def call(self, images):
        """Repeats each pixel."""
        return tf.image.resize(images, tf.shape(images)[1:3] * self.size, "nearest")


# What takes the place of a layer.
REPLACED = {
    ReflectionPadding2D: SlicedReflectionPadding2D,
    keras.layers.UpSampling2D: ResizedUpSampling2D,
}


def _line(images, place, axis):
    """A row, axis 1, or a column, axis 2, counted from the end if negative."""
    line = slice(place, place + 1 or None)
    return images[:, line] if axis == 1 else images[:, :, line]


def _with_replaced_layers(generator):
    def converted(layer):
        kind = REPLACED.get(type(layer), type(layer))
        return kind.from_config(layer.get_config())

    copy = keras.models.clone_model(generator, clone_function=converted)
    copy.set_weights(generator.get_weights())
    return copy


def _with_constants(generator):
    # The converter leaves Keras' variables as variables, which no file can hold.
    weights = [variable.numpy() for variable in generator.trainable_variables]

    def call(images, training):
        constants = [tf.constant(array) for array in weights]
        return generator.stateless_call(constants, [], images, training=training)[0]

    return call

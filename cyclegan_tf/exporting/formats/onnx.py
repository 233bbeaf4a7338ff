"""ONNX files, for ONNX Runtime and others without TensorFlow."""

import pathlib
import types

import keras
import numpy as np
import tensorflow as tf

from cyclegan_tf.config import ExportConfig
from cyclegan_tf.data.domain import Domains
from cyclegan_tf.inference.pixels import pixels_function, pixels_spec
from cyclegan_tf.model.networks import with_dtype

OPSET = 18
# Where a kernel has its output channels.
OUTPUT_AXIS = {"Conv": 0, "ConvTranspose": 1}


def write(
    generators: dict[str, keras.Model],
    domains: Domains,
    directory: pathlib.Path,
    config: ExportConfig,
    calibration: dict[str, np.ndarray] | None = None,
) -> None:
    """Writes `<direction>.onnx` for each direction.

    In int8 convolutions compute in 8 bits, for values in the range that they have for
    the calibration images; all between them, the last convolution, whose few channels
    ONNX Runtime computes faster in float32, and transposed ones, for which it has no
    kernel in 8 bits, stay float32. In int8 and int8-weights all kernels are stored in 8
    bits.
    """
    import onnx
    import tf2onnx

    for direction, generator in generators.items():
        source, target = domains.of(direction)
        is_int8 = config.precision.startswith("int8")
        policy = "float32" if is_int8 else config.precision
        translate = pixels_function(with_dtype(generator, policy), source, target)
        signature = [pixels_spec(source, config.fixed_size)]
        path = directory / f"{direction}.onnx"
        model, _ = tf2onnx.convert.from_function(
            tf.function(translate, input_signature=signature),
            input_signature=signature,
            opset=OPSET,
            custom_op_handlers={"Conv2DBackpropInput": (_transposed, [])},
        )
        for value in (*model.graph.input, *model.graph.output):
            for dim, name in zip(value.type.tensor_type.shape.dim, "NHW", strict=False):
                if not dim.dim_value:
                    dim.dim_param = name
        onnx.save(model, path)
        if config.precision == "int8":
            _compute_in_int8(path, calibration[direction])
        if is_int8:
            _store_in_int8(path)


def _transposed(graph, node, name, arguments):
    """Converts a transposed convolution, and the crop behind it, to one operator.

    tf2onnx by itself works out the size of any that there may be, in 44 operators. Ours
    are "valid": of the full size, of which a crop may leave some lines out.
    """
    _, kernel, images = node.input
    outputs, shapes, dtypes = node.output, node.output_shapes, node.output_dtypes
    attributes = {"strides": node.get_attr("strides").ints[1:3]}
    (follower,) = graph.find_output_consumers(outputs[0])
    if follower.type == "StridedSlice":
        starts, ends = (x.get_tensor_value()[1:3] for x in follower.inputs[1:3])
        attributes["pads"] = [*starts, *starts]
        # Behind the last line as many are left out as before the first, or fewer.
        attributes["output_padding"] = [
            a + b for a, b in zip(starts, ends, strict=True)
        ]
        shapes = follower.output_shapes
        graph.replace_all_inputs(follower.output[0], outputs[0])
    graph.remove_node(name)
    x = graph.make_node("Transpose", [images], attr={"perm": [0, 3, 1, 2]})
    weights = graph.make_node("Transpose", [kernel], attr={"perm": [3, 2, 0, 1]})
    inputs = [x.output[0], weights.output[0]]
    y = graph.make_node("ConvTranspose", inputs, attr=attributes)
    graph.make_node(
        *("Transpose", y.output, {"perm": [0, 2, 3, 1]}),
        outputs=outputs,
        shapes=shapes,
        dtypes=dtypes,
    )


def _compute_in_int8(path, images):
    """Has convolutions but the last compute in 8 bits; per output channel."""
    import onnx
    from onnxruntime import quantization
    from onnxruntime.quantization.shape_inference import quant_pre_process

    quant_pre_process(path, path, skip_symbolic_shape=True)
    nodes = onnx.load(path).graph.node
    *_, last = (node.name for node in nodes if node.op_type == "Conv")
    calls = iter([{"images": image[None]} for image in images])
    quantization.quantize_static(
        path,
        path,
        types.SimpleNamespace(get_next=lambda: next(calls, None)),
        op_types_to_quantize=["Conv"],
        nodes_to_exclude=[last],
        per_channel=True,
        activation_type=quantization.QuantType.QUInt8,
        weight_type=quantization.QuantType.QInt8,
    )


def _store_in_int8(path):
    """Stores float kernels as int8 with a scale per output channel."""
    import onnx
    from onnx import numpy_helper

    model = onnx.load(path)
    graph = model.graph
    floats = {tensor.name: tensor for tensor in graph.initializer}
    for node in list(graph.node):
        if node.op_type not in OUTPUT_AXIS or node.input[1] not in floats:
            continue
        name, axis = node.input[1], OUTPUT_AXIS[node.op_type]
        kernel = numpy_helper.to_array(floats[name])
        others = tuple(i for i in range(kernel.ndim) if i != axis)
        largest = np.abs(kernel).max(others, keepdims=True)
        scale = np.where(largest, largest, 1) / np.float32(127)
        integers = np.round(kernel / scale).astype(np.int8)
        graph.initializer.remove(floats[name])
        graph.initializer.append(numpy_helper.from_array(integers, f"{name}_int8"))
        graph.initializer.append(numpy_helper.from_array(scale, f"{name}_scale"))
        # Not a DequantizeLinear, which ONNX Runtime would compute at every call, and
        # not lay the kernel out for its fast convolutions; these it folds at loading.
        to_float = {"to": onnx.TensorProto.FLOAT}
        make = onnx.helper.make_node
        cast = make("Cast", [f"{name}_int8"], [f"{name}_float"], **to_float)
        scaled = make("Mul", [f"{name}_float", f"{name}_scale"], [name])
        graph.node.insert(0, scaled)
        graph.node.insert(0, cast)
    onnx.save(model, path)

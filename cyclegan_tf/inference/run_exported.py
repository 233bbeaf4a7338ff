"""Runs an exported model on given images, in a process of its own.

    python -I run_exported.py FORMAT MODEL INPUTS.npz OUTPUTS.npz

A program for itself, which imports nothing of this package and no Keras: what it can
do, any server can. MODEL is the folder that was exported. `exported` loads models by
the same functions.

INPUTS holds arrays `(count, height, width, channels)` by name: what is called
`<direction>/<anything>` goes through the model's `<direction>`, and OUTPUTS gets the
results under the same names. A SavedModel's `<direction>_bytes/<anything>` takes and
returns `(count,)` strings of encoded pictures. (NumPy drops zeros at the end of a
string; PNG and JPEG files do not end in one.)

Prints one line of JSON: the libraries' versions.
"""

import functools
import json
import os
import pathlib
import sys
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

TYPES = {"float": "float32"}  # of ONNX, where NumPy has another name


class Runner(NamedTuple):
    """A model that is at hand.

    Attributes:
        names: of its signatures, or of its files.
        run: from one of these and an array to what becomes of the array.
        forms: of one of these, shape and type of what goes in and of what comes out; a
            side of any length is None.
        versions: of the library, by its name.
    """

    names: list[str]
    run: Callable[[str, np.ndarray], np.ndarray]
    forms: Callable[[str], list[tuple[list[int | None], str]]]
    versions: dict[str, str]


def savedmodel(directory):
    """Loads a SavedModel."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    import tensorflow as tf

    loaded = tf.saved_model.load(str(directory))
    signatures = loaded.signatures

    def run(name, array, _=loaded):  # a signature holds its model only weakly
        if name.endswith("_bytes"):
            strings = tf.constant(array.tolist())
            outputs = signatures[name](image_bytes=strings)["translated_bytes"]
            return np.array(outputs.numpy().tolist())
        return signatures[name](images=tf.constant(array))["translated"].numpy()

    def forms(name):
        given = signatures[name].structured_input_signature[1]["images"]
        got = signatures[name].structured_outputs["translated"]
        return [(list(x.shape), x.dtype.name) for x in (given, got)]

    return Runner(list(signatures), run, forms, {"tensorflow": tf.__version__})


def onnx(place):
    """Loads ONNX files, `<direction>.onnx` of a folder, or one of any name."""
    import onnxruntime

    # Threads that wait for work by spinning take a processor from all others.
    options = onnxruntime.SessionOptions()
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")

    @functools.cache
    def session(name):
        return onnxruntime.InferenceSession(
            _file(place, f"{name}.onnx"), options, providers=["CPUExecutionProvider"]
        )

    def run(name, array):
        return session(name).run(["translated"], {"images": array})[0]

    def forms(name):
        ends = (session(name).get_inputs()[0], session(name).get_outputs()[0])
        # Types are such as "tensor(float)", and sides of any length have names.
        types = [x.type.removeprefix("tensor(").removesuffix(")") for x in ends]
        shapes = [[n if isinstance(n, int) else None for n in x.shape] for x in ends]
        return list(zip(shapes, [TYPES.get(t, t) for t in types], strict=True))

    versions = {"onnxruntime": onnxruntime.__version__}
    return Runner(_names(place, "*.onnx"), run, forms, versions)


def litert(place):
    """Loads LiteRT files, `<direction>.tflite` of a folder, or one of any name."""
    import ai_edge_litert
    from ai_edge_litert.interpreter import Interpreter

    @functools.cache
    def loaded(name):
        path = _file(place, f"{name}.tflite")
        return Interpreter(str(path), num_threads=os.cpu_count())

    def run(name, array):
        interpreter = loaded(name)
        detail = interpreter.get_input_details()[0]
        index = detail["index"]
        # Planning anew takes longer than a small network; a new model has 1x1 pixels.
        if tuple(detail["shape"]) != array.shape or name not in planned:
            interpreter.resize_tensor_input(index, array.shape)
            interpreter.allocate_tensors()
            planned.add(name)
        interpreter.set_tensor(index, array)
        interpreter.invoke()
        return interpreter.get_tensor(interpreter.get_output_details()[0]["index"])

    def forms(name):
        interpreter = loaded(name)
        ends = interpreter.get_input_details()[0], interpreter.get_output_details()[0]
        shapes = [[n if n > 0 else None for n in x["shape_signature"]] for x in ends]
        types = [np.dtype(x["dtype"]).name for x in ends]
        return list(zip(shapes, types, strict=True))

    planned = set()
    versions = {"ai-edge-litert": ai_edge_litert.__version__}
    return Runner(_names(place, "*.tflite"), run, forms, versions)


def _file(place, name):
    return place if place.is_file() else place / name


def _names(place, pattern):
    return sorted(path.stem for path in place.glob(pattern)) or [place.stem]


RUNNERS = {"savedmodel": savedmodel, "onnx": onnx, "litert": litert}


def main():
    """Loads the model, runs it on each input, and writes what comes out."""
    name_of_format, model, inputs, outputs = sys.argv[1:]
    # TensorFlow imports Keras where it finds it; a model that needed it fails now.
    sys.modules["keras"] = None
    runner = RUNNERS[name_of_format](pathlib.Path(model))
    with np.load(inputs) as arrays:
        results = {
            name: runner.run(name.split("/")[0], arrays[name]) for name in arrays
        }
    np.savez(outputs, **results)
    print(json.dumps(runner.versions))


if __name__ == "__main__":
    main()

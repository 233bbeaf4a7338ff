"""Runs an exported model on given images, in a process of its own.

    python -I run_exported.py FORMAT MODEL INPUTS.npz OUTPUTS.npz

A program for itself, which imports nothing of this package and no Keras: what it can
do, any server can. MODEL is the folder that was exported.

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
from importlib.metadata import version

import numpy as np


def savedmodel(directory):
    """A function from a signature's name and an array to an array; and versions."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    import tensorflow as tf

    signatures = tf.saved_model.load(str(directory)).signatures

    def run(name, array):
        if name.endswith("_bytes"):
            strings = tf.constant(array.tolist())
            outputs = signatures[name](image_bytes=strings)["translated_bytes"]
            return np.array(outputs.numpy().tolist())
        return signatures[name](images=tf.constant(array))["translated"].numpy()

    return run, {"tensorflow": tf.__version__}


def onnx(directory):
    """The same for ONNX files, `<direction>.onnx`."""
    import onnxruntime

    @functools.cache
    def session(name):
        path = directory / f"{name}.onnx"
        return onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])

    def run(name, array):
        return session(name).run(["translated"], {"images": array})[0]

    return run, {"onnxruntime": onnxruntime.__version__}


def litert(directory):
    """The same for LiteRT files, `<direction>.tflite`."""
    from ai_edge_litert.interpreter import Interpreter

    @functools.cache
    def loaded(name):
        path = directory / f"{name}.tflite"
        return Interpreter(str(path), num_threads=os.cpu_count())

    def run(name, array):
        interpreter = loaded(name)
        detail = interpreter.get_input_details()[0]
        place = detail["index"]
        # Planning anew takes longer than a small network; a new model has 1x1 pixels.
        if tuple(detail["shape"]) != array.shape:
            interpreter.resize_tensor_input(place, array.shape)
            interpreter.allocate_tensors()
        interpreter.set_tensor(place, array)
        interpreter.invoke()
        return interpreter.get_tensor(interpreter.get_output_details()[0]["index"])

    return run, {"ai-edge-litert": version("ai-edge-litert")}


RUNNERS = {"savedmodel": savedmodel, "onnx": onnx, "litert": litert}


def main():
    """Loads the model, runs it on each input, and writes what comes out."""
    name_of_format, model, inputs, outputs = sys.argv[1:]
    # TensorFlow imports Keras where it finds it; a model that needed it fails now.
    sys.modules["keras"] = None
    run, versions = RUNNERS[name_of_format](pathlib.Path(model))
    with np.load(inputs) as arrays:
        results = {name: run(name.split("/")[0], arrays[name]) for name in arrays}
    np.savez(outputs, **results)
    print(json.dumps(versions))


if __name__ == "__main__":
    main()

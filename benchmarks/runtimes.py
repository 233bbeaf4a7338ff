"""Which runtimes give an export's answers, and what do they take?

    python benchmarks/runtimes.py exports/photos

EXPORTS is the output of `export.py --format savedmodel,onnx,litert`. Each runtime is
installed in an environment of its own, in a temporary folder, runs a form on pictures
of 64x64, of 65x47, and three at once, and is compared with TensorFlow here. Prints a
table in Markdown: largest difference in grey levels, and MiB, with the library, after
loading and at most.
"""

import argparse
import json
import pathlib
import subprocess
import sys
import tempfile
import venv
from importlib.metadata import version

import numpy as np

DIRECTION = "a_to_b"
SHAPES = ((1, 64, 64), (1, 65, 47), (3, 64, 64))


def savedmodel(folder):
    """A function from images to images, by TensorFlow."""
    import tensorflow as tf

    function = tf.saved_model.load(str(folder)).signatures[DIRECTION]
    return lambda images: function(images=tf.constant(images))["translated"].numpy()


def onnx(folder):
    """The function by ONNX Runtime."""
    import onnxruntime

    path = str(folder / f"{DIRECTION}.onnx")
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    return lambda images: session.run(None, {"images": images})[0]


def opencv(folder):
    """The function by OpenCV's network module."""
    import cv2

    net = cv2.dnn.readNetFromONNX(str(folder / f"{DIRECTION}.onnx"))

    def run(images):
        net.setInput(images)
        return net.forward()

    return run


def openvino(folder):
    """The function by OpenVINO, of whichever form lies there."""
    import openvino

    files = [*folder.glob(f"{DIRECTION}.onnx"), *folder.glob(f"{DIRECTION}.tflite")]
    core = openvino.Core()
    model = core.compile_model(core.read_model(str((files or [folder])[0])), "CPU")
    return lambda images: model([images])[0]


def litert(folder):
    """The function by TensorFlow Lite's interpreter, new or old."""
    try:
        from ai_edge_litert.interpreter import Interpreter
    except ImportError:
        from tflite_runtime.interpreter import Interpreter

    interpreter = Interpreter(str(folder / f"{DIRECTION}.tflite"))
    given, got = interpreter.get_input_details(), interpreter.get_output_details()

    def run(images):
        interpreter.resize_tensor_input(given[0]["index"], images.shape)
        interpreter.allocate_tensors()
        interpreter.set_tensor(given[0]["index"], images)
        interpreter.invoke()
        return interpreter.get_tensor(got[0]["index"])

    return run


# What is installed, how it is run, and which forms it takes. numpy<2: of its time.
RUNTIMES = (
    (["tensorflow-cpu==2.15.1"], savedmodel, ("savedmodel",)),
    (["onnxruntime==1.16.3", "numpy<2"], onnx, ("onnx",)),
    (["openvino==2026.4.0"], openvino, ("savedmodel", "onnx", "litert")),
    (["opencv-python-headless==5.0.0.93"], opencv, ("onnx",)),
    (["tflite-runtime==2.14.0", "numpy<2"], litert, ("litert",)),
    (["ai-edge-litert==2.3.0"], litert, ("litert",)),
)


def worker(runtime, folder, inputs, outputs):
    """Runs in the runtime's own environment, which has NumPy and nothing of ours."""
    run = globals()[runtime](pathlib.Path(folder))
    loaded = _mebibytes("VmRSS")
    with np.load(inputs) as arrays:
        np.savez(outputs, **{name: run(arrays[name]) for name in arrays})
    print(json.dumps({"loaded": loaded, "peak": _mebibytes("VmHWM")}))


def _mebibytes(field):
    """Of this process; getrusage's peak would be that of the process it came from."""
    status = pathlib.Path("/proc/self/status").read_text()
    return int(status.split(f"{field}:")[1].split()[0]) / 1024


def newest(exports, form):
    """The folder of a form's newest version."""
    folder = exports if form == "savedmodel" else exports / form
    return max(
        (p for p in folder.iterdir() if p.name.isdecimal()), key=lambda p: int(p.name)
    )


def row(python, name, runtime, form, folder, scratch):
    """A line of the table, of a form in a runtime."""
    given, got = scratch / "given.npz", scratch / "got.npz"
    command = [python, __file__, "--worker", runtime.__name__, folder, given, got]
    done = subprocess.run([*map(str, command)], capture_output=True, text=True)
    if done.returncode:
        reason = (done.stderr.strip().splitlines() or [str(done.returncode)])[-1]
        return f"| {name} | {form} | fails: {reason[:120]} | | |"
    used = json.loads(done.stdout.strip().splitlines()[-1])
    with np.load(got) as outputs, np.load(scratch / "expected.npz") as expected:
        differences = [
            np.abs(outputs[n].astype(int) - expected[n]).max() for n in expected
        ]
    used = f"{used['loaded']:.0f} | {used['peak']:.0f}"
    return f"| {name} | {form} | {max(differences)} | {used} |"


def main():
    """Prints the table, a line as soon as it is known."""
    if sys.argv[1:2] == ["--worker"]:
        return worker(*sys.argv[2:])
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("exports", type=pathlib.Path)
    exports = parser.parse_args().exports.resolve()
    with tempfile.TemporaryDirectory() as temporary:
        scratch = pathlib.Path(temporary)
        rng = np.random.default_rng(0)
        arrays = {
            str(i): rng.integers(0, 256, (*shape, 3), np.uint8)
            for i, shape in enumerate(SHAPES)
        }
        np.savez(scratch / "given.npz", **arrays)
        here = savedmodel(newest(exports, "savedmodel"))
        np.savez(scratch / "expected.npz", **{n: here(x) for n, x in arrays.items()})
        print(f"beside TensorFlow {version('tensorflow')}\n")
        print("| runtime | form | largest difference | MiB loaded | at most |")
        print("|-|-|-|-|-|", flush=True)
        for requirements, runtime, forms in RUNTIMES:
            environment = scratch / "environment"
            venv.create(environment, with_pip=True, clear=True)
            python = environment / "bin" / "python"
            install = [python, "-m", "pip", "install", "-q", "numpy", *requirements]
            subprocess.run(install, check=True, stderr=subprocess.DEVNULL)
            name = requirements[0]
            for form in forms:
                folder = newest(exports, form)
                line = row(python, name, runtime, form, folder, scratch)
                print(line, flush=True)
    return None


if __name__ == "__main__":
    main()

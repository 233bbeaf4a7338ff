"""Which runtimes give an export's answers, and what do they take?

    python benchmarks/runtimes.py exports/photos

EXPORTS is the output of `export.py --format savedmodel,onnx,litert`. Each runtime is
installed in an environment of its own, in a temporary folder, runs a form on pictures
of 64x64, of 65x47, and three at once, and is compared with TensorFlow here. Prints a
table in Markdown: largest difference in grey levels, and MiB, with the library, after
loading and at most.
"""

import json
import pathlib
import runpy
import subprocess
import sys
import tempfile
import venv
from importlib.metadata import version

import numpy as np

DIRECTION = "a_to_b"
SHAPES = ((1, 64, 64), (1, 65, 47), (3, 64, 64))
ROOT = pathlib.Path(__file__).resolve().parent.parent
# A program for itself, which needs nothing but NumPy and the library of the form.
RUN_EXPORTED = ROOT / "cyclegan_tf" / "inference" / "run_exported.py"


def own(form, folder):
    """The function from images to images, by the library that the form is made for."""
    run = runpy.run_path(RUN_EXPORTED)["RUNNERS"][form](folder).run
    return lambda images: run(DIRECTION, images)


def opencv(form, folder):
    """The function by OpenCV's network module."""
    import cv2

    net = cv2.dnn.readNetFromONNX(str(folder / f"{DIRECTION}.{form}"))

    def run(images):
        net.setInput(images)
        return net.forward()

    return run


def openvino(form, folder):
    """The function by OpenVINO."""
    import openvino

    core = openvino.Core()
    file = {"onnx": f"{DIRECTION}.onnx", "litert": f"{DIRECTION}.tflite"}.get(form, "")
    model = core.compile_model(core.read_model(str(folder / file)), "CPU")
    return lambda images: model([images])[0]


# What is installed, how it is run, and which forms it takes. numpy<2: of its time.
RUNTIMES = (
    (["tensorflow-cpu==2.15.1"], own, ("savedmodel",)),
    (["onnxruntime==1.16.3", "numpy<2"], own, ("onnx",)),
    (["openvino==2026.4.0"], openvino, ("savedmodel", "onnx", "litert")),
    (["opencv-python-headless==5.0.0.93"], opencv, ("onnx",)),
    (["ai-edge-litert==2.3.0"], own, ("litert",)),
)


def worker(runtime, form, folder, inputs, outputs):
    """Runs in the runtime's own environment, which has NumPy and nothing of ours."""
    run = globals()[runtime](form, pathlib.Path(folder))
    loaded = _mebibytes("VmRSS")
    with np.load(inputs) as arrays:
        np.savez(outputs, **{name: run(arrays[name]) for name in arrays})
    print(json.dumps([loaded, _mebibytes("VmHWM")]))


def _mebibytes(field):
    """Of this process; getrusage's peak would be that of the process it came from."""
    status = pathlib.Path("/proc/self/status").read_text()
    return int(status.split(f"{field}:")[1].split()[0]) // 1024


def newest(exports, form):
    """The folder of a form's newest version."""
    folder = exports if form == "savedmodel" else exports / form
    return max(
        (p for p in folder.iterdir() if p.name.isdecimal()), key=lambda p: int(p.name)
    )


def cells_of(python, runtime, form, folder, scratch):
    """The last cells of a line: difference and memory, or why there are none."""
    command = [python, __file__, "--worker", runtime.__name__, form, folder]
    command += [scratch / "given.npz", scratch / "got.npz"]
    done = subprocess.run([*map(str, command)], capture_output=True, text=True)
    if done.returncode:
        reason = (done.stderr.strip().splitlines() or [str(done.returncode)])[-1]
        return [f"fails: {reason[:120]}", "", ""]
    with np.load(scratch / "got.npz") as got, np.load(scratch / "here.npz") as here:
        largest = max(np.abs(got[name].astype(int) - here[name]).max() for name in here)
    return [largest, *json.loads(done.stdout.strip().splitlines()[-1])]


def main():
    """Prints the table, a line as soon as it is known."""
    exports = pathlib.Path(sys.argv[1]).resolve()
    with tempfile.TemporaryDirectory() as temporary:
        scratch = pathlib.Path(temporary)
        rng = np.random.default_rng(0)
        images = [rng.integers(0, 256, (*shape, 3), np.uint8) for shape in SHAPES]
        translate = own("savedmodel", newest(exports, "savedmodel"))
        np.savez(scratch / "given.npz", *images)
        np.savez(scratch / "here.npz", *map(translate, images))
        print(f"beside TensorFlow {version('tensorflow')}\n")
        print("| runtime | form | largest difference | MiB loaded | at most |")
        print("|-|-|-|-|-|", flush=True)
        for requirements, runtime, forms in RUNTIMES:
            environment = scratch / "environment"
            venv.create(environment, with_pip=True, clear=True)
            python = environment / "bin" / "python"
            install = [python, "-m", "pip", "install", "-q", "numpy", *requirements]
            subprocess.run(install, check=True, stderr=subprocess.DEVNULL)
            for form in forms:
                cells = cells_of(python, runtime, form, newest(exports, form), scratch)
                cells = [requirements[0], form, *cells]
                print(f"| {' | '.join(map(str, cells))} |", flush=True)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--worker"]:
        worker(*sys.argv[2:])
    elif len(sys.argv) == 2:
        main()
    else:
        sys.exit("usage: python benchmarks/runtimes.py EXPORTS")

"""From a run to verified model files that can leave the training machine.

exports/NAME/<version>/         a SavedModel, in TensorFlow Serving's layout
exports/NAME/onnx/<version>/    a_to_b.onnx, b_to_a.onnx
exports/NAME/litert/<version>/  a_to_b.tflite, b_to_a.tflite

A version is written aside, run in a process of its own, compared with the Keras model,
and only then renamed to its number: a server that watches the directory never sees
half a model, or a wrong one.
"""

import contextlib
import dataclasses
import io
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator

import keras
import numpy as np
from PIL import Image

from cyclegan_tf import data, model_card, portable, serving, synthetic
from cyclegan_tf.config import ExportConfig, TrainConfig
from cyclegan_tf.errors import InputError
from cyclegan_tf.files import PARTIAL, sync
from cyclegan_tf.generators import load_generators
from cyclegan_tf.images import MIN_SIDE, encode_png
from cyclegan_tf.progress import say
from cyclegan_tf.run_directory import read_config
from cyclegan_tf.translation import translate

NUM_HELD_OUT = 4
RUNNER = pathlib.Path(__file__).with_name("run_exported.py")
# Where the versions of a format live, below the output directory.
FOLDERS = {"savedmodel": ".", "onnx": "onnx", "litert": "litert"}
# Largest and mean difference in grey levels that an export may have from the Keras
# model in float32. Another order of additions moves few values over a rounding edge;
# half precision has 11 or 8 bits for a number.
BOUNDS = {"float32": (1, 0.01), "float16": (4, 0.25), "bfloat16": (24, 1.0)}


@dataclasses.dataclass(frozen=True)
class Comparison:
    """One signature of an exported model beside the Keras model.

    Attributes:
        signature: such as "a_to_b".
        max_difference, mean_difference: in grey levels, over all held-out images.
        milliseconds: median time of a call with one image of the run's image size.
    """

    signature: str
    max_difference: int
    mean_difference: float
    milliseconds: float


@dataclasses.dataclass(frozen=True)
class Exported:
    """One kept version of one format."""

    file_format: str
    directory: pathlib.Path
    megabytes: float
    versions: dict[str, str]
    comparisons: list[Comparison]


@dataclasses.dataclass(frozen=True)
class HeldOut:
    """Images that the generators were not trained on.

    Attributes:
        images: uint8 `(count, height, width, 3)` by direction.
        origin: where they come from, in words.
    """

    images: dict[str, np.ndarray]
    origin: str


def export(config: ExportConfig) -> Iterator[Exported]:
    """Writes and verifies every format that the config asks for.

    Raises:
        InputError: the run cannot be exported, a library is missing, or an export
            differs too much from the Keras model; nothing of that format is kept.
    """
    run_dir = pathlib.Path(config.run_dir).expanduser()
    for file_format in config.formats:
        portable.require_libraries(file_format)
    generators = load_generators(run_dir)
    run_config, _ = read_config(run_dir)
    held_out = _held_out(run_config, generators)
    expected = {
        name: translate(generators[name.split("/")[0]], images)
        for name, images in _variants(held_out).items()
    }
    for file_format in config.formats:
        say(f"writing {file_format}, and verifying it on {held_out.origin}")
        folder = config.resolved_output / FOLDERS[file_format]
        with _aside(folder) as partial:
            _write(file_format, generators, partial, config)
            exported = _verify(file_format, partial, held_out, expected, config)
            model_card.write(
                partial, file_format, run_dir, run_config, config, exported
            )
            if file_format == "savedmodel":
                _write_warmup(partial, config.resolved_output.name, held_out)
            directory = _publish(partial, folder)
        yield dataclasses.replace(exported, directory=directory)


def _write(file_format, generators, directory, config):
    if file_format == "savedmodel":
        converted = {
            direction: serving.with_precision(generator, config.precision)
            for direction, generator in generators.items()
        }
        serving.write_saved_model(converted, directory, config.max_pixels)
    elif file_format == "onnx":
        portable.write_onnx(generators, directory, config.precision)
    else:
        portable.write_litert(generators, directory, config.precision)


@contextlib.contextmanager
def _aside(folder: pathlib.Path) -> Iterator[pathlib.Path]:
    """A directory in `folder` to write to; what has not been renamed is removed."""
    made = [path for path in (folder, *folder.parents) if not path.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    partial = pathlib.Path(tempfile.mkdtemp(prefix=PARTIAL, dir=folder))
    partial.chmod(0o755)  # other users may serve what this one has written
    try:
        yield partial
    finally:
        shutil.rmtree(partial, ignore_errors=True)
        with contextlib.suppress(OSError):  # not empty: something was kept
            for path in made:
                path.rmdir()


def _publish(partial, folder):
    """Renames to the next free number; another export may take one meanwhile."""
    for path in partial.rglob("*"):
        if path.is_file():
            sync(path)
    while True:
        numbers = [int(p.name) for p in folder.iterdir() if p.name.isdigit()]
        target = folder / str(max(numbers, default=0) + 1)
        try:
            os.rename(partial, target)  # fails where there is something already
        except OSError:
            if not target.exists():
                raise
            continue
        sync(folder)
        return target


# Verification.


def _held_out(config: TrainConfig, generators: dict[str, keras.Model]) -> HeldOut:
    """Test images of the run's dataset, or drawn ones where it is not at hand."""
    size, count = config.image_size, NUM_HELD_OUT
    directory = pathlib.Path(config.data_dir).expanduser() / config.dataset_name
    domains = {direction: direction[0].upper() for direction in generators}
    try:
        images = {
            direction: data.load_images(
                data.open_split(directory, f"test{domain}"), size, count
            )
            for direction, domain in domains.items()
        }
        if all(len(array) for array in images.values()):
            return HeldOut(images, f"test images of {config.dataset}")
    except InputError:
        pass  # the dataset need not be on the machine that exports
    coats = {"a_to_b": "brown", "b_to_a": "striped"}
    images = {
        direction: np.stack(
            [_drawn((9, i), coats[direction], size) for i in range(count)]
        )
        for direction in generators
    }
    return HeldOut(images, f"drawn images (no test images in {directory})")


def _drawn(seed, coat, size):
    picture = synthetic.draw(seed, coat, max(size, synthetic.MIN_SIZE)).image
    return picture[:size, :size]


def _variants(held_out: HeldOut) -> dict[str, np.ndarray]:
    """Inputs by `<direction>/<what>`: one, all, and a size that needs padding."""
    variants = {}
    for direction, images in held_out.images.items():
        height = max(MIN_SIDE, images.shape[1] - 3)
        width = max(MIN_SIDE, images.shape[2] - 6)
        variants[f"{direction}/one"] = images[:1]
        variants[f"{direction}/all"] = images
        variants[f"{direction}/odd"] = images[:, :height, :width]
    return variants


def _verify(file_format, directory, held_out, expected, config) -> Exported:
    inputs = _variants(held_out)
    if file_format == "savedmodel":
        for direction in held_out.images:
            encoded = [
                encode_png(image).encoded
                for what in ("all", "odd")
                for image in inputs[f"{direction}/{what}"]
            ]
            inputs[f"{direction}_bytes/all"] = np.array(encoded)
    outputs, report = _run_alone(file_format, directory, inputs)

    # All of a signature's outputs beside what the Keras model makes of the inputs.
    comparisons = []
    for signature in dict.fromkeys(name.split("/")[0] for name in inputs):
        direction = signature.removesuffix("_bytes")
        if signature == direction:
            names = [n for n in inputs if n.startswith(f"{direction}/")]
            pairs = [(outputs[n], expected[n]) for n in names]
            timed = f"{direction}/one"
        else:
            wanted = [*expected[f"{direction}/all"], *expected[f"{direction}/odd"]]
            got = map(_decode_png, outputs[f"{signature}/all"])
            pairs = list(zip(got, wanted, strict=True))
            timed = f"{signature}/all"
        difference = np.concatenate([_difference(*pair) for pair in pairs])
        images_per_call = 1 if signature == direction else len(pairs)
        comparisons.append(
            Comparison(
                signature,
                int(difference.max()),
                float(difference.mean()),
                report["milliseconds"][timed] / images_per_call,
            )
        )
    _require_close(file_format, comparisons, config.precision)
    size = sum(p.stat().st_size for p in directory.rglob("*") if p.is_file())
    return Exported(file_format, directory, size / 1e6, report["versions"], comparisons)


def _difference(first, second):
    if first.shape != second.shape:
        raise InputError(
            f"the exported model returned shape {first.shape}, expected "
            f"{second.shape}; nothing was kept."
        )
    return np.abs(first.astype(np.int16) - second.astype(np.int16)).ravel()


def _decode_png(encoded):
    return np.asarray(Image.open(io.BytesIO(encoded)).convert("RGB"))


def _run_alone(file_format, directory, inputs):
    """Runs a model by `run_exported.py`; the outputs by name, and what it reports."""
    with tempfile.TemporaryDirectory() as scratch:
        given, got = (pathlib.Path(scratch, f"{n}.npz") for n in ("given", "got"))
        np.savez(given, **inputs)
        # Isolated (-I): what is in the working directory cannot be imported.
        command = [sys.executable, "-I", RUNNER, file_format, directory, given, got]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            lines = done.stderr.strip().splitlines() or [f"status {done.returncode}"]
            raise InputError(
                f"the exported {file_format} model does not run ({lines[-1][:500]}); "
                f"nothing was kept."
            )
        with np.load(got) as outputs:
            arrays = {name: outputs[name] for name in outputs.files}
    return arrays, json.loads(done.stdout.strip().splitlines()[-1])


def _require_close(file_format, comparisons, precision):
    maximum, mean = BOUNDS[precision]
    for row in comparisons:
        if row.max_difference > maximum or row.mean_difference > mean:
            raise InputError(
                f"{file_format} {row.signature} in {precision} differs from the Keras "
                f"model by up to {row.max_difference} and on average "
                f"{row.mean_difference:.3f} grey levels, more than {maximum} and "
                f"{mean}; nothing was kept. Use --precision float32."
            )


def _write_warmup(directory, model_name, held_out):
    """Requests with which TensorFlow Serving warms a model up before it is used."""
    try:
        from tensorflow_serving.apis import predict_pb2, prediction_log_pb2
    except ImportError:
        say(
            "no warm-up requests written: they need tensorflow-serving-api (pip "
            "install -r requirements-export.txt)"
        )
        return
    import tensorflow as tf

    path = directory / "assets.extra" / "tf_serving_warmup_requests"
    path.parent.mkdir(exist_ok=True)
    with tf.io.TFRecordWriter(str(path)) as writer:
        for direction, images in held_out.images.items():
            encoded = tf.constant([encode_png(images[0]).encoded])
            for signature, key, value in (
                (direction, "images", tf.constant(images[:1])),
                (f"{direction}_bytes", "image_bytes", encoded),
            ):
                request = predict_pb2.PredictRequest()
                request.model_spec.name = model_name
                request.model_spec.signature_name = signature
                request.inputs[key].CopyFrom(tf.make_tensor_proto(value))
                log = prediction_log_pb2.PredictLog(request=request)
                entry = prediction_log_pb2.PredictionLog(predict_log=log)
                writer.write(entry.SerializeToString())


def report(exported: Exported) -> str:
    """What was kept, how close it is, and how to try it, as lines of text."""
    versions = ", ".join(f"{name} {v}" for name, v in exported.versions.items())
    lines = [
        f"{exported.directory}  {exported.megabytes:.1f} MB, verified with {versions}",
        f"  {'difference in grey levels':25}{'largest':>12}{'mean':>10}"
        f"{'ms/image':>10}",
    ]
    for row in exported.comparisons:
        lines.append(
            f"  {row.signature:25}{row.max_difference:12d}{row.mean_difference:10.4f}"
            f"{row.milliseconds:10.1f}"
        )
    return "\n".join(lines)

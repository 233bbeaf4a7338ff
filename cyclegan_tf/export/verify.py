"""Is an exported model what the Keras model is? Run in a process of its own, compared.

The exported model runs by `run_exported.py`, where Keras and this package cannot be
imported, on test images of the run's dataset.
"""

import dataclasses
import io
import json
import pathlib
import subprocess
import sys
import tempfile

import keras
import numpy as np
from PIL import Image

from cyclegan_tf.common.errors import InputError
from cyclegan_tf.config import TrainConfig
from cyclegan_tf.data import drawing, pipeline
from cyclegan_tf.data.images import MIN_SIDE, encode_png

NUM_HELD_OUT = 4
RUNNER = pathlib.Path(__file__).with_name("run_exported.py")
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


def held_out_images(config: TrainConfig, generators: dict[str, keras.Model]) -> HeldOut:
    """Test images of the run's dataset, or drawn ones where it is not at hand."""
    size, count = config.image_size, NUM_HELD_OUT
    directory = pathlib.Path(config.data_dir).expanduser() / config.dataset_name
    domains = {direction: direction[0].upper() for direction in generators}
    try:
        images = {
            direction: pipeline.load_images(
                pipeline.open_split(directory, f"test{domain}"), size, count
            )
            for direction, domain in domains.items()
        }
        if all(len(array) for array in images.values()):
            return HeldOut(images, f"test images of {config.dataset}")
        why = f"{config.dataset} has too few test images"
    except InputError as error:
        why = str(error)  # the dataset need not be on the machine that exports
    coats = {"a_to_b": "brown", "b_to_a": "striped"}
    images = {
        direction: np.stack(
            [_drawn((9, i), coats[direction], size) for i in range(count)]
        )
        for direction in generators
    }
    return HeldOut(images, f"drawn images ({why.rstrip('.')})")


def _drawn(seed, coat, size):
    picture = drawing.draw(seed, coat, max(size, drawing.MIN_SIZE)).image
    return picture[:size, :size]


def variants(held_out: HeldOut) -> dict[str, np.ndarray]:
    """Inputs by `<direction>/<what>`: one, all, and a size that needs padding."""
    variants = {}
    for direction, images in held_out.images.items():
        height = max(MIN_SIDE, images.shape[1] - 3)
        width = max(MIN_SIDE, images.shape[2] - 6)
        variants[f"{direction}/one"] = images[:1]
        variants[f"{direction}/all"] = images
        variants[f"{direction}/odd"] = images[:, :height, :width]
    return variants


def verify(
    file_format: str,
    directory: pathlib.Path,
    held_out: HeldOut,
    expected: dict[str, np.ndarray],
    precision: str,
) -> Exported:
    """Runs an exported model, and compares.

    Args:
        file_format: "savedmodel", "onnx" or "litert".
        directory: what was written.
        held_out: the images it is run on.
        expected: what the Keras model makes of `variants(held_out)`, by name.
        precision: of the export; its bound is in `BOUNDS`.

    Raises:
        InputError: the model does not run, or differs by more than the bound.
    """
    inputs = variants(held_out)
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
    _require_close(file_format, comparisons, precision)
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

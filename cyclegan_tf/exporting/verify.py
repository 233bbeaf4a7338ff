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
from collections.abc import Iterable

import numpy as np
from PIL import Image

from cyclegan_tf.common.errors import InputError
from cyclegan_tf.config import TrainConfig
from cyclegan_tf.data import drawing, pipeline
from cyclegan_tf.data.images import MIN_SIDE, encode_png
from cyclegan_tf.exporting.formats.format import Format

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
        milliseconds: of a call with one image of the run's image size.
    """

    signature: str
    max_difference: int
    mean_difference: float
    milliseconds: float


def held_out_images(
    config: TrainConfig, directions: Iterable[str]
) -> tuple[dict[str, np.ndarray], str]:
    """Images that the generators of a run were not trained on.

    Returns:
        uint8 `(count, height, width, 3)` by direction, and where they come from, in
        words: test images of the dataset, or drawn ones where it is not at hand.
    """
    size, directions = config.image_size, list(directions)
    directory = pathlib.Path(config.data_dir).expanduser() / config.dataset_name
    try:
        images = {}
        for direction in directions:
            split = pipeline.open_split(directory, f"test{direction[0].upper()}")
            images[direction] = pipeline.load_images(split, size, NUM_HELD_OUT)
        if all(map(len, images.values())):
            return images, f"test images of {config.dataset}"
        why = f"{config.dataset} has too few test images"
    except InputError as error:
        why = str(error).rstrip(".")
    for direction in directions:
        coat = {"a_to_b": "brown", "b_to_a": "striped"}[direction]
        side = max(size, drawing.MIN_SIZE)
        drawn = [drawing.draw((9, i), coat, side).image for i in range(NUM_HELD_OUT)]
        images[direction] = np.stack(drawn)[:, :size, :size]
    return images, f"drawn images ({why})"


def variants(held_out: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Inputs by `<direction>/<what>`: one, all, and a size that needs padding."""
    variants = {}
    for direction, images in held_out.items():
        height = max(MIN_SIDE, images.shape[1] - 3)
        width = max(MIN_SIDE, images.shape[2] - 6)
        variants[f"{direction}/one"] = images[:1]
        variants[f"{direction}/all"] = images
        variants[f"{direction}/odd"] = images[:, :height, :width]
    return variants


def verify(
    form: Format,
    directory: pathlib.Path,
    inputs: dict[str, np.ndarray],
    expected: dict[str, np.ndarray],
    precision: str,
) -> tuple[list[Comparison], dict[str, str]]:
    """Runs an exported model, and compares.

    Args:
        form: what it was written as.
        directory: what was written.
        inputs: of `variants`.
        expected: what the Keras model makes of them, by the same names.
        precision: of the export; its bound is in `BOUNDS`.

    Returns:
        The comparison of each signature, and the versions of what ran it.

    Raises:
        InputError: the model does not run, or differs by more than the bound.
    """
    if form.is_served:
        inputs = inputs | {
            name.replace("/", "_bytes/"): _encoded(images)
            for name, images in inputs.items()
        }
    outputs, report = _run_alone(form.name, directory, inputs)
    comparisons = []
    for signature in dict.fromkeys(name.split("/")[0] for name in inputs):
        differences = [
            _difference(output, expected[name.replace("_bytes/", "/")])
            for name, output in outputs.items()
            if name.split("/")[0] == signature
        ]
        difference = np.concatenate(differences)
        milliseconds = report["milliseconds"][f"{signature}/one"]
        comparisons.append(
            Comparison(
                signature, int(difference.max()), float(difference.mean()), milliseconds
            )
        )
    _require_close(form.name, comparisons, precision)
    return comparisons, report["versions"]


def _encoded(images):
    return np.array([encode_png(image).encoded for image in images])


def _difference(output, expected):
    if output.dtype.kind == "S":
        output = np.stack([Image.open(io.BytesIO(png)) for png in output])
    if output.shape != expected.shape:
        raise InputError(
            f"the exported model returned shape {output.shape}, expected "
            f"{expected.shape}; nothing was kept."
        )
    return np.abs(output.astype(int) - expected).ravel()


def _run_alone(name, directory, inputs):
    """Runs a model by `run_exported.py`; the outputs by name, and what it reports."""
    with tempfile.TemporaryDirectory() as scratch:
        given, got = (pathlib.Path(scratch, f"{n}.npz") for n in ("given", "got"))
        np.savez(given, **inputs)
        # Isolated (-I): what is in the working directory cannot be imported.
        command = [sys.executable, "-I", RUNNER, name, directory, given, got]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            lines = done.stderr.strip().splitlines() or [f"status {done.returncode}"]
            raise InputError(
                f"the exported {name} model does not run ({lines[-1][:500]}); nothing "
                f"was kept."
            )
        with np.load(got) as outputs:
            return dict(outputs), json.loads(done.stdout.strip().splitlines()[-1])


def _require_close(name, comparisons, precision):
    maximum, mean = BOUNDS[precision]
    for row in comparisons:
        if row.max_difference > maximum or row.mean_difference > mean:
            raise InputError(
                f"{name} {row.signature} in {precision} differs from the Keras model "
                f"by up to {row.max_difference} and on average "
                f"{row.mean_difference:.3f} grey levels, more than {maximum} and "
                f"{mean}; nothing was kept. Use --precision float32."
            )

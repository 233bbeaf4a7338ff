"""Is an exported model what the Keras model is? Run in a process of its own, compared.

The exported model runs by `run_exported.py`, where Keras and this package cannot be
imported, on test images of the run's dataset.
"""

import contextlib
import io
import json
import pathlib
import subprocess
import sys
import tempfile
from collections import defaultdict
from typing import NamedTuple

import keras
import numpy as np
import tensorflow as tf
from PIL import Image

from cyclegan_tf.common.errors import InputError
from cyclegan_tf.config import TrainConfig
from cyclegan_tf.data.images import MIN_SIDE, encode_png
from cyclegan_tf.data.pipeline import load_images, open_split
from cyclegan_tf.exporting.formats.format import Format
from cyclegan_tf.inference.pixels import translate_all

NUM_HELD_OUT = 4
RUNNER = pathlib.Path(__file__).with_name("run_exported.py")
# Largest and mean difference in grey levels that an export may have from the Keras
# model in float32. Another order of additions moves few values over a rounding edge;
# half precision has 11 or 8 bits for a number.
BOUNDS = {"float32": (1, 0.01), "float16": (4, 0.25), "bfloat16": (24, 1.0)}


class Comparison(NamedTuple):
    """One signature of an export beside the Keras model; differences in grey levels."""

    signature: str
    max_difference: int
    mean_difference: float


def held_out_images(
    config: TrainConfig, directions: list[str]
) -> tuple[dict[str, np.ndarray], str]:
    """Images that the generators of a run were not trained on.

    Returns:
        uint8 `(count, height, width, 3)` by direction, and where they come from, in
        words: test images of the dataset, or coloured noise where there are none.
    """
    size = config.image_size
    directory = pathlib.Path(config.data_dir).expanduser() / config.dataset_name
    with contextlib.suppress(InputError):  # the dataset is not at hand
        images = {}
        for direction in directions:
            split = open_split(directory, f"test{direction[0].upper()}")
            images[direction] = load_images(split, size, NUM_HELD_OUT)
        if all(map(len, images.values())):
            return images, f"test images of {config.dataset}"
    coarse = np.random.default_rng(0).uniform(0, 255, (NUM_HELD_OUT, 8, 8, 3))
    noise = tf.cast(tf.image.resize(coarse, (size, size)), tf.uint8).numpy()
    return dict.fromkeys(
        directions, noise
    ), f"coloured noise (no test images in {directory})"


def make_cases(
    images: dict[str, np.ndarray], generators: dict[str, keras.Model]
) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Inputs by `<direction>/<what>`, and what the Keras models make of them.

    Several images, and one of a size that needs padding.
    """
    cases = {}
    for direction, several in images.items():
        height, width = (
            max(MIN_SIDE, n) for n in np.array(several.shape[1:3]) - (3, 6)
        )
        odd = several[:1, :height, :width]
        for what, given in (("several", several), ("odd", odd)):
            expected = translate_all(generators[direction], given)
            cases[f"{direction}/{what}"] = given, expected
    return cases


def verify(
    form: Format,
    directory: pathlib.Path,
    cases: dict[str, tuple[np.ndarray, np.ndarray]],
    precision: str,
) -> tuple[list[Comparison], dict[str, str]]:
    """Runs an exported model, and compares.

    Args:
        form: what it was written as.
        directory: what was written.
        cases: of `make_cases`.
        precision: of the export; its bound is in `BOUNDS`.

    Returns:
        The comparison of each signature, and the versions of what ran it.

    Raises:
        InputError: the model does not run, or differs by more than the bound.
    """
    inputs = {name: images for name, (images, _) in cases.items()}
    if form.is_served:
        for name, (images, _) in cases.items():
            encoded = [encode_png(image).encoded for image in images]
            inputs[name.replace("/", "_bytes/")] = np.array(encoded)
    outputs, versions = _run_alone(form.name, directory, inputs)
    differences = defaultdict(list)  # by signature
    for name, output in outputs.items():
        _, expected = cases[name.replace("_bytes/", "/")]
        differences[name.split("/")[0]].append(_difference(output, expected))
    comparisons = []
    for signature, parts in differences.items():
        difference = np.concatenate(parts)
        largest, mean = int(difference.max()), float(difference.mean())
        if largest > BOUNDS[precision][0] or mean > BOUNDS[precision][1]:
            raise InputError(
                f"{form.name} {signature} in {precision} differs from the Keras model "
                f"by up to {largest} and on average {mean:.3f} grey levels, more than "
                f"{BOUNDS[precision]}; nothing was kept. Use --precision float32."
            )
        comparisons.append(Comparison(signature, largest, mean))
    return comparisons, versions


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
    """Runs a model by `run_exported.py`; the outputs by name, and its versions."""
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

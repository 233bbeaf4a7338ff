"""Is an exported model what the Keras model is? Run in a process of its own, compared.

The exported model runs by `run_exported.py`, where Keras and this package cannot be
imported, on test images of the run's dataset.
"""

import json
import pathlib
import subprocess
import sys
import tempfile
from collections import defaultdict
from typing import NamedTuple

import keras
import numpy as np

from cyclegan_tf.common.errors import InputError
from cyclegan_tf.data.domain import Domains
from cyclegan_tf.data.images import MIN_SIDE, encode, pixels_of
from cyclegan_tf.exporting.formats.format import Format
from cyclegan_tf.exporting.kinds_of_files import one_of_each_kind
from cyclegan_tf.inference import run_exported
from cyclegan_tf.inference.pixels import translate_all

SIDE_OF_KINDS = 48  # pixels of the files of all kinds, which are many
RUNNER = pathlib.Path(run_exported.__file__)
# Largest and mean difference in grey levels, each 1/255 of the range, that an export
# may have from the Keras model in float32. Another order of additions moves few values
# over a rounding edge; half precision has 11 or 8 bits for a number. In 8 bits single
# pixels at edges go astray, which the mean bounds.
BOUNDS = {
    "float32": (1, 0.01),
    "float16": (4, 0.25),
    "bfloat16": (24, 1.0),
    "int8-weights": (64, 2.0),
    "int8": (128, 4.0),
}


class Comparison(NamedTuple):
    """One signature of an export beside the Keras model.

    Differences are in grey levels: 1/255 of the range that comes out.
    """

    signature: str
    max_difference: float
    mean_difference: float


def make_cases(
    images: dict[str, np.ndarray],
    generators: dict[str, keras.Model],
    domains: Domains,
    one_by_one: bool = False,
) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Inputs by `<direction>/<what>`, and what the Keras models make of them.

    Several images, and one of a size that needs padding; or each image by itself.
    """
    cases = {}
    for direction, several in images.items():
        height, width = (
            max(MIN_SIDE, n) for n in np.array(several.shape[1:3]) - (3, 6)
        )
        given = {"several": several, "odd": several[:1, :height, :width]}
        if one_by_one:
            given = {str(i): image[None] for i, image in enumerate(several)}
        for what, some in given.items():
            generator = generators[direction]
            expected = translate_all(generator, some, *domains.of(direction))
            cases[f"{direction}/{what}"] = some, expected
    return cases


def verify(
    form: Format,
    directory: pathlib.Path,
    cases: dict[str, tuple[np.ndarray, np.ndarray]],
    domains: Domains,
    precision: str,
) -> tuple[list[Comparison], dict[str, str]]:
    """Runs an exported model, and compares.

    Args:
        form: what it was written as.
        directory: what was written.
        cases: of `make_cases`.
        domains: what the directions lead from and to.
        precision: of the export; its bound is in `BOUNDS`.

    Returns:
        The comparison of each signature, and the versions of what ran it.

    Raises:
        InputError: the model does not run, or differs by more than the bound.
    """
    inputs = {name: images for name, (images, _) in cases.items()}
    kinds = {}
    if form.is_served and domains.are_encodable:
        for name, (images, _) in cases.items():
            encoded = [encode(image).encoded for image in images]
            inputs[name.replace("/", "_bytes/")] = np.array(encoded)
        kinds = _kinds_of_files(cases, domains)
    outputs, versions = _run_alone(form.name, directory, inputs | kinds)
    _require_alike({name: outputs.pop(name) for name in kinds}, domains, precision)
    differences = defaultdict(list)  # by signature
    for name, output in outputs.items():
        _, expected = cases[name.replace("_bytes/", "/")]
        _, target = domains.of(_direction_of(name))
        difference = _difference(output, expected, target)
        differences[name.split("/")[0]].append(difference)
    comparisons = []
    for signature, parts in differences.items():
        difference = np.concatenate(parts)
        largest, mean = float(difference.max()), float(difference.mean())
        _, target = domains.of(_direction_of(signature))
        bounds = [bound * _coarseness(target) for bound in BOUNDS[precision]]
        if largest > bounds[0] or mean > bounds[1]:
            raise InputError(
                f"{form.name} {signature} in {precision} differs from the Keras model "
                f"by up to {largest:.4g} and on average {mean:.3f} grey levels, more "
                f"than {bounds[0]:g} and {bounds[1]:g}; nothing was kept. Use "
                f"--precision float32."
            )
        comparisons.append(Comparison(signature, largest, mean))
    return comparisons, versions


def _kinds_of_files(cases, domains):
    """Files of each kind for the bytes signatures, and their pixels for the others."""
    kinds = {}
    for name, (images, _) in cases.items():
        direction, what = name.split("/")
        if what != "odd":
            continue
        few = images[0, :SIDE_OF_KINDS, :SIDE_OF_KINDS]
        for kind, file in one_of_each_kind(few).items():
            pixels = pixels_of(file, domains.of(direction)[0])
            kinds[f"{direction}/{kind}"] = pixels[None]
            kinds[f"{direction}_bytes/{kind}"] = np.array([file])
    return kinds


def _require_alike(outputs, domains, precision):
    """Checks that files were translated as their pixels were."""
    for name, expected in outputs.items():
        signature, kind = name.split("/")
        direction = _direction_of(name)
        if signature != direction:
            continue
        _, target = domains.of(direction)
        output = outputs[f"{direction}_bytes/{kind}"]
        difference = _difference(output, expected, target).max()
        if difference > BOUNDS[precision][0] * _coarseness(target):
            raise InputError(
                f"{direction}_bytes reads a {kind} other than cyclegan translate does, "
                f"by up to {difference:.4g} grey levels; nothing was kept."
            )


def _direction_of(name):
    """The direction of a signature, or of a case."""
    return name.split("/")[0].removesuffix("_bytes")


def _coarseness(domain):
    """The grey levels that one step of a domain's values is, if it is more than one."""
    if domain.dtype == "float32":
        return 1.0
    low, high = domain.bounds
    return max(1.0, 255 / (high - low).min())


def _difference(output, expected, target):
    """How far each value is from the expected one, in grey levels."""
    if output.dtype.kind == "S":
        output = np.stack([pixels_of(png, target) for png in output])
    if (output.shape, output.dtype) != (expected.shape, expected.dtype):
        raise InputError(
            f"the exported model returned {output.dtype} {output.shape}, expected "
            f"{expected.dtype} {expected.shape}; nothing was kept."
        )
    low, high = target.bounds
    levels = np.abs(output.astype(float) - expected) * 255 / (high - low)
    return levels.ravel()


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

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

import numpy as np

from cyclegan_tf.common.errors import InputError
from cyclegan_tf.config import ExportConfig
from cyclegan_tf.config.formats import Format
from cyclegan_tf.config.sizes import MIN_SIDE
from cyclegan_tf.data.domain import Domains
from cyclegan_tf.data.images import encode, pixels_of
from cyclegan_tf.exporting.kinds_of_files import one_of_each_kind
from cyclegan_tf.exporting.subject import Comparison, Subject
from cyclegan_tf.inference import run_exported
from cyclegan_tf.inference.exported import assertion_in
from cyclegan_tf.inference.pixels import translate_all

SIDE_OF_KINDS = 48  # pixels of the files of all kinds, which are many
OF_FILES = "_bytes"  # how the names of signatures end that take files
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
# By `<signature>/<what>`: what goes in, and what the Keras model makes of it; or the
# name of the case that the export itself has to make the same of.
Cases = dict[str, tuple[np.ndarray, np.ndarray | str]]


def make_cases(subject: Subject, config: ExportConfig) -> Cases:
    """What the exports of a subject are tried on.

    Several images, in calls that a SavedModel accepts, and one of a size that needs
    padding; or each image by itself, where the size is fixed. For what is served, the
    same as files, and a file of each kind, of which it has to make what it makes of the
    pixels. Raises `InputError` if one image is more than a SavedModel accepts.
    """
    cases, domains = {}, subject.run.domains
    is_served = any(form.is_served for form in config.formats)
    with_files = is_served and domains.are_encodable
    for direction, several in subject.images.items():
        at_once = _images_per_call(several, config) if is_served else len(several)
        source, target = domains.of(direction)
        generator = subject.trained.generators[direction]
        height, width = (
            max(MIN_SIDE, n) for n in np.array(several.shape[1:3]) - (3, 6)
        )
        starts = range(0, len(several), 1 if config.size else at_once)
        given = {str(i): several[i : i + starts.step] for i in starts}
        if config.size is None:
            given["odd"] = several[:1, :height, :width]
        for what, some in given.items():
            expected = translate_all(generator, some, source, target)
            cases[f"{direction}/{what}"] = some, expected
            if with_files:
                files = np.array([encode(image).encoded for image in some])
                cases[f"{direction}{OF_FILES}/{what}"] = files, expected
        if with_files:
            few = several[0, :SIDE_OF_KINDS, :SIDE_OF_KINDS]
            for kind, file in one_of_each_kind(few).items():
                name = f"{direction}/{kind}"
                cases[name] = pixels_of(file, source)[None], name
                cases[f"{direction}{OF_FILES}/{kind}"] = np.array([file]), name
    return cases


def _images_per_call(images, config):
    """How many images a SavedModel accepts at once."""
    height, width = images.shape[1:3]
    if height * width > config.max_pixels:
        raise InputError(
            f"--max-megapixels {config.max_megapixels:g}: the images of this run have "
            f"{height * width / 1e6:g}; a SavedModel has to accept one of them."
        )
    return config.max_pixels // (height * width)


def verify(
    form: Format,
    directory: pathlib.Path,
    cases: Cases,
    domains: Domains,
    precision: str,
) -> tuple[list[Comparison], dict[str, str]]:
    """Runs what was written to a directory on cases of `make_cases`, and compares.

    Returns the comparison of each signature, and the versions of what ran it. Raises
    `InputError` if it does not run, or differs by more than its precision's bound.
    """
    given = {
        name: inputs
        for name, (inputs, expected) in cases.items()
        if form.is_served or not (OF_FILES in name or isinstance(expected, str))
    }
    outputs, versions = _run_alone(form.name, directory, given)
    differences = defaultdict(list)  # by signature
    for name, output in outputs.items():
        signature, what = name.split("/")
        _, target = domains.of(signature.removesuffix(OF_FILES))
        _, expected = cases[name]
        if not isinstance(expected, str):
            differences[signature].append(_difference(output, expected, target))
            continue
        largest = _difference(output, outputs[expected], target).max()
        if largest > BOUNDS[precision][0] * _coarseness(target):
            raise InputError(
                f"{signature} reads a {what} other than cyclegan translate does, by up "
                f"to {largest:.4g} grey levels; nothing was kept."
            )
    comparisons = []
    for signature, parts in differences.items():
        _, target = domains.of(signature.removesuffix(OF_FILES))
        levels = np.concatenate(parts)
        largest, mean = float(levels.max()), float(levels.mean())
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


def table(comparisons: list[Comparison], title: str) -> list[list[str]]:
    """The comparisons as text: a head, and a line for each signature."""
    rows = [[n, f"{high:.3g}", f"{mean:.4f}"] for n, high, mean in comparisons]
    return [[title, "largest", "mean"], *rows]


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
            reason = assertion_in(lines) or lines[-1]
            raise InputError(
                f"the exported {name} model does not run ({reason[:500]}); nothing was "
                f"kept."
            )
        with np.load(got) as outputs:
            return dict(outputs), json.loads(done.stdout.strip().splitlines()[-1])

"""Exports as translators: SavedModels, and, without TensorFlow, ONNX and LiteRT files.

A model is found by what lies at a place:

exports/NAME/              the newest SavedModel in it, or else ONNX or LiteRT model
exports/NAME/2/            that SavedModel
exports/NAME/onnx/         the newest ONNX model in it; likewise litert/
exports/NAME/onnx/1/       that model
exports/NAME/onnx/1/a_to_b.onnx, or any other .onnx or .tflite file
"""

import contextlib
import dataclasses
import pathlib
from typing import NamedTuple

import numpy as np

from cyclegan_tf.common import checksums, files
from cyclegan_tf.common.console import quiet_start
from cyclegan_tf.common.errors import Damaged, InputError
from cyclegan_tf.config.sizes import Frame
from cyclegan_tf.data.arrays import UnreadableImage
from cyclegan_tf.data.domain import DIRECTIONS, DTYPES, Domain, Domains
from cyclegan_tf.inference.direction import Translator
from cyclegan_tf.inference.run_exported import RUNNERS
from cyclegan_tf.runs.directory import CONFIG

# Where a SavedModel keeps what is not of the model: checksums for `sha256sum -c`.
EXTRAS = "assets.extra"
SUMS = f"{EXTRAS}/{checksums.SUMS}"
# Of any export: the domains, whose ranges the model has within, frame, and dataset.
FORM = "form.json"
# What a folder with a model holds; with checksums also one that has lost a file.
MARKS = {
    "savedmodel": ("saved_model.pb", SUMS),
    "litert": ("*.tflite",),
    "onnx": ("*.onnx", checksums.SUMS),
}
REMEDY = "export it again"
SUFFIXES = {".onnx": "onnx", ".tflite": "litert"}


class Export(NamedTuple):
    """An exported model, found and not yet loaded."""

    form: str  # "savedmodel", "onnx" or "litert"
    place: pathlib.Path  # its folder, or its file

    @property
    def folder(self) -> pathlib.Path:
        """Where its files are."""
        return self.place if self.place.is_dir() else self.place.parent


def write_form(
    folder: pathlib.Path, domains: Domains, frame: Frame, dataset: str
) -> None:
    """Writes what a model does not say of itself beside its card.

    That is what its directions lead from and to, what it was trained to see, and on
    which dataset.
    """
    content = {name: dataclasses.asdict(x) for name, x in domains._asdict().items()}
    files.write_json(folder / FORM, content | {"frame": frame, "dataset": dataset})


def dataset_of(export: Export) -> str | None:
    """The name of the dataset that a model was trained on; None of older exports."""
    with contextlib.suppress(FileNotFoundError):
        return files.read_json(_form_path(export), REMEDY).get("dataset")
    return None


def _read_form(export):
    """Domains and frame of an export; None of older ones, and of files on their own."""
    path = _form_path(export)
    try:
        content = files.read_json(path, REMEDY)
        return Domains.read(content), Frame(*content["frame"])
    except FileNotFoundError:
        return None
    except (KeyError, TypeError, ValueError) as error:
        raise Damaged(f"{path} is damaged ({error}); {REMEDY}.") from None


def _form_path(export):
    return export.folder / (EXTRAS if export.form == "savedmodel" else "") / FORM


def find_export(path: pathlib.Path) -> Export | None:
    """The export at a place, see above; None where there is none, or a run."""
    if path.is_file():
        form = SUFFIXES.get(path.suffix.lower())
        return form and Export(form, path)
    if (path / CONFIG).is_file():  # a run may have exports in it, or checksums
        return None
    folders = [path, *_versions(path)]
    for name in ("onnx", "litert"):
        folders += _versions(path / name)
    for folder in folders:
        for form, marks in MARKS.items():
            if any(any(folder.glob(mark)) for mark in marks):
                return Export(form, folder)
    return None


def _versions(folder):
    """The folders of versions in a folder, the newest first."""
    found = [path for path in folder.glob("*") if path.name.isdecimal()]
    return sorted(found, key=lambda path: -int(path.name))


def open_export(export: Export, direction: str | None = None) -> dict[str, Translator]:
    """The translators of an export by direction: all, or the one that is asked for.

    A file of any other name than that of a direction is taken for `a_to_b`. Raises
    `InputError` if it is no model of ours, or lacks a package.
    """
    runner, form, translators = _runner(export), _read_form(export), {}
    for name in runner.names:
        known = name if name in DIRECTIONS or export.place.is_dir() else "a_to_b"
        if known in DIRECTIONS and direction in (None, known):
            translator = _translator(export, runner, name)
            translators[known] = _with_form(translator, known, form)
    return dict(sorted(translators.items()))


def check_export(export: Export) -> None:
    """Raises `InputError` where a file is not what the checksums beside it say."""
    name = SUMS if export.form == "savedmodel" else checksums.SUMS
    if export.form == "savedmodel" or (export.folder / name).exists():
        checksums.check_sums(export.folder, name, REMEDY)


def _with_form(translator, direction, form):
    """With the ranges and the frame that are known, if they are of this model."""
    if form is None:
        return translator
    domains, frame = form
    source, target = domains.of(direction)
    without_ranges = [Domain(x.channels, x.dtype) for x in (source, target)]
    if without_ranges != [translator.source, translator.target]:
        return translator
    return dataclasses.replace(translator, source=source, target=target, frame=frame)


def _runner(export):
    with quiet_start() if export.form == "savedmodel" else contextlib.nullcontext():
        try:
            return RUNNERS[export.form](export.place)
        except ImportError as error:
            need = f"needs {error.name}; install with pip install '.[export]'"
            raise InputError(f"{export.place} {need}.") from None
        except Exception as error:  # of any type, as files may be anything
            raise _unloadable(export, error) from None


def _unloadable(export, error):
    return InputError(f"{export.place} cannot be loaded ({_reason(error)}).")


def _translator(export, runner, name):
    try:
        forms = runner.forms(name)
    except Exception as error:  # files are loaded only now
        raise _unloadable(export, error) from None
    for shape, dtype in forms:
        if len(shape) != 4 or not shape[-1] or dtype not in DTYPES:
            raise InputError(
                f"{export.place} is no model of pictures as cyclegan export writes "
                f"them: {name} has {dtype} {shape}, expected (count, height, width, "
                f"channels)."
            )
    count, *size, _ = forms[0][0]

    def translate(images):
        at_once = count or len(images)
        calls = [images[i : i + at_once] for i in range(0, len(images), at_once)]
        try:
            return np.concatenate([runner.run(name, call) for call in calls])
        except Exception as error:  # of the library, of nearly any type
            raise UnreadableImage(_reason(error)) from None

    return Translator(
        *(Domain(shape[-1], dtype) for shape, dtype in forms),
        translate,
        tuple(size) if all(size) else None,
        _megabytes(export, runner, name),
    )


def _reason(error):
    """What a library says was wrong; of an assertion in the graph that."""
    if type(error).__name__ == "ResourceExhaustedError":
        return "too large for the memory; --tile, with a run, needs little"
    lines = str(error).splitlines() or [type(error).__name__]
    return assertion_in(lines) or lines[0]


def assertion_in(lines: list[str]) -> str | None:
    """What an assertion in a graph says, which is among the lines of its error."""
    return next((x for x in lines if x.startswith("assertion failed")), None)


def _megabytes(export, runner, name):
    """Of a direction's file, or its share of a SavedModel, which holds all."""
    place, share = export.place, 1
    found = [place] if place.is_file() else list(place.glob(f"{name}.*"))
    if not found:
        found = [path for path in place.rglob("*") if path.is_file()]
        share = len(set(DIRECTIONS).intersection(runner.names))
    return sum(path.stat().st_size for path in found) / share / 1e6

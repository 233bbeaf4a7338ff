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
import pathlib
import tempfile
from collections.abc import Iterator

import numpy as np
import tensorflow as tf

from cyclegan_tf.common import checksums, hub
from cyclegan_tf.common.console import say
from cyclegan_tf.common.errors import InputError
from cyclegan_tf.common.files import folder_written_aside, locked_folder
from cyclegan_tf.config import ExportConfig
from cyclegan_tf.data.domain import Domains
from cyclegan_tf.evaluation import comparison
from cyclegan_tf.evaluation.comparison import Figures
from cyclegan_tf.evaluation.evaluator import Evaluator
from cyclegan_tf.exporting import model_card, publishing, run_images, verify
from cyclegan_tf.exporting.formats import FORMATS, saved_model
from cyclegan_tf.inference.exported import EXTRAS, Export, open_export, write_form
from cyclegan_tf.runs.generators import Trained
from cyclegan_tf.runs.run_dir import RunDir

CPU_INFO = pathlib.Path("/proc/cpuinfo")
NUM_SCORED = 20  # images of each domain, in fewer bits and in 32


@dataclasses.dataclass(frozen=True)
class Exported:
    """One kept version of one format.

    Attributes:
        file_format: its name.
        domains: what its directions lead from and to.
        directory: of the version.
        extras: the folder in it with the model card.
        versions: of what it was verified with.
        comparisons: its signatures beside the Keras model.
        compared: in fewer than 32 bits, its figures beside those of float32.
    """

    file_format: str
    domains: Domains
    directory: pathlib.Path
    extras: pathlib.Path
    versions: dict[str, str]
    comparisons: list[verify.Comparison]
    compared: dict[str, Figures]

    @property
    def megabytes(self) -> float:
        """Of all its files."""
        files = [path for path in self.directory.rglob("*") if path.is_file()]
        return sum(path.stat().st_size for path in files) / 1e6


@dataclasses.dataclass(frozen=True)
class Subject:
    """What is exported, in whatever format.

    Attributes:
        run: that the generators are of.
        sized: the same, but for images of the size that the export is fixed to.
        trained: the generators, their step and weights.
        images: held out, `(count, height, width, channels)` by direction.
        cases: of `verify.make_cases`.
        calibration: for int8, training images by direction.
    """

    run: RunDir
    sized: RunDir
    trained: Trained
    images: dict[str, np.ndarray]
    cases: dict[str, tuple[np.ndarray, np.ndarray]]
    calibration: dict[str, np.ndarray] | None


def export(config: ExportConfig) -> Iterator[Exported]:
    """Writes and verifies every format that the config asks for.

    Raises:
        InputError: the run cannot be exported, or an export differs too much from the
            Keras model; nothing of that format is kept. Or it cannot be uploaded.
    """
    known = {form.name: form for form in FORMATS}
    formats = [known[name] for name in config.formats]
    if config.push:
        hub.make_repository(config.push)  # or fails now, before the work
    with hub.local_copy(config.run_dir) as path:
        subject, origin = _subject(RunDir.open(path), config)
        kept = []
        for form in formats:
            say(f"writing {form.name}, and verifying it on {origin}")
            kept.append(_export(form, subject, config))
            yield kept[-1]
        if config.push:
            say(f"uploading to {config.push}")
            folders = {
                _folder_in_repository(each): (each.directory, each.extras)
                for each in kept
            }
            url = publishing.publish(config.push, folders, subject.run, subject.trained)
            say(f"uploaded: {url}")


def _subject(run, config):
    """What is exported, and where its held-out images come from, in words."""
    trained = run.generators(config.checkpoint, config.weights)
    directions = list(trained.generators)
    sized = _at_size(run, config.size)
    images, origin = run_images.held_out_images(sized, directions)
    cases = verify.make_cases(
        images, trained.generators, run.domains, bool(config.size)
    )
    calibration = None
    if config.precision == "int8":
        calibration = run_images.calibration_images(sized, directions)
    return Subject(run, sized, trained, images, cases, calibration), origin


def _export(form, subject, config):
    """Writes, verifies and keeps one format."""
    output, domains = config.resolved_output, subject.run.domains
    with _next_version(output if form.is_served else output / form.name) as version:
        directory, aside = version
        # Write it, and see that it is what the Keras model is.
        form.write(
            subject.trained.generators, domains, aside, config, subject.calibration
        )
        comparisons, versions = verify.verify(
            form, aside, subject.cases, domains, config.precision
        )
        # In fewer bits: what it saves, and what it loses.
        compared = {}
        if config.precision != "float32":
            compared = _beside_float32(form, aside, subject, config)
        # What describes it: the card, its form, requests to warm up with, checksums.
        extras = aside / EXTRAS if form.is_served else aside
        extras.mkdir(exist_ok=True)
        about = {
            "precision": config.precision,
            "size": config.fixed_size,
            "versions": versions,
            "comparisons": comparisons,
            "beside_float32": compared,
            "beside_teacher": subject.run.about().get("compared"),
        }
        model_card.write_card(extras, form, subject.run, subject.trained, about)
        write_form(extras, domains, subject.run.options.frame)
        if form.is_served:
            requests = extras / saved_model.WARM_UP
            saved_model.write_warm_up(requests, output.name, domains, subject.images)
        sums = extras / checksums.SUMS
        checksums.write_sums(aside, str(sums.relative_to(aside)))
    if form.is_served and config.precision == "float32" and _has_amx():
        say(
            "this processor has AMX: --precision bfloat16 may be faster, which it "
            "measures beside float32"
        )
    kept = directory / extras.relative_to(aside)
    return Exported(
        form.name, domains, directory, kept, versions, comparisons, compared
    )


def _folder_in_repository(exported):
    is_served = exported.extras != exported.directory
    return f"{exported.file_format}/1" if is_served else exported.file_format


def _beside_float32(form, directory, subject, config):
    """The figures of an export in fewer bits, and of the same in float32."""
    run = subject.sized
    with tempfile.TemporaryDirectory() as scratch:
        float32 = dataclasses.replace(config, precision="float32")
        form.write(
            subject.trained.generators, run.domains, pathlib.Path(scratch), float32
        )
        models = {
            precision: open_export(Export(form.name, folder))
            for precision, folder in (
                ("float32", pathlib.Path(scratch)),
                (config.precision, directory),
            )
        }
        results = {}
        with contextlib.suppress(InputError):  # the images are gone
            images = run.images("test")
            if all(map(len, images.values())):
                evaluator = Evaluator(
                    *images.values(),
                    run.options.frame,
                    run.dataset.is_paired,
                    NUM_SCORED,
                )
                results = {
                    name: comparison.score_alone(evaluator, directions, run.domains)
                    for name, directions in models.items()
                }
        return comparison.compare(models, run.options.frame, results)


def _at_size(run, size):
    """The run, but for images of the size that an export is fixed to, if it is."""
    if size is None:
        return run
    options = dataclasses.replace(run.options, image_size=size, load_size=None)
    return dataclasses.replace(run, options=options)


def _has_amx():
    """Whether products in bfloat16 have units of their own, and no GPU is there."""
    if tf.config.list_physical_devices("GPU") or not CPU_INFO.exists():
        return False
    return "amx_bf16" in CPU_INFO.read_text()


@contextlib.contextmanager
def _next_version(folder):
    """The directory of a folder's next version, and the one aside to write it to."""
    waiting = f"waiting for another process that is exporting to {folder}"
    try:
        with locked_folder(folder, waiting):
            numbers = [int(p.name) for p in folder.iterdir() if p.name.isdecimal()]
            directory = folder / str(max(numbers, default=0) + 1)
            with folder_written_aside(directory) as aside:
                yield directory, aside
    except tf.errors.OpError as error:  # of a full disk, for instance
        reason = (error.message.splitlines() or [type(error).__name__])[0]
        raise InputError(f"{folder}: nothing was exported ({reason}).") from None


def report(exported: Exported) -> str:
    """What was kept, and how close it is, as lines of text."""
    versions = ", ".join(f"{name} {v}" for name, v in exported.versions.items())
    lines = [
        f"{exported.directory}  {exported.megabytes:.1f} MB, verified with {versions}",
        f"  {'difference in grey levels':25}{'largest':>12}{'mean':>10}",
    ]
    lines += [
        f"  {row.signature:25}{row.max_difference:12.3g}{row.mean_difference:10.4f}"
        for row in exported.comparisons
    ]
    if exported.compared:
        lines.append(comparison.aligned(comparison.table(exported.compared)))
    return "\n".join(lines)

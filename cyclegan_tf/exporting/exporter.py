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

import tensorflow as tf

from cyclegan_tf.common import checksums, hub
from cyclegan_tf.common.console import say
from cyclegan_tf.common.errors import InputError
from cyclegan_tf.common.files import folder_written_aside
from cyclegan_tf.common.kernels import processor_flags
from cyclegan_tf.common.locks import locked_folder
from cyclegan_tf.config import ExportConfig
from cyclegan_tf.evaluation import comparison
from cyclegan_tf.evaluation.evaluator import Evaluator
from cyclegan_tf.exporting import model_card, publishing, verify
from cyclegan_tf.exporting.formats import WRITERS
from cyclegan_tf.exporting.formats.saved_model import write_warm_up
from cyclegan_tf.exporting.subject import Exported, open_subject
from cyclegan_tf.inference.exported import (
    EXTRAS,
    Export,
    dataset_of,
    find_export,
    open_export,
    write_form,
)
from cyclegan_tf.runs.run_dir import RunDir

NUM_SCORED = 20  # images of each domain, in fewer bits and in 32


def export(config: ExportConfig) -> list[Exported]:
    """Writes and verifies every format that the config asks for.

    Raises `InputError` if the run cannot be exported, its default folder has versions
    of a run on another dataset, or an export differs too much from the Keras model, of
    whose format nothing is kept; or if it cannot be uploaded.
    """
    return list(export_each(config))


def export_each(config: ExportConfig) -> Iterator[Exported]:
    """One format after the other, as they are taken; see `export`."""
    if config.push:
        hub.make_repository(config.push)  # or fails now, before the work
    with hub.local_copy(config.run_dir) as path:
        run = RunDir.open(path)
        _require_own_folder(config, run.options.dataset_name)
        subject = open_subject(run, config)
        cases = verify.make_cases(subject, config)
        folders = {}
        for form in config.formats:
            say(f"writing {form.name}, and verifying it on {subject.origin}")
            exported = _export(form, subject, cases, config)
            folders[f"{form.name}/1" if form.is_served else form.name] = (
                exported.directory
            )
            yield exported
        if config.push:
            say(f"uploading to {config.push}")
            say(f"uploaded: {publishing.publish(config.push, folders, subject)}")


def _require_own_folder(config, dataset):
    """Refuses a default folder that a run of the same name on other images has."""
    output = config.resolved_output
    if config.output is None and (newest := find_export(output)):
        if (other := dataset_of(newest)) not in (None, dataset):
            raise InputError(
                f"{output} has versions of a run on {other}, and {config.run_dir} is "
                f"one on {dataset}; name a folder with --output."
            )


def _export(form, subject, cases, config):
    """Writes, verifies and keeps one format."""
    output, domains = config.resolved_output, subject.run.domains
    folder = output if form.is_served else output / form.name
    with _next_version(folder) as (directory, aside):
        # Write it, and see that it is what the Keras model is.
        generators = subject.trained.generators
        WRITERS[form.name](generators, domains, aside, config, subject.calibration)
        verified = verify.verify(form, aside, cases, domains, config.precision)
        # In fewer bits: what it saves, and what it loses.
        is_whole = config.precision == "float32"
        compared = {} if is_whole else _beside_float32(form, aside, subject, config)
        exported = Exported(form, domains, directory, *verified, compared)
        # What describes it: the card, its form, requests to warm up with, checksums.
        extras = aside / EXTRAS if form.is_served else aside
        extras.mkdir(exist_ok=True)
        model_card.write_card(extras, exported, subject, config)
        options = subject.run.options
        write_form(extras, domains, options.frame, options.dataset_name)
        if form.is_served:
            write_warm_up(extras, output.name, domains, subject.images)
        sums = extras / checksums.SUMS
        checksums.write_sums(aside, str(sums.relative_to(aside)))
    if form.is_served and is_whole and _has_amx():
        say(
            "this processor has AMX: --precision bfloat16 may be faster, which it "
            "measures beside float32"
        )
    return exported


def _beside_float32(form, directory, subject, config):
    """The figures of an export in fewer bits, and of the same in float32."""
    run = subject.run
    with tempfile.TemporaryDirectory() as name:
        scratch = pathlib.Path(name)
        float32 = dataclasses.replace(config, precision="float32")
        WRITERS[form.name](subject.trained.generators, run.domains, scratch, float32)
        folders = {"float32": scratch, config.precision: directory}
        models = {
            precision: open_export(Export(form.name, folder))
            for precision, folder in folders.items()
        }
        frame, results = subject.frame, {}
        with contextlib.suppress(InputError):  # the images are gone
            images = [x.first(NUM_SCORED) for x in run.images("test").values()]
            if all(map(len, images)):
                evaluator = Evaluator(*images, frame, run.dataset.is_paired)
                results = {
                    name: comparison.score_alone(evaluator, directions, name)
                    for name, directions in models.items()
                }
        return comparison.compare(models, frame, results)


def _has_amx():
    """Whether products in bfloat16 have units of their own, and no GPU is there."""
    has_gpu = bool(tf.config.list_physical_devices("GPU"))
    return not has_gpu and "amx_bf16" in processor_flags()


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
    files = [path for path in exported.directory.rglob("*") if path.is_file()]
    megabytes = sum(path.stat().st_size for path in files) / 1e6
    differences = verify.table(exported.comparisons, "difference in grey levels")
    lines = [
        f"{exported.directory}  {megabytes:.1f} MB, verified with "
        f"{exported.verified_with}",
        comparison.aligned(differences),
    ]
    if exported.compared:
        lines.append(comparison.aligned(comparison.table(exported.compared)))
    return "\n".join(lines)

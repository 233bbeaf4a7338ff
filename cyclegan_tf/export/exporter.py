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
from collections.abc import Iterator

import tensorflow as tf

from cyclegan_tf.common import checksums
from cyclegan_tf.common.console import say
from cyclegan_tf.common.errors import InputError
from cyclegan_tf.common.files import folder_written_aside, locked_folder
from cyclegan_tf.config import ExportConfig
from cyclegan_tf.export import model_card, portable, saved_model, verify
from cyclegan_tf.inference.pixels import translate_all
from cyclegan_tf.model.networks import with_dtype
from cyclegan_tf.runs.directory import read_config, require_own_models
from cyclegan_tf.runs.generators import load

# Where the versions of a format live, below the output directory.
FOLDERS = {"savedmodel": ".", "onnx": "onnx", "litert": "litert"}


def export(config: ExportConfig) -> Iterator[verify.Exported]:
    """Writes and verifies every format that the config asks for.

    Raises:
        InputError: the run cannot be exported, a library is missing, or an export
            differs too much from the Keras model; nothing of that format is kept.
    """
    run_dir = pathlib.Path(config.run_dir).expanduser()
    for file_format in config.formats:
        portable.require_libraries(file_format)
    generators, step = load(run_dir, config.checkpoint)
    require_own_models(run_dir)
    run_config, _ = read_config(run_dir)
    held_out = verify.held_out_images(run_config, generators)
    expected = {
        name: translate_all(generators[name.split("/")[0]], images)
        for name, images in verify.variants(held_out).items()
    }
    for file_format in config.formats:
        say(f"writing {file_format}, and verifying it on {held_out.origin}")
        folder = config.resolved_output / FOLDERS[file_format]
        # Each has a number of its own, and finds what a killed one has left.
        waiting = f"waiting for another process that is exporting to {folder}"
        with _failed_writes(folder), locked_folder(folder, waiting):
            directory = _next_version(folder)
            with folder_written_aside(directory) as aside:
                _write(file_format, generators, aside, config)
                exported = verify.verify(
                    file_format, aside, held_out, expected, config.precision
                )
                model_card.write(
                    aside, file_format, run_dir, run_config, config, exported, step
                )
                if file_format == "savedmodel":
                    name = config.resolved_output.name
                    saved_model.write_warmup(aside, name, held_out.images)
                checksums.write_sums(aside, _sums_of(file_format))
        yield dataclasses.replace(exported, directory=directory)


@contextlib.contextmanager
def _failed_writes(folder):
    """Names the folder where TensorFlow cannot write; it has errors of its own."""
    try:
        yield
    except tf.errors.OpError as error:
        reason = (error.message.splitlines() or [type(error).__name__])[0]
        raise InputError(f"{folder}: nothing was exported ({reason}).") from None


def _write(file_format, generators, directory, config):
    if file_format == "savedmodel":
        converted = {
            direction: with_dtype(generator, config.precision)
            for direction, generator in generators.items()
        }
        saved_model.write_saved_model(converted, directory, config.max_pixels)
    elif file_format == "onnx":
        portable.write_onnx(generators, directory, config.precision)
    else:
        portable.write_litert(generators, directory, config.precision)


def _next_version(folder):
    numbers = [int(p.name) for p in folder.iterdir() if p.name.isdecimal()]
    return folder / str(max(numbers, default=0) + 1)


def _sums_of(file_format):
    # In a SavedModel's folder, other programs expect extras in one place.
    return saved_model.SUMS if file_format == "savedmodel" else checksums.SUMS


def report(exported: verify.Exported) -> str:
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

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
import os
import pathlib
import shutil
import tempfile
from collections.abc import Iterator

from cyclegan_tf import model_card, portable, serving, verification
from cyclegan_tf.config import ExportConfig
from cyclegan_tf.files import PARTIAL, sync
from cyclegan_tf.generators import load_generators
from cyclegan_tf.networks import with_dtype
from cyclegan_tf.progress import say
from cyclegan_tf.run_directory import read_config
from cyclegan_tf.translation import translate

# Where the versions of a format live, below the output directory.
FOLDERS = {"savedmodel": ".", "onnx": "onnx", "litert": "litert"}


def export(config: ExportConfig) -> Iterator[verification.Exported]:
    """Writes and verifies every format that the config asks for.

    Raises:
        InputError: the run cannot be exported, a library is missing, or an export
            differs too much from the Keras model; nothing of that format is kept.
    """
    run_dir = pathlib.Path(config.run_dir).expanduser()
    for file_format in config.formats:
        portable.require_libraries(file_format)
    generators = load_generators(run_dir, config.checkpoint)
    run_config, _ = read_config(run_dir)
    held_out = verification.held_out_images(run_config, generators)
    expected = {
        name: translate(generators[name.split("/")[0]], images)
        for name, images in verification.variants(held_out).items()
    }
    for file_format in config.formats:
        say(f"writing {file_format}, and verifying it on {held_out.origin}")
        folder = config.resolved_output / FOLDERS[file_format]
        with _aside(folder) as partial:
            _write(file_format, generators, partial, config)
            exported = verification.verify(
                file_format, partial, held_out, expected, config.precision
            )
            model_card.write(
                partial, file_format, run_dir, run_config, config, exported
            )
            if file_format == "savedmodel":
                name = config.resolved_output.name
                serving.write_warmup(partial, name, held_out.images)
            directory = _publish(partial, folder)
        yield dataclasses.replace(exported, directory=directory)


def _write(file_format, generators, directory, config):
    if file_format == "savedmodel":
        converted = {
            direction: with_dtype(generator, config.precision)
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
        numbers = [int(p.name) for p in folder.iterdir() if p.name.isdecimal()]
        target = folder / str(max(numbers, default=0) + 1)
        try:
            os.rename(partial, target)  # fails where there is something already
        except OSError:
            if not target.exists():
                raise
            continue
        sync(folder)
        return target


def report(exported: verification.Exported) -> str:
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

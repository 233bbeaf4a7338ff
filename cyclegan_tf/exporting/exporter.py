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
import importlib.util
import pathlib
from collections.abc import Iterator

import tensorflow as tf

from cyclegan_tf.common import checksums, hub
from cyclegan_tf.common.console import say
from cyclegan_tf.common.errors import InputError
from cyclegan_tf.common.files import folder_written_aside, locked_folder
from cyclegan_tf.config import ExportConfig
from cyclegan_tf.data.domain import Domains
from cyclegan_tf.exporting import beside_float32, model_card, publishing, verify
from cyclegan_tf.exporting.formats import FORMATS, saved_model
from cyclegan_tf.exporting.formats.format import INT8
from cyclegan_tf.inference.exported import EXTRAS
from cyclegan_tf.runs.run_dir import RunDir

CPU_INFO = pathlib.Path("/proc/cpuinfo")


@dataclasses.dataclass(frozen=True)
class Exported:
    """One kept version of one format, and the versions of what it was verified with.

    In fewer than 32 bits `rows` are its figures beside those of float32.
    """

    file_format: str
    domains: Domains
    directory: pathlib.Path
    megabytes: float
    versions: dict[str, str]
    comparisons: list[verify.Comparison]
    rows: list[beside_float32.Row]


def export(config: ExportConfig) -> Iterator[Exported]:
    """Writes and verifies every format that the config asks for.

    Raises:
        InputError: a format is unknown or lacks a library, the run cannot be exported,
            or an export differs too much from the Keras model; nothing of that format
            is kept. Or it cannot be uploaded.
    """
    formats = _chosen_formats(config)
    if config.push:
        hub.make_repository(config.push)  # or fails now, before the work
    with hub.local_copy(config.run_dir) as path:
        yield from _export(config, RunDir.open(path), formats)


def _export(config, run, formats):
    """Writes the formats of an opened run; yields what `export` does."""
    published = {}
    generators, step, weights = run.generators(config.checkpoint, config.weights)
    domains = run.domains
    sized = _at_size(run, config.size)
    images, origin = verify.held_out_images(sized, list(generators))
    cases = verify.make_cases(images, generators, domains, bool(config.size))
    calibration = None
    if config.precision == "int8":
        calibration = beside_float32.calibration_images(sized, list(generators))
    for form in formats:
        say(f"writing {form.name}, and verifying it on {origin}")
        output = config.resolved_output
        folder = output if form.is_served else output / form.name
        with _next_version(folder) as (directory, aside):
            form.write(generators, domains, aside, config, calibration)
            comparisons, versions = verify.verify(
                form, aside, cases, domains, config.precision
            )
            rows = []
            if config.precision != "float32":
                rows = beside_float32.compare(
                    form, aside, generators, config, sized, images
                )
            extras = aside / EXTRAS if form.is_served else aside
            extras.mkdir(exist_ok=True)
            about = {
                "precision": config.precision,
                "size": config.fixed_size,
                "step": step,
                "weights": weights,
                "versions": versions,
                "rows": rows,
                "compared": run.about().get("compared"),
            }
            model_card.write(extras, form, run, comparisons, about)
            if form.is_served:
                requests = extras / saved_model.WARM_UP
                saved_model.write_warm_up(requests, output.name, domains, images)
            sums = extras / checksums.SUMS
            checksums.write_sums(aside, str(sums.relative_to(aside)))
            sizes = [p.stat().st_size for p in aside.rglob("*") if p.is_file()]
        if form.is_served and config.precision == "float32" and _has_amx():
            say(
                "this processor has AMX: --precision bfloat16 may be faster, which it "
                "measures beside float32"
            )
        megabytes = sum(sizes) / 1e6
        kept = directory / extras.relative_to(aside)
        published[f"{form.name}/1" if form.is_served else form.name] = directory, kept
        yield Exported(
            form.name, domains, directory, megabytes, versions, comparisons, rows
        )
    if config.push:
        say(f"uploading to {config.push}")
        model = generators, run, step, weights
        url = publishing.publish(config.push, published, *model)
        say(f"uploaded: {url}")


def _at_size(run, size):
    """The run, but for images of the size that an export is fixed to, if it is."""
    if size is None:
        return run
    options = dataclasses.replace(run.options, image_size=size, load_size=None)
    return dataclasses.replace(run, recorded=run.recorded._replace(options=options))


def _has_amx():
    """Whether products in bfloat16 have units of their own, and no GPU is there."""
    if tf.config.list_physical_devices("GPU") or not CPU_INFO.exists():
        return False
    return "amx_bf16" in CPU_INFO.read_text()


def _chosen_formats(config):
    known = {form.name: form for form in FORMATS}
    for name in config.formats:
        if name not in known:
            raise InputError(f"--format takes {', '.join(known)}, got {name!r}.")
        form = known[name]
        if config.size and form.is_served:
            raise InputError(
                f"--size is for onnx and litert; --format {name} takes any size."
            )
        if config.precision in INT8 and form.is_served:
            raise InputError(
                f"--precision {config.precision} is not for --format {name}: int8 is "
                f"for onnx and litert."
            )
        if config.precision not in form.precisions:
            raise InputError(
                f"--precision {config.precision} is not for --format {name}; take "
                f"{' or '.join(form.precisions)}."
            )
        for package in form.packages:
            if importlib.util.find_spec(package) is None:
                raise InputError(
                    f"--format {name} needs {package}; install with "
                    f"pip install '.[export]'."
                )
    return [known[name] for name in config.formats]


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
    if exported.rows:
        lines += _columns(beside_float32.table(exported.rows))
    return "\n".join(lines)


def _columns(table):
    """A table's rows as lines, the first column to the left."""
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    for first, *others in table:
        cells = map(str.rjust, others, widths[1:])
        yield "  ".join(["", first.ljust(widths[0]), *cells]).rstrip()

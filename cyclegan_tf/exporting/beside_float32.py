"""What an export in fewer bits gives and costs: the same in float32 beside it."""

import dataclasses
import pathlib
import statistics
import tempfile
import time
from typing import NamedTuple

import keras
import numpy as np

from cyclegan_tf.common.errors import InputError
from cyclegan_tf.config import ExportConfig
from cyclegan_tf.data.pipeline import load_images
from cyclegan_tf.data.ranges import to_unit_range, to_values
from cyclegan_tf.evaluation.evaluator import Evaluator
from cyclegan_tf.evaluation.results import score_text
from cyclegan_tf.exporting.formats.format import Format
from cyclegan_tf.inference import run_exported
from cyclegan_tf.runs.run_dir import RunDir

NUM_CALIBRATION = 32
NUM_SCORED = 20
NUM_TIMED = 9


class Row(NamedTuple):
    """One direction in one precision.

    Attributes:
        precision: of the export.
        direction: "a_to_b" or "b_to_a".
        megabytes: of its file, or of the SavedModel of all directions; 10^6 bytes.
        milliseconds: for one image of the run's size, the median of some calls.
        scores: of the run's evaluator on some test images; empty where there are none.
    """

    precision: str
    direction: str
    megabytes: float
    milliseconds: float
    scores: dict[str, float]


def calibration_images(run: RunDir, directions: list[str]) -> dict[str, np.ndarray]:
    """Training images `(count, height, width, channels)` by direction.

    Raises:
        InputError: the images are gone.
    """
    try:
        splits = run.images("train")
        return {
            direction: load_images(
                splits[direction[0]], run.options.frame, NUM_CALIBRATION
            )
            for direction in directions
        }
    except InputError as error:
        raise InputError(
            f"--precision int8 is calibrated on training images of the run: {error}"
        ) from None


def compare(
    form: Format,
    directory: pathlib.Path,
    generators: dict[str, keras.Model],
    config: ExportConfig,
    run: RunDir,
    images: dict[str, np.ndarray],
) -> list[Row]:
    """Writes a format in float32, too, and measures both.

    Args:
        form: of the export.
        directory: what was written of it, in `config.precision`.
        generators: by direction.
        config: of the export.
        run: its images are scored.
        images: by direction; the first is translated again and again.
    """
    with tempfile.TemporaryDirectory() as scratch:
        float32 = pathlib.Path(scratch)
        form.write(
            generators,
            run.domains,
            float32,
            dataclasses.replace(config, precision="float32"),
        )
        folders = {"float32": float32, config.precision: directory}
        load = run_exported.RUNNERS[form.name]
        models = {precision: load(path).run for precision, path in folders.items()}
        times = {
            direction: _milliseconds(models, direction, some[:1])
            for direction, some in images.items()
        }
        scores = {
            precision: _scores(model, generators, run)
            for precision, model in models.items()
        }
        return [
            Row(
                precision,
                direction,
                _megabytes(path, direction),
                times[direction][precision],
                scores[precision].get(direction, {}),
            )
            for direction in generators
            for precision, path in folders.items()
        ]


def table(rows: list[Row]) -> list[list[str]]:
    """The figures as text: a head, and a line for each, the precisions in columns."""
    columns = [f"{row.direction} {row.precision}" for row in rows]
    lines = [
        ["", *columns],
        ["megabytes", *(f"{row.megabytes:.2f}" for row in rows)],
        ["milliseconds", *(f"{row.milliseconds:.1f}" for row in rows)],
    ]
    for name in dict.fromkeys(name for row in rows for name in row.scores):
        lines.append([name, *(score_text(row.scores.get(name)) for row in rows)])
    return lines


def _megabytes(folder, direction):
    files = list(folder.glob(f"{direction}.*")) or folder.rglob("*")
    return sum(path.stat().st_size for path in files if path.is_file()) / 1e6


def _milliseconds(models, direction, image):
    """The medians by precision, in turn: a slow moment of the machine meets each."""
    times = {precision: [] for precision in models}
    for turn in range(NUM_TIMED + 1):
        for precision, model in models.items():
            start = time.perf_counter()
            model(direction, image)
            if turn:  # the first call plans and allocates
                times[precision].append(1000 * (time.perf_counter() - start))
    return {precision: statistics.median(values) for precision, values in times.items()}


def _scores(model, directions, run):
    """Scores by direction of an exported model on some test images of the run."""
    try:
        splits = run.images("test").values()
    except InputError:
        return {}
    if not all(map(len, splits)):
        return {}
    paired = run.dataset.is_paired
    evaluator = Evaluator(*splits, run.options.frame, paired, NUM_SCORED)
    results = evaluator.evaluate(
        {name: _as_generator(model, name, run.domains) for name in directions}
    )
    return {result.direction: result.scores for result in results}


def _as_generator(model, direction, domains):
    """An exported model as the function in [-1, 1] that evaluators take."""
    source, target = domains.of(direction)

    def call(floats, training):
        # One by one: a SavedModel may take few pixels at once.
        images = np.split(to_values(floats, source).numpy(), len(floats))
        translated = np.concatenate([model(direction, image) for image in images])
        return to_unit_range(translated, target)

    return call

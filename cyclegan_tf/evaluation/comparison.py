"""Runs and exports, students and teachers, beside each other: costs and scores."""

import dataclasses
import statistics
import time

import numpy as np

from cyclegan_tf.common.errors import InputError
from cyclegan_tf.config.sizes import Frame
from cyclegan_tf.data.arrays import UnreadableImage
from cyclegan_tf.data.ranges import to_unit_range, to_values
from cyclegan_tf.evaluation.evaluator import Evaluator
from cyclegan_tf.evaluation.results import DirectionScores, flat_scores, score_text
from cyclegan_tf.inference.direction import Translator
from cyclegan_tf.model.cost import multiply_adds

NUM_TIMED = 9
# How the figures of a model that are no scores are told.
COSTS = {"megabytes": "{:,.2f}", "milliseconds": "{:,.1f}", "multiply_adds": "{:,}"}
NOTHING = "nothing"  # the name of untranslated images among models


@dataclasses.dataclass(frozen=True)
class Figures:
    """One model of several: what it costs, and how good it is."""

    # Of its weights or files, for all its directions; 10^6 bytes.
    megabytes: float | None = None
    # For one image in the first direction, the median of some calls.
    milliseconds: float | None = None
    # For the same image; not known of an export.
    multiply_adds: int | None = None
    # By name and direction, such as `swd_a_to_b`.
    scores: dict[str, float] = dataclasses.field(default_factory=dict)


def compare(
    models: dict[str, dict[str, Translator]],
    frame: Frame,
    results: dict[str, list[DirectionScores]],
) -> dict[str, Figures]:
    """Measures models, translators by direction, on this machine, beside their scores.

    The image that is translated again and again has the size of `frame`. In `results`
    are scores by the same names; of none, none.
    """
    milliseconds = _milliseconds(models, frame)
    compared = {}
    for name, directions in models.items():
        generator = next(iter(directions.values())).generator
        scores = flat_scores(results.get(name, []))
        compared[name] = Figures(
            sum(translator.megabytes for translator in directions.values()),
            round(milliseconds[name], 2),
            generator and multiply_adds(generator, frame.height, frame.width),
            {score: float(f"{value:.5g}") for score, value in scores.items()},
        )
    return compared


def score_alone(
    evaluator: Evaluator, directions: dict[str, Translator], name: str
) -> list[DirectionScores]:
    """Scores a model, of which the pixels that it makes are all that is known.

    Raises `InputError`, with its name, if it is of other images, or does not take their
    size.
    """
    generators = {}
    for direction, translator in directions.items():
        domains = evaluator.domains.of(direction)
        forms = (translator.source, translator.target), domains
        for has, wanted in zip(*forms, strict=True):
            if (has.channels, has.dtype) != (wanted.channels, wanted.dtype):
                raise InputError(
                    f"{name} is a model of {has}, and cannot be scored on {wanted}; "
                    f"leave it out, or name images of its kind with --dataset."
                )
        generators[direction] = _as_generator(translator, *domains)
    try:
        return evaluator.evaluate(generators)
    except UnreadableImage as error:
        raise InputError(
            f"{name}: the images cannot be translated: {error}; --dataset with "
            f"--image-size scores on others."
        ) from None


def table(compared: dict[str, Figures]) -> list[list[str]]:
    """The figures as text: a head, and a line for each; of two models their ratio.

    `NOTHING`, where it is among them, comes first and has no part in that.
    """
    figures, start = list(compared.values()), int(NOTHING in compared)
    rows = {name: [getattr(each, name) for each in figures] for name in COSTS}
    for name in dict.fromkeys(name for each in figures[start:] for name in each.scores):
        rows[name] = [each.scores.get(name) for each in figures]
    lines = [["", *compared, "ratio"]]
    for name, values in rows.items():
        show = COSTS[name].format if name in COSTS else score_text
        cells = ["" if value is None else show(value) for value in values]
        lines.append([name, *cells, _ratio(values[start:])])
    # What nobody knows is left out: a cost, the ratio of one or three.
    columns = [column for column in zip(*lines, strict=True) if any(column[1:])]
    return [list(line) for line in zip(*columns, strict=True) if any(line[1:])]


def aligned(lines: list[list[str]]) -> str:
    """A table as lines of text, the first column to the left."""
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    rows = []
    for first, *others in lines:
        cells = map(str.rjust, others, widths[1:])
        rows.append("  ".join(["", first.ljust(widths[0]), *cells]).rstrip())
    return "\n".join(rows)


def _ratio(values):
    if len(values) != 2 or not values[0] or values[1] is None:
        return ""
    return f"{values[1] / values[0]:.3f}"


def _milliseconds(models, frame):
    """Medians by model, measured in turn: a slow moment of the machine meets each."""
    times = {name: [] for name in models}
    for turn in range(NUM_TIMED + 1):
        for name, directions in models.items():
            translate = next(iter(directions.values()))
            shape = *(translate.size or frame[:2]), translate.source.channels
            noise = np.random.default_rng(0).uniform(0, 255, shape)
            image = noise.astype(translate.source.dtype)
            start = time.perf_counter()
            translate(image)
            if turn:  # the first call plans and allocates
                times[name].append(1000 * (time.perf_counter() - start))
    return {name: statistics.median(values) for name, values in times.items()}


def _as_generator(translate, source, target):
    """A translator as the function in [-1, 1] that evaluators take."""
    if translate.generator and (translate.source, translate.target) == (source, target):
        return translate.generator

    def generator(floats, training):
        translated = list(translate.each(to_values(floats, source).numpy()))
        for each in translated:
            if isinstance(each, UnreadableImage):
                raise each
        return to_unit_range(np.stack(translated), target)

    return generator

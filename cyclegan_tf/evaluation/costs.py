"""What two pairs of generators cost and are worth, beside each other."""

import statistics
import time

import keras
import tensorflow as tf

from cyclegan_tf.evaluation.results import DirectionScores, flat_scores
from cyclegan_tf.model.cost import multiply_adds

NUM_TIMED = 21


def costs(pair: dict[str, keras.Model], frame, results: list[DirectionScores]) -> dict:
    """What a pair of generators costs, and what it is worth.

    Args:
        pair: generators by direction; what is told of the cost is of the first.
        frame: height and width of an image come first.
        results: the scores of both.

    Returns:
        "multiply_adds" and "parameters" as int; "milliseconds", the median time of an
        image on this machine; "scores" by name and direction.
    """
    generator = next(iter(pair.values()))
    return {
        "multiply_adds": multiply_adds(generator, *frame[:2]),
        "parameters": generator.count_params(),
        "milliseconds": _milliseconds(generator, frame),
        "scores": {name: float(f"{v:.5g}") for name, v in flat_scores(results).items()},
    }


def _milliseconds(generator, frame):
    image = tf.zeros((1, *frame[:2], generator.input_shape[-1]))
    translate = tf.function(lambda images: generator(images, training=False))
    times = []
    for _ in range(NUM_TIMED):
        start = time.perf_counter()
        translate(image).numpy()
        times.append(time.perf_counter() - start)
    return round(1000 * statistics.median(times), 2)


def cost_table(teacher: dict, student: dict) -> str:
    """Both costs side by side, as text; what is less is less than one."""
    flat = [of | of["scores"] for of in (teacher, student)]
    names = [name for name in flat[0] if name != "scores" and name in flat[1]]
    lines = [f"  {'':28}{'teacher':>14}{'student':>14}{'ratio':>8}"]
    for name in names:
        before, after = (of[name] for of in flat)
        ratio = f"{after / before:8.3f}" if before else ""
        lines.append(f"  {name:28}{before:14,.10g}{after:14,.10g}{ratio}")
    return "\n".join(lines)

"""Which form of a model translates fastest on this machine, and how far from its floor?

    pip install '.[export]'
    python benchmarks/latency.py
    python benchmarks/latency.py --run-dirs runs/teacher runs/student --sides 256

The a_to_b generators of one or more runs, or of a random one and its students, written
as `export` does: every format in every precision that it has, beside `cyclegan_tf.load`
of the run and Keras' `predict`.
All take turns, so that a slow moment of the machine meets each. One JSON line for each
of them, size and batch: milliseconds per call, median and quartiles of the rounds.

At the end the same as a table in Markdown, with the multiply-adds of the convolutions
for one picture, and the floor: the time that as much arithmetic takes as a product of
square matrices, which took turns with the others.
"""

import dataclasses
import functools
import pathlib
import tempfile
import time
from collections import defaultdict
from typing import NamedTuple

import numpy as np
from common import field, quartiles, quiet_start, report, script

from cyclegan_tf.config.distill import SHARES

DIRECTION = "a_to_b"
MATRIX_SIDE = 2048
FLOOR = "matrix product"


@dataclasses.dataclass(frozen=True)
class Options:
    """What to measure."""

    run_dirs: list[str] = field(
        default_factory=list,
        help="runs to measure; default: random weights, and the students of these",
    )
    filters: int = field(64, help="of the network with random weights")
    residual_blocks: int = field(9, help="likewise")
    precisions: list[str] = field(
        default_factory=lambda: ["float32", "bfloat16", "int8"],
        help="of the exports, each of the formats that have it",
    )
    sides: list[int] = field(
        default_factory=lambda: [256, 512], help="of the pictures, in pixels"
    )
    batch_sizes: list[int] = field(default_factory=lambda: [1, 8], help="of a call")
    rounds: int = field(5, help="of which the median is taken")


class Contender(NamedTuple):
    """What is timed: a function of images, of a run in one form and precision."""

    run: str
    form: str
    precision: str
    function: object


def main(options):
    """Writes every form of all runs, and times them in turn."""
    with quiet_start():
        from cyclegan_tf.model.cost import multiply_adds
        from cyclegan_tf.runs.generators import load_generators
    with tempfile.TemporaryDirectory() as name:
        scratch = pathlib.Path(name)
        runs = [pathlib.Path(run).expanduser() for run in options.run_dirs]
        runs = runs or [
            random_run(scratch / "paper", options),
            *(
                random_run(scratch / name, options, round(share * options.filters))
                for name, share in SHARES.items()
            ),
        ]
        contenders, costs = [], {}
        for i, run in enumerate(runs):
            generator = load_generators(run)[DIRECTION]
            folder = scratch / f"exports-{i}"
            contenders += exported(run, generator, folder, options.precisions)
            contenders += of_run(run, generator)
            for side in options.sides:
                costs[run.name, side] = multiply_adds(generator, side, side)
        contenders += [
            Contender("", FLOOR, precision, product)
            for precision in dict.fromkeys(x.precision for x in contenders)
            if (product := matrix_product(precision))
        ]
        domain = source_domain(runs)
        measured = {}
        for side in options.sides:
            for batch_size in options.batch_sizes:
                images = random_images(domain, batch_size, side)
                times = take_turns(contenders, images, options.rounds)
                measured[side, batch_size] = times
                for key, figures in times.items():
                    about = dict(zip(("run", "form", "precision"), key, strict=True))
                    low, median, high = figures
                    place = {"side": side, "batch": batch_size}
                    report(**about, **place, ms=median, quartiles=[low, high])
    print("\n" + table(measured, costs))


# What is timed.


def random_run(run_dir, options, student_filters=None):
    """A run of a generator with random weights, as far as an export needs it."""
    from cyclegan_tf.config import TrainConfig
    from cyclegan_tf.data.domain import Domains
    from cyclegan_tf.runs import directory, generators

    config = TrainConfig(
        filters=options.filters,
        residual_blocks=options.residual_blocks,
        generator="mobile" if student_filters else "resnet",
        generator_filters=student_filters,
        image_size=64,
        data_dir=str(run_dir),
    )
    directory.write_config(run_dir, directory.Recorded(config, None))
    generator = generators.new_generator(config, Domains(), DIRECTION)
    generators.save_generators(run_dir, {DIRECTION: generator}, {"step": 0})
    return run_dir


def exported(run_dir, generator, output, precisions):
    """Every format and precision, written as `export` does, and not verified."""
    from cyclegan_tf.config import ExportConfig
    from cyclegan_tf.exporting.formats import FORMATS
    from cyclegan_tf.inference.run_exported import RUNNERS
    from cyclegan_tf.runs.directory import read_config

    domains, contenders = read_config(run_dir).domains, []
    # Which images int8 is calibrated on changes no time.
    images = {DIRECTION: random_images(domains.of(DIRECTION)[0], 8, 64)}
    for form in FORMATS:
        for precision in precisions:
            if precision in form.precisions:
                config = ExportConfig(precision=precision, max_megapixels=1000)
                folder = output / form.name / precision
                folder.mkdir(parents=True)
                form.write({DIRECTION: generator}, domains, folder, config, images)
                run = RUNNERS[form.name](folder).run
                function = functools.partial(run, DIRECTION)
                contenders.append(
                    Contender(run_dir.name, form.name, precision, function)
                )
    return contenders


def of_run(run_dir, generator):
    """The run itself: compiled by `cyclegan_tf.load`, and by Keras' `predict`."""
    from cyclegan_tf.data.ranges import to_unit_range, to_values
    from cyclegan_tf.inference import translator
    from cyclegan_tf.runs.directory import read_config

    source, target = read_config(run_dir).domains.of(DIRECTION)

    def predict(images):
        floats = to_unit_range(images, source)
        fakes = generator.predict(floats, batch_size=len(images), verbose=0)
        return to_values(fakes, target).numpy()

    return [
        Contender(run_dir.name, "load", "float32", translator.load(run_dir)),
        Contender(run_dir.name, "predict", "float32", predict),
    ]


def matrix_product(precision):
    """One product of square matrices; None where there is none of that precision."""
    import tensorflow as tf

    if precision not in ("float32", "bfloat16", "float16"):
        return None
    shape = (MATRIX_SIDE, MATRIX_SIDE)
    matrix = tf.cast(tf.random.stateless_normal(shape, (0, 0)), precision)
    product = tf.function(lambda: tf.matmul(matrix, matrix)[0, 0])
    return lambda images: product().numpy()


# How it is timed.


def source_domain(runs):
    """The form of the images that all runs take."""
    from cyclegan_tf.common.errors import InputError
    from cyclegan_tf.runs.directory import read_config

    domains = {read_config(run).domains.of(DIRECTION)[0] for run in runs}
    if len(domains) > 1:
        raise InputError("--run-dirs takes runs on images of one type and range.")
    return domains.pop()


def random_images(domain, count, side):
    """Noise `(count, side, side, channels)` of a domain."""
    shape = (count, side, side, domain.channels)
    values = np.random.default_rng(0).uniform(domain.low, domain.high, shape)
    return values.astype(domain.dtype)


def take_turns(contenders, images, rounds):
    """Quartiles of milliseconds per call, by run, form and precision."""
    milliseconds = defaultdict(list)
    for turn in range(rounds + 1):
        for *key, function in contenders:
            start = time.perf_counter()
            function(images)
            elapsed = 1000 * (time.perf_counter() - start)
            if turn:  # the first call traces, plans and allocates
                milliseconds[tuple(key)].append(elapsed)
    return {key: quartiles(values, 1) for key, values in milliseconds.items()}


def table(measured, costs):
    """Medians and quartiles in Markdown, a column for each size and batch."""
    heads = [f"{side} px, batch {batch}" for side, batch in measured]
    lines = [["run", "form", "precision", *heads], ["-"] * (3 + len(heads))]
    keys = [key for key in next(iter(measured.values())) if key[1] != FLOOR]
    for run in dict.fromkeys(run for run, *_ in keys):
        counts = [costs[run, side] / 1e9 for side, _ in measured]
        lines.append([run, "10⁹ multiply-adds", "", *(f"{n:.3g}" for n in counts)])
        floors = [key for key in next(iter(measured.values())) if key[1] == FLOOR]
        for floor in floors:
            cells = []
            for (side, batch), times in measured.items():
                share = batch * costs[run, side] / MATRIX_SIDE**3
                cells.append(f"{times[floor][1] * share:.1f}")
            lines.append([run, "floor", floor[2], *cells])
        for key in (key for key in keys if key[0] == run):
            quarters = [times[key] for times in measured.values()]
            cells = [f"{mid} ({low}-{high})" for low, mid, high in quarters]
            lines.append([*key, *cells])
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


if __name__ == "__main__":
    script(main, Options, __doc__)

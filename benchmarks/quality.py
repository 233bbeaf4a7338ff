"""Which options make better pictures of the same steps, and what do they cost?

    pip install -e ".[reference]"    # PyTorch: a contestant, and features
    python benchmarks/quality.py --output runs/quality
    python benchmarks/quality.py --datasets drawings --variants default lr1e-3 --seeds 0

Trains each variant on each dataset with each seed by `train.py`, and scores the test
images by what `evaluate.py` scores with, for the averaged and for the raw weights of
the same training. A finished run is only read, an unfinished one goes on: the same
command again continues an experiment. Writes into `--output`

    results.jsonl     a line per run and kind of weights: scores, seconds
    DATASET.md        a table: means, and standard deviations over the seeds
    DATASET.png       test images, and what each variant makes of them, one a row
    DATASET-curve.png with `--score-after`: kernel distances over the minutes

Datasets: the embedded one, the same with 50 training images per domain, `drawings`, see
`drawings.py`, which needs `npm`, and any folder of images or TFDS name:

    python benchmarks/quality.py --datasets ~/photos --image-size 128 --minutes 60

Its networks are small and its steps 3,000 unless options say otherwise. With other
options an experiment is another one, with folders and tables of its own. Variant
`reference` is `torch_reference.py`. Equal `--minutes` are as many steps as fit into
them, by a plan made before the first; lines of results say what they took.

With `--score-after 10` a run, but not the reference, is stopped every ten minutes, as
by Ctrl-C, scored, and goes on; the minutes are those of the training, with each of its
starts. The scores are lines of `curves.jsonl`.
"""

import dataclasses
import itertools
import signal
import subprocess
import sys
import time

import numpy as np
from common import ROOT, cpu_seconds, script

from cyclegan_tf.cli import arguments
from cyclegan_tf.common.console import quiet_start
from cyclegan_tf.common.errors import InputError
from cyclegan_tf.config import RECIPES, TrainConfig, flag
from cyclegan_tf.config.options import option as field

with quiet_start():
    from benchmarks.quality_data import (
        CURVES,
        EPOCHS,
        NAMED,
        Contest,
        contest,
        schedule,
    )
    from benchmarks.quality_report import (
        DIRECTIONS,
        curve_chart,
        picture_sheet,
        score_table,
    )
    from benchmarks.reference_run import seconds_per_step, train_reference
    from cyclegan_tf.data.pipeline import load_images
    from cyclegan_tf.evaluation.results import DOMAINS, flat_scores
    from cyclegan_tf.inference.pixels import translate_all
    from cyclegan_tf.runs.generators import load_generators
    from cyclegan_tf.runs.saved import CHECKPOINTS, checkpoints, step_of
    from cyclegan_tf.training.plan import plan_run

# Of all contestants; a recipe's own are for when it is used alone.
COMMON = ("image_size", "epochs", "steps_per_epoch", "evaluate_every", "average")


def of_recipe(name):
    """The flags of a recipe, without those that all contestants share."""
    own = {k: v for k, v in RECIPES[name].items() if k not in COMMON}
    return [word for k, v in own.items() for word in (flag(k), str(v))]


# A variant is one of these, or several with a plus: lr1e-3+translation.
VARIANTS = {
    "reference": ["--discriminator", "patch70"],
    "default": [],
    "paper": of_recipe("paper"),
    "quick": of_recipe("quick"),
    "resize": ["--upsampling", "resize"],
    "lr1e-3": ["--learning-rate", "1e-3"],
    "lr2e-3": ["--learning-rate", "2e-3"],
    # Half of the embedded dataset's own.
    "discriminator5e-4": ["--discriminator-learning-rate", "5e-4"],
    "epochs15": ["--epochs", "15"],  # of drawings: 9,000 steps
    # The learning rate falls in 30 stairs, to a 16th, not in 5, to a quarter.
    "smooth": [
        *("--epochs", "30", "--steps-per-epoch", "100"),
        *("--evaluate-every", "30", "--sample-every", "30"),
    ],
    "translation": ["--diffaugment", "translation"],
    "augmented": ["--diffaugment", "color,translation,cutout"],
}
NOTHING, REAL = "untranslated", "real images"
NUM_SHOWN = 6  # pictures of each domain on a sheet


@dataclasses.dataclass(frozen=True)
class Options:
    """What to compare."""

    output: str = field("runs/quality", help="where all of it lives")
    datasets: list[str] = field(
        default_factory=lambda: ["horse2zebra"],
        help=f"of {', '.join(NAMED)}, folders of images, or TFDS names",
    )
    variants: list[str] = field(
        default_factory=lambda: [name for name in VARIANTS if name != "reference"],
        help=f"of {', '.join(VARIANTS)}, or several as one, with a plus",
    )
    seeds: list[int] = field(default_factory=lambda: [0, 1, 2], help="of each variant")
    image_size: int | None = field(None, help="of all runs; default: 64")
    steps: int | None = field(None, help="of all runs; default: 3000")
    minutes: float | None = field(None, help="instead: of wall clock, of each run")
    score_after: float | None = field(
        None, help="minutes, of each run, again and again"
    )
    flags: str = field("", help="more of train.py, for all runs")
    paired: bool = field(False, help="test images of one name show the same")
    inception_weights: str | None = field(
        None, help="file .h5 of the features; default: EfficientNet-Lite0"
    )


def main(options):
    """Trains and scores what is missing, and writes tables and sheets."""
    for dataset in options.datasets:
        on = contest(dataset, options)
        for seed in options.seeds:
            for variant in options.variants:
                if not on.entries(variant, seed):
                    run(on, variant, seed)
        table = score_table(on.entries(), options.variants[0])
        print(table, flush=True)
        (on.output / f"{on.label}.md").write_text(table + "\n")
        rows = sheet_rows(on, options.variants, options.seeds[0])
        picture_sheet(rows).save(on.output / f"{on.label}.png", optimize=True)
        if curves := on.entries(file=CURVES):
            chart = curve_chart(curves, {x: on.entries(x) for x in (NOTHING, REAL)})
            chart.savefig(on.output / f"{on.label}-curve.png", dpi=100)


def run(on: Contest, variant, seed):
    """Trains and scores a variant with one seed, or goes on with that."""
    if not on.entries(NOTHING):
        for name, scores in bounds(on).items():
            on.note(variant=name, seed=0, scores=scores)
    cost = train(on, variant, seed)
    # All scores before any is noted: a run with a line of results is finished.
    for scored in scores_of(on, variant, seed):
        on.note(variant=variant, seed=seed, **cost, **scored)


def scores_of(on, variant, seed, checkpoint="last"):
    """What a run's raw and averaged weights are worth."""
    found = models(on.run_dir(variant, seed), checkpoint)
    return [
        {"weights": weights, "scores": rounded(flat_scores(on.scored.evaluate(pair)))}
        for weights, pair in found.items()
    ]


def train(on, variant, seed):
    """Trains a run to its end; returns what it took, if nothing of it was there."""
    run_dir = on.run_dir(variant, seed)
    is_new = not run_dir.parent.exists()
    flags = [
        *(*on.flags, "--run-dir", str(run_dir), "--seed", str(seed)),
        *itertools.chain.from_iterable(VARIANTS[x] for x in variant.split("+")),
    ]
    is_reference = variant.startswith("reference")
    if on.minutes:
        flags += schedule(steps_within(on, variant, flags, is_reference))
    if on.score_after and not is_reference:
        return train_and_score(on, variant, seed, flags)
    start, cpu_start = time.monotonic(), cpu_seconds()
    if is_reference:
        train_reference(arguments.parse(TrainConfig, "", arguments=flags))
    else:
        subprocess.run(train_command(flags), check=True)
    if not is_new:
        return {}
    return {
        "seconds": round(time.monotonic() - start),
        "cpu_seconds": round(cpu_seconds() - cpu_start),
    }


def train_command(flags):
    """The program that trains a contestant."""
    return [sys.executable, str(ROOT / "train.py"), *flags, "--average"]


def train_and_score(on, variant, seed, flags):
    """Trains a run that is stopped now and then to be scored; returns what it took."""
    earlier = on.entries(variant, seed, CURVES)
    keys = ("seconds", "cpu_seconds")
    cost = {key: earlier[-1][key] if earlier else 0 for key in keys}
    is_stopped = True
    while is_stopped:
        start, cpu_start = time.monotonic(), cpu_seconds()
        process = subprocess.Popen(train_command(flags))
        try:
            process.wait(60 * on.score_after)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGTERM)
        status = process.wait()
        is_stopped = status == 128 + signal.SIGTERM
        if status and not is_stopped:
            raise InputError(f"{variant} ended with status {status}, see above.")
        cost["seconds"] += round(time.monotonic() - start)
        cost["cpu_seconds"] += round(cpu_seconds() - cpu_start)
        run_dir = on.run_dir(variant, seed)
        found = checkpoints(run_dir / CHECKPOINTS)
        if not found:  # in the head start of the discriminators
            raise InputError(f"--score-after: {variant} needs more minutes to begin.")
        step = step_of(found[0])
        for scored in scores_of(on, variant, seed, str(step)):
            about = {"variant": variant, "seed": seed, "step": step} | cost
            on.note(CURVES, **about, **scored)
    return cost


def steps_within(on, variant, flags, is_reference):
    """Steps that fit into the minutes; measured once, before the first seed."""
    path = on.output / on.label / variant / "steps.txt"
    if not path.exists():
        config = arguments.parse(TrainConfig, "", arguments=flags)
        config = dataclasses.replace(config, run_dir=str(path.with_name("plan")))
        seconds = 60 * on.minutes
        if is_reference:
            steps = seconds / seconds_per_step(config)
        else:
            planned = plan_run(config)
            each = planned["seconds"]["step"]
            others = planned["seconds"]["total"] - planned["steps"]["left"] * each
            steps = (seconds - others) / each
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(str(max(1, int(steps / EPOCHS)) * EPOCHS))
    return int(path.read_text())


def bounds(on):
    """Scores of untranslated images, and of real images of the target domain."""

    def unchanged(images, training):
        return images

    nothing = on.scored.evaluate(dict.fromkeys(DIRECTIONS, unchanged))
    real = {}
    for direction, domain in zip(DIRECTIONS, "BA", strict=True):
        tests = on.splits[f"test{domain}"]
        others = on.splits[f"train{domain}"].sample(len(tests))
        pair = on.evaluator(others, tests, is_paired=False)
        [found] = pair.evaluate({"a_to_b": unchanged})
        real |= {f"{name}_{direction}": found.scores[name] for name in ("swd", "kid")}
    return {NOTHING: rounded(flat_scores(nothing)), REAL: rounded(real)}


def models(run_dir, checkpoint="last"):
    """The generators of a run by kind of weights: the reference has no averages."""
    raw, average = (
        load_generators(run_dir, checkpoint, weights=w) for w in ("raw", "average")
    )
    pairs = zip(raw["a_to_b"].weights, average["a_to_b"].weights, strict=True)
    if all(np.array_equal(x, y) for x, y in pairs):
        return {"raw": raw}
    return {"raw": raw, "average": average}


def rounded(scores):
    """With as many digits as mean something; kernel distances in thousandths."""
    return {
        name: float(f"{value * (1000 if name.startswith('kid') else 1):.5g}")
        for name, value in scores.items()
    }


def sheet_rows(on, variants, seed):
    """Images by label: real ones, and what each variant makes of them."""
    tests = {domain: on.splits[f"test{domain.upper()}"] for domain in "ab"}
    frame = on.config.frame
    images = {
        d: load_images(split.first(NUM_SHOWN), frame) for d, split in tests.items()
    }
    rows = {"real": np.concatenate(list(images.values()))}
    for variant in variants:
        found = models(on.run_dir(variant, seed))
        for weights, generators in found.items():
            fakes = [
                translate_all(
                    generators[direction], images[a], tests[a].domain, tests[b].domain
                )
                for direction, (a, b) in DOMAINS.items()
            ]
            rows[f"{variant}\n{weights}"] = np.concatenate(fakes)
    return rows


if __name__ == "__main__":
    script(main, Options, __doc__)

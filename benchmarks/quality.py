"""Which options make better pictures of the same steps, and what do they cost?

    pip install -r requirements-reference.txt    # PyTorch: a contestant, and features
    python benchmarks/quality.py --output runs/quality
    python benchmarks/quality.py --datasets drawings --variants default lr1e-3 --seeds 0

Trains each variant on each dataset with each seed by `train.py`, and scores the test
images by what `evaluate.py` scores with, for the averaged and for the raw weights of
the same training. A finished run is only read, an unfinished one goes on: the same
command again continues an experiment. Writes into `--output`

    results.jsonl     a line per run and kind of weights: scores, seconds
    DATASET.md        a table: means, and standard deviations over the seeds
    DATASET.png       test images, and what each variant makes of them, one a row

Datasets: the embedded one, the same with 50 training images per domain, and `drawings`,
see `drawings.py`, which needs `npm`. Variant `reference` is `torch_reference.py`.
"""

import dataclasses
import functools
import itertools
import json
import pathlib
import resource
import subprocess
import sys
import time

import numpy as np
from common import ROOT, field, quiet_start, script

from cyclegan_tf.cli import arguments
from cyclegan_tf.config import TrainConfig
from cyclegan_tf.config.sizes import Frame

with quiet_start():
    from benchmarks.drawings import ImageNetFeatures, ensure_drawings
    from benchmarks.quality_report import DIRECTIONS, picture_sheet, score_table
    from benchmarks.reference_run import train_reference
    from cyclegan_tf.data import convert, pipeline
    from cyclegan_tf.data.pipeline import load_images
    from cyclegan_tf.evaluation.evaluator import Evaluator
    from cyclegan_tf.evaluation.results import DOMAINS, flat_scores
    from cyclegan_tf.inference.pixels import translate_all
    from cyclegan_tf.runs.generators import load_generators

# All take 3,000 steps, unless a variant says more.
DATASETS = {
    "horse2zebra": ["--evaluate-every", "5"],
    "horse2zebra-50": [
        *("--synthetic-images", "50", "--epochs", "60"),
        *("--evaluate-every", "60", "--sample-every", "60"),
    ],
    "drawings": [
        *("--image-size", "64", "--load-size", "64", "--steps-per-epoch", "600"),
        *("--epochs", "5", "--filters", "32", "--residual-blocks", "6"),
    ],
    "drawings-small": [
        *("--image-size", "64", "--load-size", "64", "--steps-per-epoch", "600"),
        *("--epochs", "5", "--filters", "16", "--residual-blocks", "3"),
    ],
}
# Few training images say little as test images: these score on those of another.
SCORED_ON = {"horse2zebra-50": "horse2zebra"}
# A variant is one of these, or several with a plus: lr1e-3+translation.
VARIANTS = {
    "reference": ["--discriminator", "patch70"],
    "default": [],
    "resize": ["--upsampling", "resize"],
    "batch2": ["--batch-size", "2"],
    "lr5e-4": ["--learning-rate", "5e-4"],
    "lr1e-3": ["--learning-rate", "1e-3"],
    "lr2e-3": ["--learning-rate", "2e-3"],
    "discriminator1e-4": ["--discriminator-learning-rate", "1e-4"],
    # Half of the embedded dataset's own.
    "discriminator5e-4": ["--discriminator-learning-rate", "5e-4"],
    "discriminator1e-3": ["--discriminator-learning-rate", "1e-3"],
    "epochs15": ["--epochs", "15"],  # of drawings: 9,000 steps
    # The learning rate falls in 30 stairs, to a 16th, not in 5, to a quarter.
    "smooth": [
        *("--epochs", "30", "--steps-per-epoch", "100"),
        *("--evaluate-every", "30", "--sample-every", "30"),
    ],
    "translation": ["--diffaugment", "translation"],
    "color-translation": ["--diffaugment", "color,translation"],
    "augmented": ["--diffaugment", "color,translation,cutout"],
    "identity0": ["--identity-weight", "0"],
    "identity2": ["--identity-weight", "2"],
    "identity20": ["--identity-weight", "20"],
}
NOTHING, REAL = "untranslated", "real images"
FRAME = Frame(64, 64)  # of all datasets
NUM_SHOWN = 6  # pictures of each domain on a sheet


@dataclasses.dataclass(frozen=True)
class Options:
    """What to compare."""

    output: str = field("runs/quality", help="where all of it lives")
    datasets: list[str] = field(
        default_factory=lambda: ["horse2zebra"], help=f"of {', '.join(DATASETS)}"
    )
    variants: list[str] = field(
        default_factory=lambda: [name for name in VARIANTS if name != "reference"],
        help=f"of {', '.join(VARIANTS)}, or several as one, with a plus",
    )
    seeds: list[int] = field(default_factory=lambda: [0, 1, 2], help="of each variant")


def main(options):
    """Trains and scores what is missing, and writes tables and sheets."""
    output = pathlib.Path(options.output).resolve()
    for dataset in options.datasets:
        for seed in options.seeds:
            for variant in options.variants:
                if not entries_of(output, dataset, variant, seed):
                    run(output, dataset, variant, seed)
        table = score_table(entries_of(output, dataset), options.variants[0])
        print(table, flush=True)
        (output / f"{dataset}.md").write_text(table + "\n")
        rows = sheet_rows(output, dataset, options.variants, options.seeds[0])
        picture_sheet(rows).save(output / f"{dataset}.png", optimize=True)


def run(output, dataset, variant, seed):
    """Trains and scores a variant with one seed, or goes on with that."""
    flags = flags_of(output, dataset, variant, seed)
    cost = train(flags, variant, run_dir_of(output, dataset, variant, seed))
    evaluator = open_evaluator(output, dataset)
    if not entries_of(output, dataset, NOTHING):
        for name, scores in bounds(evaluator, output, dataset).items():
            note(output, dataset=dataset, variant=name, seed=0, scores=scores)
    about = {"dataset": dataset, "variant": variant, "seed": seed}
    # All scores before any is noted: a run with a line of results is finished.
    scores = {
        weights: rounded(flat_scores(evaluator.evaluate(generators)))
        for weights, generators in models(run_dir_of(output, **about)).items()
    }
    for weights, of_weights in scores.items():
        note(output, **about, weights=weights, **cost, scores=of_weights)


def note(output, **entry):
    """Adds a line to the results."""
    line = json.dumps(entry)
    print(line, flush=True)
    with open(output / "results.jsonl", "a") as results:
        results.write(line + "\n")


def entries_of(output, dataset, variant=None, seed=None):
    """The results that are there of a dataset, a variant, a seed."""
    path = output / "results.jsonl"
    lines = path.read_text().splitlines() if path.exists() else []
    return [
        entry
        for entry in map(json.loads, lines)
        if entry["dataset"] == dataset
        and variant in (None, entry["variant"])
        and seed in (None, entry["seed"])
    ]


def run_dir_of(output, dataset, variant, seed):
    """Where a run lives."""
    return output / dataset / variant / f"seed{seed}" / "run"


def flags_of(output, dataset, variant, seed):
    """What `train.py` is told."""
    source = "synthetic/horse2zebra"
    if dataset.startswith("drawings"):
        source = ensure_drawings(output / "drawings")
    return [
        *("--dataset", str(source), "--data-dir", str(output / f"data-{dataset}")),
        *("--run-dir", str(run_dir_of(output, dataset, variant, seed))),
        *("--seed", str(seed), *DATASETS[dataset]),
        *itertools.chain.from_iterable(VARIANTS[x] for x in variant.split("+")),
    ]


def train(flags, variant, run_dir):
    """Trains a run to its end; returns what it took, if nothing of it was there."""
    is_new = not run_dir.parent.exists()
    start, cpu_start = time.monotonic(), cpu_seconds()
    if variant.startswith("reference"):
        train_reference(arguments.parse(TrainConfig, "", arguments=flags))
    else:
        command = [sys.executable, str(ROOT / "train.py"), *flags, "--average"]
        subprocess.run(command, check=True)
    if not is_new:
        return {}
    return {
        "seconds": round(time.monotonic() - start),
        "cpu_seconds": round(cpu_seconds() - cpu_start),
    }


def cpu_seconds():
    """Of this process, and of those that it has waited for."""
    used = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    return sum(u.ru_utime + u.ru_stime for u in map(resource.getrusage, used))


@functools.cache
def open_evaluator(output, dataset):
    """What scores all runs of a dataset: the evaluator of `evaluate.py`."""
    splits = open_splits(output, dataset)
    features = ImageNetFeatures(output / "packages")
    return Evaluator(splits["testA"], splits["testB"], FRAME, True, features=features)


def open_splits(output, dataset):
    """The images that runs of a dataset are scored on."""
    flags = flags_of(output, SCORED_ON.get(dataset, dataset), "default", 0)
    directory = convert.ensure_dataset(arguments.parse(TrainConfig, "", (), flags))
    names = [f"{split}{domain}" for split in ("train", "test") for domain in "AB"]
    return {name: pipeline.open_split(directory, name) for name in names}


def bounds(evaluator, output, dataset):
    """Scores of untranslated images, and of real images of the target domain."""

    def unchanged(images, training):
        return images

    splits = open_splits(output, dataset)
    nothing = evaluator.evaluate(dict.fromkeys(DIRECTIONS, unchanged))
    real = {}
    for direction, domain in zip(DIRECTIONS, "BA", strict=True):
        others = splits[f"train{domain}"].sample(len(splits[f"test{domain}"]))
        pair = Evaluator(
            others, splits[f"test{domain}"], FRAME, features=evaluator.features
        )
        [found] = pair.evaluate({"a_to_b": unchanged})
        real |= {f"{name}_{direction}": found.scores[name] for name in ("swd", "kid")}
    return {NOTHING: rounded(flat_scores(nothing)), REAL: rounded(real)}


def models(run_dir):
    """The generators of a run by kind of weights: the reference has no averages."""
    raw, average = (load_generators(run_dir, weights=w) for w in ("raw", "average"))
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


def sheet_rows(output, dataset, variants, seed):
    """Images by label: real ones, and what each variant makes of them."""
    splits = open_splits(output, dataset)
    images = {
        domain: load_images(splits[f"test{domain.upper()}"], FRAME, NUM_SHOWN)
        for domain in "ab"
    }
    forms = {domain: splits[f"test{domain.upper()}"].domain for domain in "ab"}
    rows = {"real": np.concatenate(list(images.values()))}
    for variant in variants:
        found = models(run_dir_of(output, dataset, variant, seed))
        for weights, generators in found.items():
            fakes = [
                translate_all(generators[direction], images[a], forms[a], forms[b])
                for direction, (a, b) in DOMAINS.items()
            ]
            rows[f"{variant}\n{weights}"] = np.concatenate(fakes)
    return rows


if __name__ == "__main__":
    script(main, Options, __doc__)

"""What `quality.py` trains on: named datasets with their settings, or anybody's own."""

import dataclasses
import functools
import json
import pathlib
import re
import shlex

from benchmarks.drawings import ImageNetFeatures, ensure_drawings
from cyclegan_tf.cli import arguments
from cyclegan_tf.common.errors import InputError
from cyclegan_tf.config import TrainConfig
from cyclegan_tf.data import convert, pipeline
from cyclegan_tf.data.dataset import Dataset
from cyclegan_tf.evaluation.evaluator import Evaluator
from cyclegan_tf.evaluation.features import load_inception
from cyclegan_tf.evaluation.scoring import require_pairs

RESULTS, CURVES = "results.jsonl", "curves.jsonl"
EPOCHS = 5  # the learning rate falls, and checkpoints are written, by them
# All take 3,000 steps, unless a variant says more.
NAMED = {
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


def schedule(steps: int) -> list[str]:
    """The flags of `train.py` for so many steps, scored at their end."""
    if steps < EPOCHS or steps % EPOCHS:
        raise InputError(f"--steps takes a multiple of {EPOCHS}, got {steps}.")
    per_epoch = str(steps // EPOCHS)
    every = ("--evaluate-every", str(EPOCHS))
    return ["--epochs", str(EPOCHS), "--steps-per-epoch", per_epoch, *every]


# Of a folder or a TFDS name, where nothing else is said.
USUAL = [
    *("--image-size", "64", "--filters", "16", "--residual-blocks", "3"),
    *schedule(3000),
]


@dataclasses.dataclass(frozen=True)
class Contest:
    """A dataset with the settings that all its runs have.

    Attributes:
        label: names it, in results and of folders: other settings, another label.
        flags: of `train.py`.
        output: folder of the experiment.
        scored_on: flags of the dataset whose test images are scored.
        is_paired: whether files of one name, of the test images, show the same.
        minutes: that a run may take, where they are given instead of its steps.
        score_after: so many minutes of a run it is scored, again and again.
        inception_weights: file of the features; None: EfficientNet-Lite0.
    """

    label: str
    flags: tuple[str, ...]
    output: pathlib.Path
    scored_on: tuple[str, ...]
    is_paired: bool
    minutes: float | None
    score_after: float | None
    inception_weights: str | None

    def run_dir(self, variant: str, seed: int) -> pathlib.Path:
        """Where a run lives."""
        return self.output / self.label / variant / f"seed{seed}" / "run"

    @functools.cached_property
    def config(self) -> TrainConfig:
        """The options that the scored images are converted by."""
        return arguments.parse(TrainConfig, "", (), self.scored_on)

    @functools.cached_property
    def directory(self) -> pathlib.Path:
        """Where the scored images are as shards."""
        return convert.ensure_dataset(self.config)

    @functools.cached_property
    def splits(self) -> dict[str, pipeline.Split]:
        """The scored images, and others of the same domains."""
        return Dataset.open(self.directory).splits()

    def note(self, file: str = RESULTS, **entry) -> None:
        """Adds a line to the results."""
        line = json.dumps({"dataset": self.label} | entry)
        print(line, flush=True)
        with open(self.output / file, "a") as results:
            results.write(line + "\n")

    def entries(self, variant=None, seed=None, file: str = RESULTS) -> list[dict]:
        """The results that are there of a variant, and a seed; or of all."""
        path = self.output / file
        lines = path.read_text().splitlines() if path.exists() else []
        return [
            entry
            for entry in map(json.loads, lines)
            if entry["dataset"] == self.label
            and variant in (None, entry["variant"])
            and seed in (None, entry["seed"])
        ]

    def evaluator(self, split_a, split_b, is_paired: bool) -> Evaluator:
        """What scores all runs: the evaluator of `evaluate.py`."""
        frame = self.config.frame
        return Evaluator(split_a, split_b, frame, is_paired, features=self.features)

    @functools.cached_property
    def scored(self) -> Evaluator:
        """Of the test images."""
        tests = self.splits["testA"], self.splits["testB"]
        if self.is_paired and not Dataset.open(self.directory).is_paired:
            require_pairs(*tests)
        return self.evaluator(*tests, self.is_paired)

    @functools.cached_property
    def features(self):
        """The network of the kernel distance."""
        if self.inception_weights:
            return load_inception(self.inception_weights)
        return ImageNetFeatures(self.output / "packages")


def contest(dataset: str, options) -> Contest:
    """What the options of `quality.py` make of a dataset that they name."""
    output = pathlib.Path(options.output).resolve()
    given = ["--image-size", str(options.image_size)] if options.image_size else []
    given += schedule(options.steps) if options.steps else []
    given += shlex.split(options.flags)
    name = dataset if dataset in NAMED else _name_of(dataset)
    sizes = {"px": options.image_size, "steps": options.steps, "min": options.minutes}
    words = [f"{size:g}{unit}" for unit, size in sizes.items() if size]
    label = "-".join([name, *words, *re.findall(r"[\w.,]+", options.flags)])

    def flags(of):
        source = _source(of, output)
        data_dir = output / f"data-{of if of in NAMED else name}"
        places = ("--dataset", str(source), "--data-dir", str(data_dir))
        return (*places, *NAMED.get(of, USUAL), *given)

    return Contest(
        label,
        flags(dataset),
        output,
        flags(SCORED_ON.get(dataset, dataset)),
        dataset in NAMED or options.paired,
        options.minutes,
        options.score_after,
        options.inception_weights,
    )


def _name_of(dataset):
    """Of a folder, or a TFDS name, that is not taken for one of ours."""
    path = pathlib.Path(dataset).expanduser()
    parts = path.resolve().parts[-2:] if path.is_dir() else path.parts
    return "-".join(part for part in parts if part != path.anchor)


def _source(dataset, output):
    if dataset.startswith("drawings"):
        return ensure_drawings(output / "drawings")
    return "synthetic/horse2zebra" if dataset in NAMED else dataset

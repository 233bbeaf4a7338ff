"""Scoring a run: which of its checkpoints, on which of its images."""

import dataclasses
import itertools
import pathlib
import time
from collections.abc import Callable

from cyclegan_tf.common.console import say
from cyclegan_tf.common.errors import InputError
from cyclegan_tf.config import EvaluateConfig
from cyclegan_tf.config.sizes import Frame
from cyclegan_tf.data import pipeline
from cyclegan_tf.data.check import seen_in_training
from cyclegan_tf.data.dataset import Dataset
from cyclegan_tf.data.domain import Domains
from cyclegan_tf.data.images import SUFFIXES
from cyclegan_tf.data.shards import Split
from cyclegan_tf.evaluation.evaluator import Evaluator
from cyclegan_tf.evaluation.features import load_inception, require_suitable
from cyclegan_tf.evaluation.results import (
    DirectionScores,
    protocol_text,
    score_table,
)
from cyclegan_tf.runs.evaluations import SCORES_FILE, record_evaluation
from cyclegan_tf.runs.run_dir import RunDir


@dataclasses.dataclass(frozen=True)
class Scored:
    """What scoring a checkpoint of a run gave.

    Attributes:
        step: of the checkpoint; of imported models, None.
        results: the scores of each direction.
        table: the same, and where they were added, as lines of text.
        images: that were scored, by domain.
    """

    step: int | None
    results: list[DirectionScores]
    table: str
    images: dict[str, Split]


def evaluate(config: EvaluateConfig) -> str:
    """Scores a checkpoint of a run and adds the result to its `scores.json`.

    Returns the scores as lines of text; raises `InputError` for what a user can mend.
    """
    run = RunDir.open(config.run_dirs[0], config.data_dir)
    return score(run, config).table


def score(run: RunDir, config: EvaluateConfig, watch: Callable | None = None) -> Scored:
    """Scores a checkpoint of a run, adds the result to `scores.json`, and returns it.

    Args:
        run: its images are converted where nothing of their name ever has been.
        config: which checkpoint and weights, on which images.
        watch: sees single images, see `Evaluator.evaluate`.

    Raises:
        InputError: something the user can mend; the images are gone, for instance.
            Where `scores.json` cannot be written, the table says so.
    """
    start = time.monotonic()
    trained, step, weights = run.generators(config.checkpoint, config.weights)
    evaluator = evaluator_of_run(run, config)
    results = evaluator.evaluate(trained, watch)
    seconds = round(time.monotonic() - start, 1)
    about = {"checkpoint": config.checkpoint, "weights": weights, "seconds": seconds}
    try:
        record_evaluation(run.path, step, results, about)
        added = "added to"
    except OSError as error:  # on a disk that is full, or only to be read
        added = f"not added ({error.strerror}) to"
    title = f"{run.path}, {config.checkpoint}: step {step}, {weights} weights"
    table = score_table(results, title)
    if config.protocol:
        seen = seen_in_training(run.dataset)
        table = "\n".join([table, protocol_text(results), *seen])
    table += f"\nin {seconds} s; {added} {run.path / SCORES_FILE}"
    return Scored(step, results, table, evaluator.splits)


def _network_if_possible(weights, domains):
    try:
        require_suitable(domains)
        return load_inception(weights)
    except InputError as error:
        if weights is not None:
            raise
        say(f"going on without KID and FID: {error}")
        return None


def evaluator_of_run(run: RunDir, config: EvaluateConfig) -> Evaluator:
    """Scores by the images of a run; converts them where none ever have been."""
    run.convert_if_never()
    return open_evaluator(run.dataset, run.domains, run.options.frame, config)


def open_evaluator(
    dataset: Dataset, domains: Domains, frame: Frame, config: EvaluateConfig
) -> Evaluator:
    """Scores by the images that a command names.

    Args:
        dataset: has them.
        domains: the form in which they are read.
        frame: what is seen of each.
        config: which split, how many, and whether they are pairs.

    Raises:
        InputError: there are none, they are no pairs, or the weights of
            `--inception-weights` cannot be used.
    """
    network = _network_if_possible(config.inception_weights, domains)
    images = [
        dataset.split(f"{config.split}{name.upper()}", domain)
        for name, domain in domains._asdict().items()
    ]
    if not all(map(len, images)):
        raise InputError(f"{dataset.directory} has no test images; try --split train.")
    is_paired = dataset.is_paired and config.split == "test"
    if config.paired and not is_paired:
        require_pairs(*images)
        is_paired = True
    return Evaluator(*images, frame, is_paired, config.limit, network)


def require_pairs(split_a, split_b):
    """Compares the names: another order would give plausible, wrong numbers.

    Raises:
        InputError: it names the first pair whose names differ.
    """
    names = [pipeline.load_names(split) for split in (split_a, split_b)]
    for first, second in itertools.zip_longest(*names, fillvalue="no image"):
        if _scene(first, "A") != _scene(second, "B"):
            raise InputError(
                f"--paired: {first!r} of {split_a.name} stands beside {second!r} of "
                f"{split_b.name}; pairs have the same name, or 1_A.jpg and 1_B.jpg, in "
                f"a folder with testA/ and testB/. TFDS keeps neither names nor order."
            )


def _scene(name, domain):
    """The name of an image without folder, suffix and mark of its domain."""
    path = pathlib.PurePosixPath(name)
    stem = path.stem if path.suffix.lower() in SUFFIXES else path.name
    return stem.removesuffix(f"_{domain}")

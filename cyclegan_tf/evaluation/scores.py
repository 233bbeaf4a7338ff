"""The scores of a run: evaluating one of its checkpoints, and `scores.json`.

`scores.json` holds `{"evaluations": [...]}`: of each the step, which checkpoint and
weights, and the `DirectionScores` of each direction, protocol included.
"""

import dataclasses
import itertools
import json
import pathlib
import time
from collections.abc import Callable
from typing import Any

from cyclegan_tf.common.console import say
from cyclegan_tf.common.errors import InputError
from cyclegan_tf.common.files import locked, read_json, write_json
from cyclegan_tf.config import EvaluateConfig
from cyclegan_tf.data import pipeline
from cyclegan_tf.data.convert import ensure_dataset, read_manifest
from cyclegan_tf.data.images import SUFFIXES
from cyclegan_tf.evaluation.evaluator import Evaluator
from cyclegan_tf.evaluation.features import load_inception, require_suitable
from cyclegan_tf.evaluation.results import DirectionScores, score_table
from cyclegan_tf.runs import directory as run_directory
from cyclegan_tf.runs import generators

SCORES = "scores.json"
LOCK = ".scores.lock"
REMEDY = "delete it, and run evaluate.py to score anew"


def evaluate(config: EvaluateConfig) -> str:
    """Scores a checkpoint of a run and adds the result to its `scores.json`.

    Returns the scores as lines of text; raises `InputError` for what a user can mend.
    """
    return score(config.run_dirs[0], config)[2]


def score(
    run_dir: pathlib.Path, config: EvaluateConfig, watch: Callable | None = None
) -> tuple[int | None, list[DirectionScores], str, dict[str, pipeline.Split]]:
    """Like `evaluate`, of any run, with `watch` as in `Evaluator.evaluate`.

    Returns:
        The step that was scored (of imports, None), the scores of each direction, the
        same as lines of text, and the images by domain.
    """
    start = time.monotonic()
    trained, step, weights = generators.load(run_dir, config.checkpoint, config.weights)
    evaluator = _open_evaluator(run_dir, config)
    results = evaluator.evaluate(trained, watch)
    seconds = round(time.monotonic() - start, 1)
    about = {"checkpoint": config.checkpoint, "weights": weights, "seconds": seconds}
    record(run_dir, step, results, about)
    title = f"{run_dir}, {config.checkpoint}: step {step}, {weights} weights"
    table = score_table(results, title)
    table += f"\nin {seconds} s; added to {run_dir / SCORES}"
    return step, results, table, evaluator.splits


def _network_if_possible(weights, domains):
    try:
        require_suitable(domains)
        return load_inception(weights)
    except InputError as error:
        if weights is not None:
            raise
        say(f"going on without KID and FID: {error}")
        return None


def find_dataset(
    run_dir: pathlib.Path, config: EvaluateConfig
) -> tuple[run_directory.Recorded, pathlib.Path]:
    """What a run recorded, and the directory of the images that it was trained for.

    Raises:
        InputError: they are gone, are other ones now, or, of imports, not known.
    """
    recorded = run_directory.read_config(run_dir)
    options = recorded.options
    if config.data_dir is not None:
        options = dataclasses.replace(options, data_dir=config.data_dir)
    directory = ensure_dataset(options)
    # Of imported models it is not known.
    if recorded.fingerprint not in (None, read_manifest(directory)["fingerprint"]):
        raise InputError(
            f"{directory} holds other images than {run_dir} was trained on; name "
            f"another place with --data-dir."
        )
    return recorded, directory


def _open_evaluator(run_dir, config):
    domains = run_directory.read_config(run_dir).domains
    network = _network_if_possible(config.inception_weights, domains)
    recorded, directory = find_dataset(run_dir, config)
    splits = [
        pipeline.open_split(directory, f"{config.split}{name.upper()}", domain)
        for name, domain in recorded.domains._asdict().items()
    ]
    if not all(map(len, splits)):
        raise InputError(f"{directory} has no test images; try --split train.")
    is_paired = read_manifest(directory)["is_paired"] and config.split == "test"
    if config.paired and not is_paired:
        require_pairs(*splits)
        is_paired = True
    return Evaluator(*splits, recorded.options.frame, is_paired, config.limit, network)


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


def record(
    run_dir: pathlib.Path,
    step: int | None,
    results: list[DirectionScores],
    about: dict[str, Any],
) -> None:
    """Adds an evaluation to `scores.json`; a damaged one is begun anew.

    It takes the place of an earlier one of the same weights by the same protocol.
    """
    entry = {"step": step, **about, "scores": list(map(dataclasses.asdict, results))}
    # The run itself may add its own, and another evaluate.py.
    with locked(run_dir / LOCK, f"waiting for others to write {run_dir / SCORES}"):
        try:
            earlier = read(run_dir)
        except InputError as error:
            say(f"{error} It is begun anew.")
            earlier = []
        others = [e for e in earlier if _identity(e) != _identity(entry)]
        write_json(run_dir / SCORES, {"evaluations": [*others, entry]})


def read(run_dir: pathlib.Path) -> list[dict[str, Any]]:
    """The evaluations of a run, in the order in which they were made.

    Raises:
        InputError: `scores.json` is damaged.
    """
    path = run_dir / SCORES
    try:
        evaluations = read_json(path, REMEDY)["evaluations"]
        for evaluation in evaluations:
            _identity(evaluation)
    except FileNotFoundError:
        return []
    except (KeyError, TypeError) as error:
        raise InputError(
            f"{path} is damaged or of another version ({error!r}); {REMEDY}."
        ) from None
    return evaluations


def read_of(
    run_dir: pathlib.Path, step: int | None, weights: str
) -> list[dict[str, Any]]:
    """The evaluations of a step's average or raw weights."""
    return [e for e in read(run_dir) if (e["step"], _weights(e)) == (step, weights)]


def _identity(evaluation):
    protocols = [entry["protocol"] for entry in evaluation["scores"]]
    protocol = json.dumps(protocols, sort_keys=True)
    return evaluation["step"], _weights(evaluation), protocol


def _weights(evaluation):
    # Those from before there were averages do not say.
    return evaluation.get("weights", "raw")

"""Scoring runs and exports: one run on its images, or several models side by side."""

import contextlib
import dataclasses
import itertools
import pathlib
from collections.abc import Callable, Iterable

import tensorflow as tf

from cyclegan_tf.common.console import say
from cyclegan_tf.common.errors import InputError, out_of_memory
from cyclegan_tf.config import EvaluateConfig
from cyclegan_tf.config.sizes import Frame, size_of
from cyclegan_tf.data.check import seen_in_training
from cyclegan_tf.data.convert import ensure_dataset
from cyclegan_tf.data.dataset import Dataset
from cyclegan_tf.data.domain import Domains
from cyclegan_tf.data.images import SUFFIXES
from cyclegan_tf.data.shards import Split, names_of
from cyclegan_tf.evaluation import comparison
from cyclegan_tf.evaluation.evaluator import Evaluator
from cyclegan_tf.evaluation.features import load_inception, require_suitable
from cyclegan_tf.evaluation.results import (
    BETTER,
    DirectionScores,
    flat_scores,
    protocol_lines,
    protocol_text,
    score_table,
)
from cyclegan_tf.inference import translator
from cyclegan_tf.inference.exported import find_export
from cyclegan_tf.inference.trained import translators_of
from cyclegan_tf.runs.evaluations import SCORES_FILE, record_evaluation
from cyclegan_tf.runs.generators import Trained
from cyclegan_tf.runs.run_dir import RunDir


def evaluate(config: EvaluateConfig) -> str:
    """Scores runs and exports on images of `config.dataset`, or of the first run.

    What a run is worth on its own images is added to its `scores.json`. Returns the
    scores as lines of text; raises `InputError` for no such model, or one of other
    images.
    """
    path, *others = config.run_dirs
    if others or config.dataset is not None or find_export(path):
        return _side_by_side(config)
    run = RunDir.open(path, config.data_dir)
    trained = run.generators(config.checkpoint, config.weights)
    return score(run, trained, config)[1]


def score(
    run: RunDir,
    trained: Trained,
    config: EvaluateConfig,
    watch: Callable | None = None,
) -> tuple[list[DirectionScores], str]:
    """Scores a checkpoint of a run, and adds the result to its `scores.json`.

    `watch` sees single images, see `Evaluator.evaluate`. Returns the scores of each
    direction, and lines of text, which also say whether `scores.json` could be written;
    raises `InputError` for what the user can mend, such as images that are gone.
    """
    evaluator = _evaluator_of(run, config)
    with _memory_named():
        results = evaluator.evaluate(trained.generators, watch)
    added = _added(run, trained, results, config)
    step = "imported" if trained.step is None else f"step {trained.step}"
    title = f"{run.path}, {config.checkpoint}: {step}, {trained.weights} weights"
    lines = [score_table(results, title)]
    if config.protocol:
        lines += _protocol(results, run.dataset)
    return results, "\n".join([*lines, added])


def _protocol(results, dataset):
    images = f"images: {dataset.directory}"
    return [images, protocol_text(results), *seen_in_training(dataset)]


@contextlib.contextmanager
def _memory_named():
    """Says in one line where the memory does not suffice for images of a size."""
    try:
        yield
    except (tf.errors.ResourceExhaustedError, MemoryError) as error:
        smaller = "score on smaller images, with --dataset and --image-size"
        raise out_of_memory(error, smaller) from None


def _added(run, trained, results, config):
    """Adds scores to `scores.json` of a run; returns what is to be said of it."""
    about = {"checkpoint": config.checkpoint, "weights": trained.weights}
    path = run.path / SCORES_FILE
    try:
        record_evaluation(run.path, trained.step, results, about)
    except OSError as error:  # on a disk that is full, or only to be read
        return f"not added ({error.strerror}) to {path}"
    return f"added to {path}"


def _side_by_side(config):
    """Scores models on the same images, and times them in turn."""
    # Open all that is named.
    runs, trained, models = {}, {}, {}
    for path in config.run_dirs:
        name = str(path) if str(path) != comparison.NOTHING else f"./{path}"
        if find_export(path):
            models[name] = translator.load_all(path)
        else:
            run = runs[name] = RunDir.open(path, config.data_dir)
            trained[name] = run.generators(config.checkpoint, config.weights)
            form = run.domains, None, run.options.frame
            models[name] = translators_of(trained[name].generators, *form)
    if not runs:
        first = config.run_dirs[0]
        translator.refuse_for_export(first, config.checkpoint, config.weights)
    dataset, evaluator = _images(config, runs, models)
    scored_on = dataset.fingerprint, evaluator.domains
    # Score each on the same images.
    results, added = {}, []
    for name, directions in models.items():
        with _memory_named():
            results[name] = comparison.score_alone(evaluator, directions, name)
        run = runs.get(name)
        if run and (run.fingerprint, run.domains) == scored_on:
            added.append(_added(run, trained[name], results[name], config))
    # Measure them, and show all beside doing nothing.
    found = {each.direction: each for scored in results.values() for each in scored}
    both = [found[direction] for direction in sorted(found)]  # one may have one only
    nothing = [dataclasses.replace(each, scores=each.nothing) for each in both]
    compared = {comparison.NOTHING: comparison.Figures(scores=flat_scores(nothing))}
    with _memory_named():
        compared |= comparison.compare(models, evaluator.frame, results)
    lines = [BETTER, comparison.aligned(comparison.table(compared))]
    lines += protocol_lines(both)
    if config.protocol:
        lines += _protocol(both, dataset)
    return "\n".join([*lines, *added])


def _images(config, runs, models):
    """The dataset that is scored on, and what scores by it."""
    options = config.dataset_options
    if options is None:
        if not runs:
            raise InputError("no run says which images to score on; give --dataset.")
        run = next(iter(runs.values()))
        return run.dataset, _evaluator_of(run, config)
    dataset = Dataset.open(ensure_dataset(options))
    # As the first model was trained to see them, where it says how.
    direction, translate = next(iter(next(iter(models.values())).items()))
    frame, domains = options.frame, dataset.domains
    if translate.frame is not None:
        frame, known = translate.frame, Domains(translate.source, translate.target)
        domains = Domains(*map(_in_known_form, domains, known.of(direction)))
    size = translate.size
    if config.image_size is not None:
        size = size_of(config.image_size)
    if size is not None:
        frame = Frame(*size, frame.resize)
    return dataset, _evaluator(dataset, domains, frame, config)


def _in_known_form(domain, known):
    """The form that is known of a domain, if its images can be read in that one."""
    are_colours = domain.is_encodable and known.is_encodable  # grey becomes RGB
    is_read = domain.channels == known.channels or are_colours
    return known if is_read and domain.dtype == known.dtype else domain


def _evaluator_of(run, config):
    """Scores by the images of a run; converts them where none ever have been."""
    run.convert_if_never()
    return _evaluator(run.dataset, run.domains, run.options.frame, config)


def _evaluator(dataset, domains, frame, config):
    """Scores by the images that a command names, read in the form of `domains`."""
    network = _network_if_possible(config.inception_weights, domains)
    images = [
        dataset.split(f"{config.split}{name.upper()}", domain)
        for name, domain in domains._asdict().items()
    ]
    require_images(dataset.directory, images)
    is_paired = dataset.is_paired and config.split == "test"
    if config.paired and not is_paired:
        require_pairs(*images)
        is_paired = True
    images = [split.first(config.limit) for split in images]
    return Evaluator(*images, frame, is_paired, network)


def require_images(directory: pathlib.Path, splits: Iterable[Split]) -> None:
    """Raises `InputError` if a domain of a dataset has nothing to be scored on."""
    if not all(map(len, splits)):
        raise InputError(f"{directory} has no test images; try --split train.")


def _network_if_possible(weights, domains):
    remedy = "leave out --inception-weights" if weights else "the other scores follow"
    try:
        require_suitable(domains, remedy)
        return load_inception(weights)
    except InputError as error:
        if weights is not None:
            raise
        say(f"going on without KID and FID: {error}")
        return None


def require_pairs(split_a: Split, split_b: Split) -> None:
    """Raises `InputError` for the first images whose names are no pair.

    Another order would give plausible, wrong numbers.
    """
    names = [names_of(split) for split in (split_a, split_b)]
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

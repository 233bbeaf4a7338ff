"""Runs and exports side by side: scored on the same images, timed in turn."""

import dataclasses

from cyclegan_tf.common.console import say
from cyclegan_tf.config import EvaluateConfig, TrainConfig, settings
from cyclegan_tf.config.sizes import Frame, require_size
from cyclegan_tf.data.convert import ensure_dataset
from cyclegan_tf.data.dataset import Dataset
from cyclegan_tf.data.domain import Domains
from cyclegan_tf.evaluation import comparison
from cyclegan_tf.evaluation.results import protocol_lines, protocol_text
from cyclegan_tf.evaluation.scores import evaluator_of_run, open_evaluator
from cyclegan_tf.inference import translator
from cyclegan_tf.inference.trained import translators_of
from cyclegan_tf.runs.directory import CONFIG
from cyclegan_tf.runs.evaluations import record_evaluation
from cyclegan_tf.runs.run_dir import RunDir


def evaluate_side_by_side(config: EvaluateConfig) -> str:
    """Scores any number of runs and exports, and returns a table of them.

    The images are those of `config.dataset`, or else of the first run. What a run is
    worth on its own images is added to its `scores.json`.

    Raises:
        InputError: there is no such model, or it is of other images.
    """
    # Open all that is named.
    runs, trained, models = {}, {}, {}
    for path in config.run_dirs:
        name = str(path)
        if (path / CONFIG).is_file():
            run = runs[name] = RunDir.open(path, config.data_dir)
            trained[name] = run.generators(config.checkpoint, config.weights)
            models[name] = translators_of(trained[name].generators, run.domains)
        else:
            models[name] = translator.load_all(path)
    dataset, domains, evaluator = _images(config, runs, models)
    # Score each on the same images.
    results = {
        name: comparison.score_alone(evaluator, directions, domains)
        for name, directions in models.items()
    }
    for name, run in runs.items():
        if (run.fingerprint, run.domains) == (dataset.fingerprint, domains):
            weights = trained[name].weights
            about = {"checkpoint": config.checkpoint, "weights": weights}
            try:
                record_evaluation(run.path, trained[name].step, results[name], about)
            except OSError as error:  # on a disk that is full, or only to be read
                say(f"not added to {name}: {error.strerror}")
    # Measure them, and show all beside doing nothing.
    compared = comparison.compare(models, evaluator.frame, results)
    first = next(iter(results.values()))
    nothing = [dataclasses.replace(each, scores=each.nothing) for each in first]
    return "\n".join(
        [
            "lower is better, but of ssim and psnr higher",
            comparison.aligned(comparison.table(compared, nothing)),
            *protocol_lines(first),
            *([protocol_text(first)] if config.protocol else []),
        ]
    )


def _images(config, runs, models):
    """The dataset, the form in which it is read, and what scores by it."""
    if config.dataset is None:
        run = next(iter(runs.values()))
        evaluator = evaluator_of_run(run, config)
        return run.dataset, run.domains, evaluator
    options = TrainConfig(dataset=config.dataset, **settings(config.dataset))
    if config.data_dir is not None:
        options = dataclasses.replace(options, data_dir=config.data_dir)
    dataset = Dataset.open(ensure_dataset(options))
    # As the first model was trained to see them, where it says how.
    direction, translate = next(iter(next(iter(models.values())).items()))
    frame, domains, size = options.frame, dataset.domains, translate.size
    if translate.frame is not None:
        frame, known = translate.frame, Domains(translate.source, translate.target)
        domains = Domains(*map(_ranged, domains, known.of(direction)))
    if config.image_size is not None:
        size = require_size("--image-size", config.image_size)
    if size is not None:
        frame = Frame(*size, frame.resize)
    return dataset, domains, open_evaluator(dataset, domains, frame, config)


def _ranged(domain, known):
    """A domain with the range that is known of one, if its images are of that kind."""
    is_same = (domain.channels, domain.dtype) == (known.channels, known.dtype)
    return known if is_same else domain


def is_one_run(config: EvaluateConfig) -> bool:
    """Whether it is one run, on its own images: what `scores.evaluate` is for."""
    path, *others = config.run_dirs
    return (path / CONFIG).is_file() and not others and config.dataset is None

"""The end of a run: its models, its scores, and what is said of them."""

import dataclasses

from cyclegan_tf.common.console import say, show
from cyclegan_tf.common.errors import InputError
from cyclegan_tf.common.files import write_bytes
from cyclegan_tf.evaluation import comparison, pictures
from cyclegan_tf.evaluation.results import DirectionScores, score_table
from cyclegan_tf.inference.trained import translators_of
from cyclegan_tf.runs import evaluations, history, saved
from cyclegan_tf.training.first_state import TEACHER
from cyclegan_tf.training.running import Run

LOSS_PLOT = "samples/losses.png"


def complete(run: Run) -> None:
    """Writes what a finished run lacks, or has only damaged."""
    try:
        saved.read_weights(run.path)
    except InputError as error:
        say(f"{error} It is written anew.")
        run.save_generators()
    if not _is_concluded(run):
        # It was stopped after the last checkpoint.
        conclude(run, run.evaluator.evaluate(run.model.trained_generators))
    say(
        f"{run.path} is finished: {run.config.epochs} epochs, {run.model.step} steps. "
        f"To train on give more --epochs; to begin anew, --restart."
    )


def _is_concluded(run):
    try:
        found = evaluations.evaluations_of(run.path, run.num_steps, run.config.weights)
    except InputError as error:
        say(f"{error} It is made anew.")
        return False
    return bool(found) and (run.path / LOSS_PLOT).is_file()


def conclude(run: Run, results: list[DirectionScores]) -> None:
    """Records and shows the scores of the end, and says where everything is."""
    weights = run.config.weights
    title = f"{run.path}, last: step {run.num_steps}, {weights} weights"
    table = score_table(results, title)
    try:
        rows = history.read_history(run.path / history.METRICS)
        plot = pictures.loss_plot(rows)
        write_bytes(run.path / LOSS_PLOT, plot)
    except OSError as error:
        say(f"warning: the curves cannot be written ({error.strerror})")
    show(table)
    about = {"checkpoint": "last", "weights": weights}
    evaluations.record_evaluation(run.path, run.num_steps, results, about)
    if run.model.teachers:
        _compare_with_teacher(run, results)
    try:
        best = saved.read_best(run.checkpoints)
    except InputError as error:
        say(str(error))
        best = {}
    if best:
        say(
            f"best by {best['best_by']}: step {best['step']} with {best['value']:.4g}; "
            f"--checkpoint best evaluates, exports, or translates with it"
        )
    say(
        f"finished: models in {run.path / saved.FOLDER}, pictures in "
        f"{run.path / 'samples'}"
    )


def _compare_with_teacher(run, results):
    """Shows and keeps what teacher and student cost, and their scores."""
    networks = {
        "teacher": run.model.teachers,
        "student": run.model.trained_generators,
    }
    scored = {
        "teacher": run.evaluator.evaluate(run.model.teachers),
        "student": results,
    }
    models = {name: translators_of(x, run.domains) for name, x in networks.items()}
    compared = comparison.compare(models, run.config.frame, scored)
    run.save_generators({x: dataclasses.asdict(cost) for x, cost in compared.items()})
    show(comparison.aligned(comparison.table(compared)))
    say(f"side by side: evaluate.py --report --run-dir {run.path} {run.path / TEACHER}")

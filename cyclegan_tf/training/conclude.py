"""The end of a run: its models, its scores, and what is said of them."""

import dataclasses
import shlex

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
    weights = run.config.weights
    try:
        saved.read_weights(run.path)
        found = evaluations.evaluations_of(run.path, run.num_steps, weights)
        is_concluded = bool(found) and (run.path / LOSS_PLOT).is_file()
    except InputError as error:
        say(f"{error} It is made anew.")
        is_concluded = False
    if not is_concluded:  # it may have been stopped after the last checkpoint
        run.save_generators()
        conclude(run, run.evaluator.evaluate(run.model.trained_generators))
    say(
        f"{run.path} is finished: {run.config.epochs} epochs, {run.model.step} steps. "
        f"To train on give more --epochs; to begin anew, --restart."
    )


def conclude(run: Run, results: list[DirectionScores]) -> None:
    """Records and shows the scores of the end, and says where everything is."""
    weights = run.config.weights
    title = f"{run.path}, last: step {run.num_steps}, {weights} weights"
    table = score_table(results, title)
    try:
        plot = pictures.loss_plot(history.read_history(run.path / history.METRICS))
        write_bytes(run.path / LOSS_PLOT, plot)
    except OSError as error:
        say(f"warning: the curves cannot be written ({error.strerror})")
    show(table)
    if run.model.teachers:
        _compare_with_teacher(run, results)
    # After all that is made of them: a run that has them is concluded, see `complete`.
    about = {"checkpoint": "last", "weights": weights}
    evaluations.record_evaluation(run.path, run.num_steps, results, about)
    try:
        if best := saved.read_best(run.checkpoints):
            say(
                f"best by {best['best_by']}: step {best['step']} with "
                f"{best['value']:.4g}; --checkpoint best evaluates, exports, or "
                f"translates with it"
            )
    except InputError as error:
        say(str(error))
    say(
        f"finished: models in {run.path / saved.FOLDER}, pictures in "
        f"{run.path / 'samples'}"
    )


def _compare_with_teacher(run, results):
    """Shows and keeps what teacher and student cost, and their scores."""
    teachers, students = run.model.teachers, run.model.trained_generators
    networks = {"teacher": teachers, "student": students}
    models = {name: translators_of(x, run.domains) for name, x in networks.items()}
    scored = {"teacher": run.evaluator.evaluate(teachers), "student": results}
    compared = comparison.compare(models, run.config.frame, scored)
    table = comparison.aligned(comparison.table(compared))
    figures = {name: dataclasses.asdict(each) for name, each in compared.items()}
    run.save_generators(compared=figures)
    show(table)
    both = shlex.join(map(str, (run.path, run.path / TEACHER)))
    say(f"side by side: evaluate.py --report --run-dir {both}")

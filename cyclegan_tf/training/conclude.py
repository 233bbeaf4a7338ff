"""The end of a run: its models, its scores, and what is said of them."""

import dataclasses

from cyclegan_tf.common.console import say, show
from cyclegan_tf.common.errors import InputError
from cyclegan_tf.common.files import write_bytes
from cyclegan_tf.evaluation import comparison, pictures
from cyclegan_tf.evaluation.results import score_table
from cyclegan_tf.inference.trained import translators_of
from cyclegan_tf.runs import evaluations, generators, history, saved
from cyclegan_tf.training.first_state import TEACHER
from cyclegan_tf.training.running import Run

LOSS_PLOT = "samples/losses.png"


def save_generators(run: Run, step: int, compared: dict | None = None) -> None:
    """Writes `model/`: both generators, and where they come from.

    Args:
        run: whose they are.
        step: of the run.
        compared: costs of teacher and student, of a student that has been scored.
    """
    if run.is_first:
        about = {
            "dataset": run.config.dataset_name,
            "step": step,
            "epochs": step / run.steps_per_epoch,
        } | ({"compared": compared} if compared else {})
        generators.save_generators(
            run.path, run.model.generators, about, run.model.averages
        )


def complete(run: Run) -> None:
    """Writes what a finished run lacks, or has only damaged."""
    try:
        generators.load_generators(run.path, weights=run.config.weights)
    except InputError as error:
        say(f"{error} It is written anew.")
        save_generators(run, run.model.step)
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


def conclude(run: Run, results: list) -> None:
    """Records and shows the scores of the end, and says where everything is."""
    try:
        rows = history.read_history(run.path / history.METRICS)
        write_bytes(run.path / LOSS_PLOT, pictures.loss_plot(rows))
    except OSError as error:
        say(f"warning: the curves cannot be written ({error.strerror})")
    weights = run.config.weights
    about = {"checkpoint": "last", "weights": weights}
    title = f"{run.path}, last: step {run.num_steps}, {weights} weights"
    show(score_table(results, title))
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
    model = run.model
    models = {
        "teacher": translators_of(model.teachers, run.domains),
        "student": translators_of(model.trained_generators, run.domains),
    }
    of_teacher = run.evaluator.evaluate(model.teachers)
    scored = {"teacher": of_teacher, "student": results}
    compared = comparison.compare(models, run.config.frame, scored)
    kept = {name: dataclasses.asdict(figures) for name, figures in compared.items()}
    save_generators(run, model.step, kept)
    show(comparison.aligned(comparison.table(compared)))
    say(f"side by side: evaluate.py --report --run-dir {run.path} {run.path / TEACHER}")

"""Scores the generators of a run, and says by which protocol.

    python evaluate.py --run-dir runs/synthetic/horse2zebra
    python evaluate.py --run-dir runs/NAME --checkpoint best --limit 100

    python evaluate.py --run-dir runs/ONE runs/OTHER --report

The numbers are added to scores.json in the run's directory.
"""

from cyclegan_tf.cli import arguments
from cyclegan_tf.common.console import show
from cyclegan_tf.config import EvaluateConfig


def main():
    """Parses, evaluates or writes a report, and prints the scores."""
    config = arguments.parse(EvaluateConfig, __doc__)
    with arguments.quiet_start():
        from cyclegan_tf.evaluation import report
        from cyclegan_tf.evaluation import scores as run_scores

    show(report.write(config) if config.report else run_scores.evaluate(config))


if __name__ == "__main__":
    with arguments.errors_in_one_line():
        main()

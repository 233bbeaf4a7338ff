"""Scores the generators of a run, and says by which protocol.

    python evaluate.py --run-dir runs/synthetic/horse2zebra
    python evaluate.py --run-dir runs/NAME --checkpoint best --limit 100

    python evaluate.py --run-dir runs/ONE runs/OTHER --report

The numbers are added to scores.json in the run's directory.
"""

from cyclegan_tf import command_line
from cyclegan_tf.config import EvaluateConfig
from cyclegan_tf.progress import show


def main():
    """Parses, evaluates or writes a report, and prints the scores."""
    config = command_line.parse(EvaluateConfig, __doc__)
    with command_line.quiet_start():
        from cyclegan_tf import report, run_scores

    show(report.write(config) if config.report else run_scores.evaluate(config))


if __name__ == "__main__":
    with command_line.errors_in_one_line():
        main()

"""Scores the generators of a run, and says by which protocol.

    %(prog)s                                      the run of the embedded dataset
    %(prog)s --run-dir runs/NAME --checkpoint best --limit 100
    %(prog)s --run-dir runs/ONE runs/OTHER --report

The numbers are added to scores.json in the run's directory.
"""

from collections.abc import Sequence

from cyclegan_tf.cli.arguments import parse, quiet_start
from cyclegan_tf.common.console import show
from cyclegan_tf.config import EvaluateConfig


def main(arguments: Sequence[str] | None = None) -> None:
    """Parses, evaluates or writes a report, and prints the scores."""
    config = parse(EvaluateConfig, __doc__, arguments=arguments)
    with quiet_start():
        from cyclegan_tf.evaluation import report, scores

    show(report.write(config) if config.report else scores.evaluate(config))

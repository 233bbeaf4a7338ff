"""Trains a CycleGAN on two sets of images without pairs.

    %(prog)s                                      the embedded dataset
    %(prog)s --dataset cycle_gan/horse2zebra      from TFDS
    %(prog)s --dataset photos/                    trainA/ trainB/, or A/ B/
    %(prog)s --run-dir runs/photos                continues that run

The same command again continues the run, too.
"""

import json
from collections.abc import Sequence

from cyclegan_tf.cli.arguments import parse, quiet_start
from cyclegan_tf.common.console import show
from cyclegan_tf.config import TrainConfig


def main(arguments: Sequence[str] | None = None) -> None:
    """Parses, and trains."""
    config = parse(TrainConfig, __doc__, arguments=arguments)
    if config.dry_run:
        show(json.dumps(config.resolved(), indent=2))
        return
    with quiet_start():
        from cyclegan_tf.training.run import train

    train(config)

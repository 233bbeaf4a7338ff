"""Trains a CycleGAN on two sets of images without pairs.

    python train.py                                      the embedded dataset
    python train.py --dataset cycle_gan/horse2zebra      from TFDS
    python train.py --dataset photos/                    trainA/ trainB/, or A/ B/

The same command again continues the run.
"""

import json

from cyclegan_tf.cli import arguments
from cyclegan_tf.config import TrainConfig


def main():
    """Parses, and trains."""
    config = arguments.parse(TrainConfig, __doc__)
    if config.dry_run:
        print(json.dumps(config.resolved(), indent=2))
        return
    with arguments.quiet_start():
        from cyclegan_tf.training.run import train

    train(config)


if __name__ == "__main__":
    with arguments.errors_in_one_line():
        main()

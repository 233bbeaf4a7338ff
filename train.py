"""Trains a CycleGAN on two sets of images without pairs.

    python train.py                                      the embedded dataset
    python train.py --dataset cycle_gan/horse2zebra      from TFDS
    python train.py --dataset photos/                    trainA/ trainB/, or A/ B/

The same command again continues the run.
"""

import json

from cyclegan_tf import command_line
from cyclegan_tf.config import TrainConfig


def main():
    """Parses, and trains."""
    config = command_line.parse(TrainConfig, __doc__)
    if config.dry_run:
        print(json.dumps(config.resolved(), indent=2))
        return
    with command_line.quiet_start():
        from cyclegan_tf.training import train

    train(config)


if __name__ == "__main__":
    with command_line.errors_in_one_line():
        main()

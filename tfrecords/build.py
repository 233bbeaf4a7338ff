"""Converts a dataset to TFRecord shards, without training on it.

python tfrecords/build.py cycle_gan/horse2zebra
"""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))

from cyclegan_tf.cli import arguments
from cyclegan_tf.common.console import show
from cyclegan_tf.config import DatasetConfig


def main():
    """Parses, converts, and prints what is there."""
    config = arguments.parse(DatasetConfig, __doc__, positionals=["dataset"])
    with arguments.quiet_start():
        from cyclegan_tf.data.convert import ensure_dataset, read_manifest

    directory = ensure_dataset(config)
    splits = read_manifest(directory)["splits"]
    counts = ", ".join(f"{name} {split['count']}" for name, split in splits.items())
    show(f"{directory}: {counts}")


if __name__ == "__main__":
    with arguments.errors_in_one_line():
        main()

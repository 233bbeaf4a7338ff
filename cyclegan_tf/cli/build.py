"""Converts a dataset to TFRecord shards, without training on it.

%(prog)s cycle_gan/horse2zebra
%(prog)s cycle_gan/horse2zebra --verify     also looks for damage
"""

from collections.abc import Sequence

from cyclegan_tf.cli.arguments import parse, quiet_start
from cyclegan_tf.common.console import show
from cyclegan_tf.config import BuildConfig


def main(arguments: Sequence[str] | None = None) -> None:
    """Parses, converts, and prints what is there."""
    config = parse(BuildConfig, __doc__, ["dataset"], arguments)
    with quiet_start():
        from cyclegan_tf.data.convert import ensure_dataset
        from cyclegan_tf.data.shards import read_manifest, verify

    directory = ensure_dataset(config)
    if config.verify:
        verify(directory)
    splits = read_manifest(directory)["splits"]
    counts = ", ".join(f"{name} {split['count']}" for name, split in splits.items())
    show(f"{directory}: {counts}")

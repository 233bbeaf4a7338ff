"""Looking for damage in a converted dataset.

A shard whose SHA-256 is that of `dataset.json` holds what was written, and all of that
had been decoded then. Of any other one, each record is read.
"""

import concurrent.futures
import pathlib

import numpy as np
import tensorflow as tf

from cyclegan_tf.common import checksums
from cyclegan_tf.common.console import progress_bar, say
from cyclegan_tf.common.errors import Damaged
from cyclegan_tf.data import pipeline
from cyclegan_tf.data.convert import read_manifest
from cyclegan_tf.data.loading import NUM_WORKERS

MAX_NAMED = 9  # records of a shard


def verify(directory: pathlib.Path) -> None:
    """Compares all shards of a dataset with their checksums, in parallel.

    Raises:
        Damaged: some are not what was written; each is said, with its bad records.
    """
    manifest = read_manifest(directory)
    splits = pipeline.read_index(directory, manifest)
    shards = [
        (splits[name], number, shard["sha256"])
        for name, split in manifest["splits"].items()
        for number, shard in enumerate(split["shards"])
    ]
    num_damaged = 0
    with (
        concurrent.futures.ThreadPoolExecutor(NUM_WORKERS) as threads,
        progress_bar(len(shards), f"verifying {directory}", " shards") as bar,
    ):
        for problem in threads.map(_problem_of, *zip(*shards, strict=True)):
            bar.update()
            if problem:
                num_damaged += 1
                say(problem)
    if num_damaged:
        raise Damaged(
            f"{num_damaged} of {len(shards)} shards are damaged (named above); delete "
            f"{directory} and run again to convert anew."
        )


def _problem_of(split, number, sha256):
    path = pathlib.Path(split.paths[number])
    if not path.is_file():
        return f"{path} is missing"
    if checksums.file_digest(path) == sha256:
        return None
    indices = np.flatnonzero(split.places[:, 0] == number)
    examples = pipeline.serialized_examples(
        split, tf.data.Dataset.from_tensor_slices(indices)
    )
    bad = [i for i, example in enumerate(examples.as_numpy_iterator()) if not example]
    named = ", ".join(map(str, bad[:MAX_NAMED])) or "none that can be read as one"
    more = f" and {len(bad) - MAX_NAMED} more" if len(bad) > MAX_NAMED else ""
    return f"{path} is damaged: records {named}{more} of {len(indices)}"

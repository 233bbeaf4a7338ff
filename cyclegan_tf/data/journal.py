"""The journal of an unfinished conversion, from which it goes on when it was ended.

It is a file of JSON lines: one for the source, and one for each finished shard, beside
which lies a file of what its images look like, for the check at the end.
"""

import collections
import contextlib
import json
import os
import pathlib
from typing import Any

import numpy as np

from cyclegan_tf.common import files
from cyclegan_tf.common.console import say
from cyclegan_tf.data.sources import SPLITS

NAME = "journal.jsonl"
MAX_NOTES = 9  # that differ, of what was left out of files


def finished_shards(
    directory: pathlib.Path, identity: dict[str, Any]
) -> dict[str, list[dict[str, Any]]]:
    """The lines of a conversion that was ended, by split; all else is removed.

    Args:
        directory: of the conversion; made if it is missing.
        identity: of the source; what another one left behind is removed, too.
    """
    path, finished = directory / NAME, []
    # There may be none, or its last line be cut off.
    with contextlib.suppress(OSError, ValueError), path.open("rb") as lines:
        if json.loads(next(lines, b"")) == identity:
            for line in map(json.loads, lines):
                shard = directory / line["shard"]["file"]
                is_whole = shard.stat().st_size == line["shard"]["bytes"]
                if not is_whole or len(looks(directory, line)) != len(line["lengths"]):
                    break
                finished.append(line)
    directory.mkdir(exist_ok=True)
    shards = [directory / line["shard"]["file"] for line in finished]
    for other in {*directory.iterdir()} - {path, *shards, *map(_looks_of, shards)}:
        other.unlink()
    text = "".join(json.dumps(line) + "\n" for line in (identity, *finished))
    files.write_text(path, text)
    return {name: [x for x in finished if x["split"] == name] for name in SPLITS}


def add(directory: pathlib.Path, line: dict[str, Any], looks: np.ndarray) -> None:
    """Adds the line of a shard that is on the disk now, and what its images look like.

    Args:
        directory: of the conversion.
        line: of JSON.
        looks: `(count,)`, without Python objects in it.
    """
    path = _looks_of(directory / line["shard"]["file"])
    np.save(path, looks)
    files.sync(path)
    with (directory / NAME).open("a", encoding="utf-8") as journal:
        journal.write(json.dumps(line) + "\n")
        journal.flush()
        os.fsync(journal.fileno())


def looks(directory: pathlib.Path, line: dict[str, Any]) -> np.ndarray:
    """What the images of a line look like."""
    return np.load(_looks_of(directory / line["shard"]["file"]), allow_pickle=False)


def tell_of_notes(lines: list[dict[str, Any]]) -> None:
    """Says of how many files what was left out or changed."""
    counts, firsts = collections.Counter(), {}
    for line in lines:
        for note, (count, first) in line["notes"].items():
            counts[note] += count
            firsts.setdefault(note, first)
    for note, count in counts.most_common(MAX_NOTES):
        say(f"of {count} files: {note} (such as {firsts[note]})")
    if rest := counts.total() - sum(n for _, n in counts.most_common(MAX_NOTES)):
        say(f"of {rest} files likewise other pages or bands")


def clear(directory: pathlib.Path) -> None:
    """Removes what only an unfinished conversion needs."""
    for path in (*directory.glob("*.npy"), directory / NAME):
        path.unlink(missing_ok=True)


def _looks_of(shard):
    return shard.with_suffix(".npy")

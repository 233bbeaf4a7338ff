"""The journal of an unfinished conversion, from which it goes on when it was ended.

It is a file of JSON lines: one for the source, and one for each finished shard.
"""

import contextlib
import json
import os
import pathlib
from typing import Any

from cyclegan_tf.common import files
from cyclegan_tf.data.sources import SPLITS

NAME = "journal.jsonl"


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
                file, size = line["shard"]["file"], line["shard"]["bytes"]
                if os.path.getsize(directory / file) != size:
                    break
                finished.append(line)
    directory.mkdir(exist_ok=True)
    kept = {NAME, *(line["shard"]["file"] for line in finished)}
    for other in directory.iterdir():
        if other.name not in kept:
            other.unlink()
    text = "".join(json.dumps(line) + "\n" for line in (identity, *finished))
    files.write_text(path, text)
    return {name: [x for x in finished if x["split"] == name] for name in SPLITS}


def add(directory: pathlib.Path, line: dict[str, Any]) -> None:
    """Adds the line of a shard that is on the disk now."""
    with (directory / NAME).open("a", encoding="utf-8") as journal:
        journal.write(json.dumps(line) + "\n")
        journal.flush()
        os.fsync(journal.fileno())

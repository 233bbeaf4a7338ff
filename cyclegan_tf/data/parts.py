"""The finished shards of a conversion, from which it goes on when it was ended.

What is known of each shard is written to a file of its own, which stays until the last
shard is finished.
"""

import contextlib
import dataclasses
import itertools
import json
import pathlib
import shutil
import zipfile
from typing import Any

import numpy as np

from cyclegan_tf.common import files
from cyclegan_tf.common.errors import Damaged
from cyclegan_tf.data.loading import Done
from cyclegan_tf.data.looks import Levels
from cyclegan_tf.data.sources import SPLITS

PARTS, IDENTITY = "parts", "source.json"
SHARD = "{}-{:05d}.tfrecord"
# Of a job: what its file was, and length and size of its image; 0 where it gave none.
ROW = np.dtype([("digest", "V16"), ("length", np.int64), ("size", np.int64, 2)])


@dataclasses.dataclass
class Part:
    """A shard of a split.

    Attributes:
        shard: what a manifest says of it.
        rows: of `ROW`, one for each job.
        looks: of `LOOK`, one for each image.
        levels: the values of its images.
        notes: what was left out or changed: of how many files, and one of them.
        forms: number of channels and type of images, and the name of one, of each kind.
    """

    shard: dict[str, Any]
    rows: np.ndarray
    looks: np.ndarray
    levels: Levels | None = None
    notes: dict[str, tuple[int, str]] = dataclasses.field(default_factory=dict)
    forms: list[tuple[int, str, str]] = dataclasses.field(default_factory=list)

    @property
    def images(self) -> np.ndarray:
        """The rows that gave images."""
        return self.rows[self.rows["length"] > 0]

    def note(self, done: Done) -> bool:
        """Notes what an image is like; returns whether its form is new."""
        image, known = done.image, {form[:2] for form in self.forms}
        self.levels = done.levels.joined(self.levels)
        if image.note:
            count, first = self.notes.get(image.note, (0, done.name))
            self.notes[image.note] = count + 1, first
        if (image.channels, image.dtype) in known:
            return False
        self.forms.append((image.channels, image.dtype, done.name))
        return True

    def save(self, directory: pathlib.Path) -> None:
        """Writes all that is known, beside the shards of a directory."""
        arrays = {"rows": self.rows, "looks": self.looks}
        about = json.dumps(vars(self) | dict.fromkeys(arrays))
        with files.written_aside(_path_of(directory, self.shard["file"])) as aside:
            np.savez(aside, about=about, **arrays)


def finished_parts(
    directory: pathlib.Path, identity: dict[str, Any]
) -> dict[str, list[Part]]:
    """The shards of a conversion that was ended, by split.

    What else is there is removed, and all that a source of another identity left.
    """
    path = directory / PARTS / IDENTITY
    with contextlib.suppress(FileNotFoundError, Damaged):
        if files.read_json(path, "") == identity:
            parts = {split: list(_read(directory, split)) for split in SPLITS}
            kept = {part.shard["file"] for x in parts.values() for part in x}
            for shard in directory.glob("*.tfrecord"):
                if shard.name not in kept:
                    shard.unlink()
            return parts
    shutil.rmtree(directory, ignore_errors=True)
    files.write_json(path, identity)
    return {split: [] for split in SPLITS}


def _path_of(directory, shard):
    return directory / PARTS / f"{shard}.npz"


def _read(directory, split):
    # It goes on with the first that is missing or damaged.
    with contextlib.suppress(OSError, ValueError, KeyError, zipfile.BadZipFile):
        for number in itertools.count():
            name = SHARD.format(split, number)
            with np.load(_path_of(directory, name), allow_pickle=False) as saved:
                about = json.loads(str(saved["about"]))
                part = Part(**about | {x: saved[x] for x in ("rows", "looks")})
            if (directory / name).stat().st_size != part.shard["bytes"]:
                return
            part.levels = Levels(*part.levels)
            yield part

"""A converted dataset, opened once and handed on: manifest, index, splits, lookup.

A directory holds `{trainA,trainB,testA,testB}-00000.tfrecord`, an `index.npz` with the
length of every serialized example by split, and the size of its image, and a
`dataset.json` that says what they are. Opening reads the latter two and compares the
index with its checksum; what is in the shards is compared with the checksums of its
records as it is read, and by `verify`.
"""

import concurrent.futures
import dataclasses
import glob
import operator
import os
import pathlib
from typing import Any

import numpy as np

from cyclegan_tf.common import checksums, files
from cyclegan_tf.common.console import progress_bar, say
from cyclegan_tf.common.errors import Damaged, InputError
from cyclegan_tf.config import DatasetConfig
from cyclegan_tf.data import records
from cyclegan_tf.data.domain import Domain, Domains
from cyclegan_tf.data.shards import Split, problem_of, remedy
from cyclegan_tf.data.sources import SPLITS

SCHEMA_VERSION = 3
MANIFEST = "dataset.json"
INDEX = "index.npz"


@dataclasses.dataclass(frozen=True)
class Dataset:
    """A converted dataset, whose manifest and index have been read.

    Attributes:
        directory: where its shards lie.
        manifest: the content of `dataset.json`.
        index: of each split `{name}`, the lengths of its examples, and `{name}_sizes`.
        left_out: by split, indices of images that it does without.
    """

    directory: pathlib.Path
    manifest: dict[str, Any]
    index: dict[str, np.ndarray]
    left_out: dict[str, np.ndarray] = dataclasses.field(default_factory=dict)

    @classmethod
    def open(cls, directory: pathlib.Path) -> "Dataset":
        """Reads the manifest and the index of a directory.

        Raises `InputError` if either is missing, damaged, or of another version.
        """
        manifest = read_manifest(directory)
        path = directory / INDEX
        digest = checksums.file_digest(path) if path.is_file() else None
        if digest != manifest["index_sha256"]:
            raise Damaged(f"{path} is damaged or missing; {remedy(directory)}.")
        with np.load(path) as arrays:
            return cls(directory, manifest, dict(arrays))

    @property
    def fingerprint(self) -> str:
        """What runs know the images by: a digest of all shards, wherever they are."""
        return self.manifest["fingerprint"]

    @property
    def whole(self) -> "Dataset":
        """The dataset with nothing left out."""
        return dataclasses.replace(self, left_out={})

    @property
    def is_paired(self) -> bool:
        """Whether test images i of both domains show the same scene."""
        return self.manifest["is_paired"]

    @property
    def domains(self) -> Domains:
        """The form of the images, with the range that they have by default."""
        return Domains.read(self.manifest["domains"])

    def split(self, name: str, domain: Domain | None = None) -> Split:
        """The images of a split, in the form of a domain, or as they are.

        Raises `Damaged` if a shard is missing, or has another size than it should.
        """
        split = self._places(name, domain or getattr(self.domains, name[-1].lower()))
        for path, shard in zip(split.paths, self._shards(name), strict=True):
            size = os.path.getsize(path) if os.path.isfile(path) else None
            if size != shard["bytes"]:
                found = "is missing" if size is None else f"has {size} bytes"
                expected = f"should have {shard['bytes']}"
                raise Damaged(
                    f"{path} {found}, and {expected}; {remedy(self.directory)}."
                )
        return split.without(self.left_out[name]) if name in self.left_out else split

    def splits(self, domains: Domains | None = None) -> dict[str, Split]:
        """All splits by name, their images read in the form that `domains` says."""
        domains = domains or self.domains
        return {
            name: self.split(name, getattr(domains, name[-1].lower()))
            for name in SPLITS
        }

    def verify(self) -> None:
        """Compares all shards with their SHA-256, in parallel.

        What is equal had been decoded when it was written. Of any other shard each
        record is read; its bad ones are said, and `Damaged` is raised.
        """
        shards = [
            (self._places(name, Domain()), number, shard["sha256"])
            for name in SPLITS
            for number, shard in enumerate(self._shards(name))
        ]
        num_damaged = 0
        with (
            concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as threads,
            progress_bar(len(shards), f"verifying {self.directory}", " shards") as bar,
        ):
            for problem in threads.map(problem_of, *zip(*shards, strict=True)):
                bar.update()
                if problem:
                    num_damaged += 1
                    say(problem)
        if num_damaged:
            raise Damaged(
                f"{num_damaged} of {len(shards)} shards are damaged (named above); "
                f"{remedy(self.directory)}."
            )

    def _shards(self, name):
        return self.manifest["splits"][name]["shards"]

    def _places(self, name, domain):
        """The split by the index alone, whatever became of its shards."""
        shards = self._shards(name)
        length, sizes = self.index[name], self.index[f"{name}_sizes"]
        ends = np.cumsum([0, *(shard["count"] for shard in shards)])
        shard = np.repeat(np.arange(len(shards)), np.diff(ends))
        number = np.arange(len(shard)) - ends[shard]
        if len(shard) != len(length):
            path = self.directory / MANIFEST
            raise Damaged(f"{path} is damaged; {remedy(self.directory)}.")
        # Where records would begin if all shards were one file, and then in their own.
        start = np.cumsum(length + records.OVERHEAD) - length - records.OVERHEAD
        start -= start[ends[shard]]
        paths = [str(self.directory / shard["file"]) for shard in shards]
        places = np.stack([shard, number, start, length], axis=1)
        # Earlier versions did not count these images.
        has_nodata = any(shard.get("nodata", 1) for shard in shards)
        return Split(name, paths, places, sizes, domain, has_nodata)


def find_dataset(config: DatasetConfig, fingerprint: str | None) -> Dataset | None:
    """The images of a run, where its data directory has them; nothing is converted.

    They are known by their fingerprint and not by their place: a folder of images that
    has changed since has shards of its own beside those of the run. Without one, as of
    imported models, it is the dataset of that name. Raises `InputError` if that is
    damaged, and the images are nowhere else.
    """
    data_dir = pathlib.Path(config.data_dir).expanduser()
    named = data_dir / config.dataset_name
    # Names may have one slash, as those of TFDS do; hidden is what is being written.
    # Not Path.glob, to which a folder that another process just renames is an error.
    places = (f"{glob.escape(str(data_dir))}/{x}/{MANIFEST}" for x in ("*", "*/*"))
    found = (pathlib.Path(p).parent for x in places for p in glob.iglob(x))
    others = sorted(found) if fingerprint else []
    problem = None
    for directory in dict.fromkeys([named, *others]):
        if not (directory / MANIFEST).is_file():
            continue
        try:
            manifest = read_manifest(directory)
        except InputError as error:
            if directory == named:
                problem = error
            continue
        if fingerprint in (None, manifest["fingerprint"]):
            return Dataset.open(directory)
    if problem:
        raise problem
    return None


def read_manifest(directory: pathlib.Path, any_version: bool = False) -> dict[str, Any]:
    """The content of a dataset's `dataset.json`.

    Raises `InputError` if it is missing, damaged, or of another schema version, or a
    file of the dataset is a link.
    """
    path = directory / MANIFEST
    checksums.require_no_links(directory)
    try:
        manifest = files.read_json(path, remedy(directory))
        manifest["source"]["kind"], manifest["fingerprint"], manifest["is_paired"]
        if manifest["schema_version"] != SCHEMA_VERSION:
            if any_version:
                return manifest
            raise InputError(f"{path} has another schema version; {remedy(directory)}.")
        for split in SPLITS:
            for shard in manifest["splits"][split]["shards"]:
                if pathlib.PurePath(shard["file"]).name != shard["file"]:
                    raise InputError(f"{path} names a file outside its directory.")
                operator.index(shard["count"]), shard["bytes"], shard["sha256"]
        manifest["index_sha256"]
        Domains.read(manifest["domains"])
    except FileNotFoundError:
        raise InputError(f"{path} is missing.") from None
    except (ValueError, KeyError, TypeError) as error:
        reason = f"{type(error).__name__}: {error}"
        raise Damaged(f"{path} is damaged ({reason}); {remedy(directory)}.") from None
    return manifest

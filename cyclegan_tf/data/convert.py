"""From a source to a dataset on disk, once.

A dataset is a directory `<data_dir>/<name>/`. Images that have changed get shards of
their own beside the earlier ones, `<name>@2/`, `<name>@3/` and so on; runs may have
been trained on the earlier, and nobody removes them but the user. What has been
converted is known by its content: copied, moved or touched files are the same dataset.

A dataset is written aside and renamed, so it is there whole or not at all; a conversion
that was ended goes on after the last shard that was finished.
"""

import contextlib
import glob
import hashlib
import pathlib
import secrets
import shutil
from typing import Any, NamedTuple

from cyclegan_tf.common import files
from cyclegan_tf.common.console import progress_bar, say
from cyclegan_tf.common.errors import InputError
from cyclegan_tf.common.locks import locked
from cyclegan_tf.config import DatasetConfig
from cyclegan_tf.data.check import check
from cyclegan_tf.data.dataset import (
    INDEX,
    MANIFEST,
    SCHEMA_VERSION,
    Dataset,
    read_manifest,
)
from cyclegan_tf.data.findings import FOUND
from cyclegan_tf.data.loading import digests_in_order
from cyclegan_tf.data.sharding import write_shards
from cyclegan_tf.data.sources import Source, find_source
from cyclegan_tf.data.sources.folder import is_on_disk


class Version(NamedTuple):
    """A converted dataset: its number, its place, and its manifest."""

    number: int
    directory: pathlib.Path
    manifest: dict[str, Any]

    @property
    def is_current(self) -> bool:
        """Whether this program can read it."""
        return self.manifest["schema_version"] == SCHEMA_VERSION


def ensure_dataset(config: DatasetConfig, check_anyway: bool = False) -> pathlib.Path:
    """Converts the dataset unless that has been done; returns its directory.

    What has just been converted is checked, see `check`; the embedded datasets, which
    are drawn, and what had been converted before, only with `check_anyway`. Raises
    `InputError` if the source cannot be used, or the directory is not ours.
    """
    data_dir = pathlib.Path(config.data_dir).expanduser()
    # A converted dataset can be used where its source cannot be reached, but the
    # embedded one follows its flags.
    before = [] if is_on_disk(config) else versions_of(data_dir, config.dataset_name)
    for version in before:
        if version.is_current and not _is_drawn(version.manifest["source"]):
            directory, is_new = version.directory, False
            break
    else:
        source = _source_of(config, before)
        directory, is_new = _converted(source, data_dir)
        is_new = is_new and not _is_drawn(source.identity)
    if not is_new:
        _tell_of_unused(directory)
    if check_anyway or is_new:
        for line in check(Dataset.open(directory)):
            say(line)
    return directory


def versions_of(data_dir: pathlib.Path, name: str) -> list[Version]:
    """All versions of a dataset, newest first; `InputError` for a damaged manifest."""
    first, found = data_dir / name, []
    for path in [first, *first.parent.glob(f"{glob.escape(first.name)}@*")]:
        number = "1" if path == first else path.name[len(first.name) + 1 :]
        if number.isdecimal() and (path / MANIFEST).is_file():
            manifest = read_manifest(path, any_version=True)
            if manifest.get("name", name) == name:  # and not another's of such a name
                found.append(Version(int(number), path, manifest))
    return sorted(found, reverse=True, key=lambda version: version.number)


def is_same(source: Source, manifest: dict[str, Any]) -> bool:
    """Whether a source has the images of a version, as far as can be seen from outside.

    Files that only have other times, as copies have, count as the same.
    """
    return _is_listed(source, manifest) or _is_alike(source, manifest)


def _tell_of_unused(directory):
    splits = read_manifest(directory)["splits"].values()
    if num_unused := sum(split["unreadable"] for split in splits):
        say(
            f"{directory}: {num_unused} of its files could not be used when it was "
            f"made; another --data-dir tries them again"
        )


def _is_drawn(made_from):
    return made_from["kind"] == "synthetic"


def _source_of(config, before):
    try:
        return find_source(config)
    except InputError as error:
        if not before:
            raise
        raise InputError(
            f"{before[0].directory} is of an earlier version of this program, and its "
            f"source, to convert it anew, cannot be reached: {error}"
        ) from None


def _converted(source, data_dir):
    """The dataset's directory, and whether it has been made just now."""
    looked_at = versions_of(data_dir, source.name)
    if directory := _found_among(looked_at, source):
        return directory, False
    first = data_dir / source.name
    first.parent.mkdir(parents=True, exist_ok=True)
    waiting = f"waiting for another process that is converting {first}"
    with locked(first.with_name(f".{first.name}.lock"), waiting) as is_alone:
        # Another process may have converted it meanwhile.
        before = versions_of(data_dir, source.name)
        new = [version for version in before if version not in looked_at]
        if directory := _found_among(new, source):
            return directory, False
        directory = _place_for(source, first, before)
        # Without locks each process has a folder of its own; the first one's is kept.
        own = "" if is_alone else f"-{secrets.token_hex(4)}"
        unfinished = first.with_name(f".unfinished-{first.name}{own}")
        manifest = write_shards(source, unfinished)
        while True:
            before = before if is_alone else versions_of(data_dir, source.name)
            for version in before:
                if version.manifest["fingerprint"] == manifest["fingerprint"]:
                    _adopt(version.directory, unfinished)
                    return version.directory, False
            try:
                files.put_in_place(unfinished, directory, replace=False)
                return directory, True
            except OSError as error:
                # Without locks another process may have been there first, just now.
                if is_alone or error.errno not in files.IS_TAKEN:
                    raise
                directory = _free_place(first)


def _found_among(versions, source):
    """Where the images of a source have been converted to, if they have.

    Where only places and times differ, the content of all files is compared, and the
    outcome is remembered.
    """
    current = [version for version in versions if version.is_current]
    for version in current:
        if _is_listed(source, version.manifest):
            return version.directory
    alike = [version for version in current if _is_alike(source, version.manifest)]
    if alike:
        say(f"{source.name}: its files have other times, comparing what is in them")
        content = _content_of(source)
    for directory, manifest in (version[1:] for version in alike):
        if manifest["content"]["sha256"] == content:
            made_from = source.identity | {"path": source.path}
            # A place that cannot be written to is as good.
            with contextlib.suppress(OSError):
                files.write_json(directory / MANIFEST, manifest | {"source": made_from})
            return directory
    return None


def _is_listed(source, manifest):
    """Whether names, sizes, times and options are those of what was converted."""
    return source.identity.items() <= manifest["source"].items()


def _is_alike(source, manifest):
    """Whether names, sizes and options are those of what was converted."""
    made_from = manifest["source"] | {"listing": None}
    return (
        source.sizes is not None
        and source.sizes == manifest.get("content", {}).get("sizes")
        and (source.identity | {"listing": None}).items() <= made_from.items()
    )


def _content_of(source):
    """The digest of the content of all files that a manifest has."""
    splits, total = source.open(), hashlib.sha256()
    count = sum(split.count for split in splits.values())
    jobs = (job for split in splits.values() for job in split.jobs)
    with progress_bar(count, f"reading {source.name}", " files", delay=2) as bar:
        for digest in digests_in_order(jobs):
            total.update(digest)
            bar.update()
    return total.hexdigest()


def _place_for(source, first, versions):
    """Where the images of a source, which is none of the versions, are to be converted.

    Raises `InputError` if something else, or other images, are in its place.
    """
    if first.exists() and not (first / MANIFEST).is_file():
        if not first.is_dir() or any(first.iterdir()):
            raise InputError(
                f"{first} exists but has no {MANIFEST}, so it was not made by this "
                f"program; move it away or choose another --data-dir."
            )
        first.rmdir()
    place = _free_place(first)
    if versions:
        newest = versions[0]
        _require_same_place(source, newest)
        changed = "source or options have" if newest.is_current else "format has"
        say(
            f"{newest.directory}: its {changed} changed, converting again, to {place}; "
            f"what is there stays for the runs that were trained on it"
        )
    return place


def _free_place(first):
    number, place = 1, first
    while place.exists():
        number += 1
        place = first.with_name(f"{first.name}@{number}")
    return place


def _require_same_place(source, newest):
    """Two folders of one name are told apart by where they lie, if both are there."""
    made_from = newest.manifest["source"]
    before, now = made_from.get("path"), source.path
    is_gone = before and not any(
        pathlib.Path(part).exists() for part in (before, *before.split(" and "))
    )
    if made_from["kind"] == source.identity["kind"] and (before == now or is_gone):
        return
    raise InputError(
        f"{newest.directory} was made from other images "
        f"({before or made_from['kind']}) than those of {now or source.name}; rename "
        f"either, or choose another --data-dir."
    )


def _adopt(directory, anew):
    """Lets a dataset that was made of the same images say of which files."""
    for name in (FOUND, INDEX, MANIFEST):
        files.write_bytes(directory / name, (anew / name).read_bytes())
    shutil.rmtree(anew, ignore_errors=True)
    say(f"{directory} holds the same images, and is used")

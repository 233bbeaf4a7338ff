"""The converted datasets of one name: `photos`, `photos@2`, `photos@3`, ...

Images that have changed get shards of their own beside the earlier ones, which runs may
have been trained on, and which nobody removes but the user. What has been converted is
known by its content: copied, moved or touched files are the same dataset.
"""

import contextlib
import glob
import hashlib
import pathlib
from typing import Any, NamedTuple

from cyclegan_tf.common import files
from cyclegan_tf.common.console import progress_bar, say
from cyclegan_tf.common.errors import InputError
from cyclegan_tf.data.dataset import MANIFEST, SCHEMA_VERSION, read_manifest
from cyclegan_tf.data.loading import digests_in_order
from cyclegan_tf.data.sources import Source


class Version(NamedTuple):
    """A converted dataset: its number, its place, and its manifest."""

    number: int
    directory: pathlib.Path
    manifest: dict[str, Any]

    @property
    def is_current(self) -> bool:
        """Whether this program can read it."""
        return self.manifest["schema_version"] == SCHEMA_VERSION


def versions_of(data_dir: pathlib.Path, name: str) -> list[Version]:
    """All versions of a dataset, the newest first.

    Raises:
        InputError: a manifest is damaged.
    """
    first, found = data_dir / name, []
    for path in [first, *first.parent.glob(f"{glob.escape(first.name)}@*")]:
        number = "1" if path == first else path.name[len(first.name) + 1 :]
        if number.isdecimal() and (path / MANIFEST).is_file():
            manifest = read_manifest(path, any_version=True)
            if manifest.get("name", name) == name:  # and not another's of such a name
                found.append(Version(int(number), path, manifest))
    return sorted(found, reverse=True, key=lambda version: version.number)


def version_of(source: Source, found: list[Version]) -> pathlib.Path | None:
    """Where the images of a source have been converted to.

    Where only places and times differ, the content of all files is compared, and the
    outcome is remembered.
    """
    current = [version for version in found if version.is_current]
    for version in current:
        if source.identity.items() <= version.manifest["source"].items():
            return version.directory
    alike = [v for v in current if is_alike(source, v.manifest)]
    if not alike:
        return None
    say(f"{source.name}: its files have other times, comparing what is in them")
    content = content_of(source)
    for version in alike:
        if version.manifest["content"]["sha256"] == content:
            remember(version.directory, version.manifest, source)
            return version.directory
    return None


def is_same(source: Source, manifest: dict[str, Any]) -> bool:
    """Whether a source has the images of a version, as far as can be seen from outside.

    Files that only have other times, as copies have, count as the same.
    """
    is_current = source.identity.items() <= manifest["source"].items()
    return is_current or is_alike(source, manifest)


def is_alike(source: Source, manifest: dict[str, Any]) -> bool:
    """Whether files have the names, the sizes and the options of those converted."""
    made_from = {"listing": None} | manifest["source"]
    options = source.identity | {"listing": None}
    sizes = manifest.get("content", {}).get("sizes")
    return (
        source.sizes is not None
        and source.sizes == sizes
        and options.items() <= (made_from | {"listing": None}).items()
    )


def content_of(source: Source) -> str:
    """A digest of the content of all files of a source."""
    splits, total = source.open(), hashlib.sha256()
    count = sum(split.count for split in splits.values())
    jobs = (job for split in splits.values() for job in split.jobs)
    with progress_bar(count, f"reading {source.name}", " files", delay=2) as bar:
        for digest in digests_in_order(source, jobs):
            total.update(digest)
            bar.update()
    return total.hexdigest()


def remember(directory: pathlib.Path, manifest: dict[str, Any], source: Source) -> None:
    """Writes where the files of a dataset lie now, and their times."""
    made_from = source.identity | {"path": source.path}
    with contextlib.suppress(OSError):  # a place that cannot be written to is as good
        files.write_json(directory / MANIFEST, manifest | {"source": made_from})


def place_for(
    source: Source, data_dir: pathlib.Path, found: list[Version]
) -> pathlib.Path:
    """Where the images of a source, which is none of the versions, are to be converted.

    Raises:
        InputError: what is there was made by something else, or of other images.
    """
    first = data_dir / source.name
    if first.exists() and not (first / MANIFEST).is_file():
        if not first.is_dir() or any(first.iterdir()):
            raise InputError(
                f"{first} exists but has no {MANIFEST}, so it was not made by this "
                f"program; move it away or choose another --data-dir."
            )
        first.rmdir()
    number, place = 1, first
    while place.exists():
        number += 1
        place = first.with_name(f"{first.name}@{number}")
    if found:
        _require_same_place(source, found[0])
        changed = "source or options have" if found[0].is_current else "format has"
        say(
            f"{found[0].directory}: its {changed} changed, converting again, to "
            f"{place}; what is there stays for the runs that were trained on it"
        )
    return place


def _require_same_place(source, newest):
    """Two folders of one name are told apart by where they lie, if both are there."""
    made_from = newest.manifest["source"]
    before, now = made_from.get("path"), source.path
    is_gone = before and not any(
        pathlib.Path(part).exists() for part in before.split(" and ")
    )
    if made_from["kind"] == source.identity["kind"] and (before == now or is_gone):
        return
    raise InputError(
        f"{newest.directory} was made from other images "
        f"({before or made_from['kind']}) than those of {now or source.name}; rename "
        f"either, or choose another --data-dir."
    )

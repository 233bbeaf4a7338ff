"""The files of one domain: pictures below a folder, or files of many pictures."""

import functools
import os
import pathlib
from collections import Counter
from collections.abc import Container, Iterator
from typing import NamedTuple

from cyclegan_tf.common.console import say
from cyclegan_tf.common.errors import InputError
from cyclegan_tf.config import flag
from cyclegan_tf.data import images, medical
from cyclegan_tf.data.sources import lists, parquet_files, record_files
from cyclegan_tf.data.sources.source import Job

MAX_SUFFIXES = 99  # named of files that are not read; the others are counted together
# What reads files of many pictures, by their suffix; all else are pictures.
READERS = {
    suffix: reader
    for reader in (record_files, parquet_files)
    for suffix in reader.SUFFIXES
}
TAKEN = images.SUFFIXES | {*READERS} | {*medical.VOLUME_SUFFIXES}


class Files(NamedTuple):
    """Pictures, or TFRecords or Parquet files of pictures.

    Attributes:
        root: the folder that they are below.
        names: in the folder.
        keeps_alpha: see `images.normalize`.
    """

    root: str
    names: list[str]
    keeps_alpha: bool = False

    def count(self) -> int:
        """How many pictures there are, of volumes and the like their slices."""
        if reader := self._reader():
            return sum(reader.count(f"{self.root}/{name}") for name in self.names)
        return sum(medical.num_slices(pathlib.Path(self.root, x)) for x in self.names)

    def jobs(self) -> Iterator[Job]:
        """Of each picture one."""
        reader = self._reader()
        found = reader.pictures(self.root, self.names) if reader else self._pictures()
        return (Job(name, content, self.keeps_alpha) for name, content in found)

    def _reader(self):
        """What reads them, if they are files of many pictures."""
        return READERS.get(suffix_of(self.names[0])) if self.names else None

    def _pictures(self):
        for name in self.names:
            path = pathlib.Path(self.root, name)
            if not medical.is_stack(path):
                yield name, str(path)
                continue
            stem = name[: len(name) - len(suffix_of(name))]
            for i, content in enumerate(_slices(path)):
                yield f"{stem}_{i:04d}", content

    def stamps(self, part: str) -> Iterator[tuple[str, str]]:
        """Name and size of each file of a split, and its time.

        They change when the files do, or what is made of them.
        """
        if self.keeps_alpha:
            yield "keeps alpha\0", ""
        for name in self.names:
            try:
                status = os.stat(os.path.join(self.root, name))
                size, time = status.st_size, f"{status.st_mtime_ns}\0"
            except OSError:  # vanished, or a link to nowhere
                size, time = "none", ""
            yield f"{part}\0{name}\0{size}\0", time


def _slices(path):
    """Of each slice of a file its picture, or what raises why it cannot be read."""
    left = medical.num_slices(path)
    try:
        for picture in medical.slices_of(path):
            yield picture
            left -= 1
    except images.UnreadableImage as error:
        yield from [functools.partial(_raise, error)] * left


def _raise(error):
    raise error


def suffix_of(name: str) -> str:
    """The suffix of a name in small letters, also one of two parts; or "".

    A number, as at the end of the names of many DICOM files, is none.
    """
    if name.lower().endswith(medical.VOLUME_SUFFIXES[1]):
        return medical.VOLUME_SUFFIXES[1]
    suffix = os.path.splitext(name)[1].lower()
    return "" if suffix[1:].isdigit() else suffix


def files_below(root: pathlib.Path, folder: str, may_lack: bool = False) -> Files:
    """All that a folder in `root` holds.

    Raises `InputError` for files of several kinds, or none, unless it may lack them.
    """
    names = image_files(root, folder, TAKEN)
    if not names and may_lack:
        return Files(str(root), [])
    return _of_one_kind(root, names, root / folder)


def files_named(option: str, given: str) -> Files:
    """What a folder, a file, a list of files, or a glob that an option names has.

    Raises `InputError` as `files_below`, and if nothing is there.
    """
    path = pathlib.Path(given).expanduser().resolve()
    if path.is_dir():
        if not path.name:
            raise InputError(f"{flag(option)} {given}: name a folder below the root.")
        return files_below(path.parent, path.name)
    if path.is_file() and path.suffix.lower() in lists.SUFFIXES:
        if not (found := lists.files_in(path)):
            raise InputError(f"{flag(option)} {given}: it names no files.")
    else:
        found = [path] if path.is_file() else globbed(path)
        found = [
            file
            for file in found
            if suffix_of(file.name) in TAKEN or medical.may_be_dicom(file)
        ]
    if not found:
        raise InputError(
            f"{flag(option)} {given}: no such folder, and no such files; expected a "
            f"folder of images, a list of them (.txt, .csv), or a folder or a quoted "
            f"glob of TFRecords or Parquet files."
        )
    root = pathlib.Path(os.path.commonpath([file.parent for file in found])).parent
    return _of_one_kind(root, [str(file.relative_to(root)) for file in found], given)


def globbed(path: pathlib.Path) -> list[pathlib.Path]:
    """Files that a glob names, sorted; `InputError` if it is none.

    `**` follows no links to folders, which may be loops.
    """
    within = pathlib.Path(path.anchor)
    try:
        found = list(within.glob(str(path.relative_to(within))))
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path}: {error}.") from None
    return sorted(
        file
        for file in found
        if file.is_file() and (_is_hidden(path) or not _is_hidden(file))
    )


def _is_hidden(path):
    return any(part.startswith(".") and part != ".." for part in path.parts)


def _of_one_kind(root, names, place):
    kinds = {READERS.get(suffix_of(name)) for name in names}
    if not kinds:
        found = "has no images" if os.path.isdir(place) else "is missing"
        raise InputError(
            f"{place} {found}; expected files of one domain in it: {images.KINDS}, "
            f"NIfTI volumes, or TFRecords or Parquet files of pictures."
        )
    if len(kinds) > 1:
        raise InputError(
            f"{place} holds files of several kinds, images, TFRecords or Parquet; keep "
            f"one kind in it."
        )
    return Files(str(root), names)


def image_files(
    root: pathlib.Path, folder: str = "", suffixes: Container[str] = images.SUFFIXES
) -> list[str]:
    """Files below `root`, or a folder in it, that have suffixes of images, or others.

    Their names below `root`, with slashes, sorted folder by folder. Hidden ones are
    left out. Links to files are followed wherever they lead, links to folders are not.
    What is passed over is said.
    """
    found, others = [], Counter()
    # Not os.walk, which before Python 3.12 ends with an error where folders are nested
    # a thousand times. The next comes last; folders end with a slash.
    waiting = [start := folder and f"{folder}/"]
    while waiting:
        name = waiting.pop()
        if name and not name.endswith("/"):
            found.append(name)
            continue
        try:
            inside = _scan(f"{root}/{name}", suffixes, others)
        except OSError as error:
            if name != start:
                say(f"skipped the folder {root}/{name[:-1]}: {error.strerror}")
            elif not isinstance(error, (FileNotFoundError, NotADirectoryError)):
                raise
            continue
        waiting += [name + each for each in inside]
    if others:
        named = others.most_common(MAX_SUFFIXES)
        if rest := others.total() - sum(count for _, count in named):
            named.append(("other", rest))
        counts = ", ".join(f"{count} {suffix}" for suffix, count in named)
        say(f"{root / folder}: not used: {counts} files")
    return found


def _scan(folder, suffixes, others):
    """Images and folders in a folder, the last first; counts what else there is."""
    names = []
    with os.scandir(folder) as entries:
        for entry in entries:
            suffix = suffix_of(entry.name)
            if entry.name.startswith("."):
                continue
            if entry.is_dir(follow_symlinks=False):
                names.append(f"{entry.name}/")
            elif entry.is_symlink() and os.path.isdir(entry.path):
                say(f"skipped {entry.path}: links to folders are not followed")
            elif suffix in suffixes or medical.may_be_dicom(pathlib.Path(entry.path)):
                names.append(entry.name)
            else:
                others[suffix or "suffixless"] += 1
    return sorted(names, key=lambda name: name.rstrip("/"), reverse=True)

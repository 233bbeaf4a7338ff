"""Checksums of files, so that what is read is what was written.

They reveal damage. They are no signatures: whoever can write a file can write its
checksum.
"""

import hashlib
import os
import pathlib
import zipfile

from cyclegan_tf.common.errors import Damaged, InputError
from cyclegan_tf.common.files import write_text

SUMS = "SHA256SUMS"
DIGEST_LENGTH = 64


def seal_zip(path: pathlib.Path, owner: str) -> None:
    """Makes a checksum of all bytes, and whose file it is, a zip file's comment.

    Args:
        path: of a zip file without a comment.
        owner: ASCII.
    """
    with zipfile.ZipFile(path, "a") as archive:
        archive.comment = f"{owner}:{'0' * DIGEST_LENGTH}".encode()
    digest = _digest(path, DIGEST_LENGTH)
    with path.open("r+b") as file:
        file.seek(-DIGEST_LENGTH, os.SEEK_END)
        file.write(digest.encode())


def check_zip(path: pathlib.Path) -> str:
    """Compares a zip file with its checksum; returns whose it is.

    Raises:
        Damaged: they differ.
        OSError: it cannot be read.
    """
    if zip_digest(path) != _digest(path, DIGEST_LENGTH):
        raise Damaged(f"{path} is damaged: its content and its checksum differ.")
    try:
        with zipfile.ZipFile(path) as archive:
            return archive.comment[: -DIGEST_LENGTH - 1].decode("ascii", "replace")
    except zipfile.BadZipFile as error:
        raise Damaged(f"{path} is damaged ({error}).") from None


def zip_digest(path: pathlib.Path) -> str:
    """The checksum that a zip file bears, unchecked."""
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - DIGEST_LENGTH))
        return file.read().decode("ascii", "replace")


def write_sums(folder: pathlib.Path, name: str = SUMS) -> None:
    """Writes the checksums of all files below a folder, for `sha256sum -c`.

    Args:
        folder: that the paths in the file start at.
        name: of the file to write, below the folder.
    """
    lines = [f"{file_digest(folder / x)}  {x}\n" for x in _files_below(folder, name)]
    write_text(folder / name, "".join(lines))


def check_sums(folder: pathlib.Path, name: str, remedy: str) -> None:
    """Compares the files below a folder with their checksums.

    Raises:
        Damaged: a file is damaged, missing, or not listed (hidden ones need not be).
        OSError: one cannot be read.
    """
    require_no_links(folder)
    path = folder / name
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
        listed = {file: digest for digest, file in (x.split("  ", 1) for x in lines)}
    except FileNotFoundError:
        raise Damaged(f"{path} is missing; {remedy}.") from None
    except ValueError as error:
        raise Damaged(f"{path} is damaged ({error}); {remedy}.") from None
    there = _files_below(folder, name)
    for file in there:
        if file in listed:
            if file_digest(folder / file) != listed[file]:
                raise Damaged(
                    f"{folder / file} is damaged: its checksum is not that of "
                    f"{path}; {remedy}."
                )
        elif not pathlib.PurePath(file).name.startswith("."):
            raise Damaged(f"{path} does not list {file}; {remedy}.")
    missing = sorted(listed.keys() - set(there))
    if missing:
        raise Damaged(f"{folder / missing[0]} is missing; {remedy}.")


def file_digest(path: pathlib.Path) -> str:
    """The SHA-256 of a file, in hexadecimal."""
    return _digest(path, 0)


def require_no_links(folder: pathlib.Path) -> None:
    """Refuses a folder in which a name stands for a file elsewhere.

    A folder from somebody else could so have other files read, or written to.

    Raises:
        InputError: there is a symbolic link; it is named.
    """
    for place, folders, files in os.walk(folder):
        for name in (*folders, *files):
            path = pathlib.Path(place, name)
            if path.is_symlink():
                raise InputError(
                    f"{path} is a symbolic link, which leads out of {folder}; put "
                    f"the file itself in its place."
                )


def _files_below(folder, but):
    paths = (p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())
    return sorted(path for path in paths if path != but)


def _digest(path, num_left_out):
    """The SHA-256 of a file but for its last bytes."""
    digest = hashlib.sha256()
    left = path.stat().st_size - num_left_out
    with path.open("rb") as file:
        while left > 0 and (block := file.read(min(left, 2**20))):
            digest.update(block)
            left -= len(block)
    return digest.hexdigest()

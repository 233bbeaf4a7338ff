"""Checksums of files, so that what is read is what was written.

They reveal damage. They are no signatures: whoever can write a file can write its
checksum.
"""

import hashlib
import pathlib

from cyclegan_tf.common.errors import Damaged, InputError
from cyclegan_tf.common.files import write_text

SUMS = "SHA256SUMS"


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
    there = set(_files_below(folder, name))
    hidden = {file for file in there if pathlib.PurePath(file).name.startswith(".")}
    for file in sorted(listed.keys() | (there - hidden)):
        if file not in there:
            raise Damaged(f"{folder / file} is missing; {remedy}.")
        if file not in listed:
            raise Damaged(f"{path} does not list {file}; {remedy}.")
        if file_digest(folder / file) != listed[file]:
            raise Damaged(
                f"{folder / file} is damaged: its checksum is not that of {path}; "
                f"{remedy}."
            )


def file_digest(path: pathlib.Path) -> str:
    """The SHA-256 of a file, in hexadecimal."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(2**20):
            digest.update(block)
    return digest.hexdigest()


def require_no_links(folder: pathlib.Path) -> None:
    """Refuses a folder in which a name stands for a file elsewhere.

    A folder from somebody else could so have other files read, or written to.

    Raises:
        InputError: there is a symbolic link; it is named.
    """
    for path in folder.rglob("*"):
        if path.is_symlink():
            raise InputError(
                f"{path} is a symbolic link, which leads out of {folder}; put the file "
                f"itself in its place."
            )


def _files_below(folder, but):
    paths = (p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())
    return sorted(path for path in paths if path != but)

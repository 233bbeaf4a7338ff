"""Checksums of files, so that what is read is what was written.

They reveal damage, and are no signatures: whoever writes a file can write its sum.
"""

import hashlib
import os
import pathlib

from cyclegan_tf.common.errors import Damaged, InputError
from cyclegan_tf.common.files import write_text

SUMS = "SHA256SUMS"


def write_sums(folder: pathlib.Path, name: str = SUMS) -> None:
    """Writes `folder/name`: checksums of all files below, for `sha256sum -c`."""
    lines = [f"{file_digest(folder / x)}  {x}\n" for x in _files_below(folder, name)]
    write_text(folder / name, "".join(lines))


def check_sums(folder: pathlib.Path, name: str, remedy: str) -> None:
    """Compares the files below a folder with their checksums in `folder/name`.

    Raises `Damaged` if one is damaged, missing, or not listed (hidden ones are none of
    ours), and `InputError` if one is a link.
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
    for file in sorted({*listed, *there}):
        if file not in there:
            raise Damaged(f"{folder / file} is missing; {remedy}.")
        if file not in listed:
            raise Damaged(f"{path} does not list {file}; {remedy}.")
        if file_digest(folder / file) != listed[file]:
            problem = f"its checksum is not that of {path}"
            raise Damaged(f"{folder / file} is damaged: {problem}; {remedy}.")


def file_digest(path: pathlib.Path) -> str:
    """The SHA-256 of a file, in hexadecimal."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(2**20):
            digest.update(block)
    return digest.hexdigest()


def require_no_links(folder: pathlib.Path) -> None:
    """Raises `InputError` for a symbolic link below a folder.

    One in a folder from somebody else could have other files read, or written to.
    """
    # Not Path.rglob, to which a folder that a training just replaces is an error.
    for parent, folders, names in os.walk(folder):
        for path in (pathlib.Path(parent, name) for name in (*folders, *names)):
            if path.is_symlink():
                raise InputError(
                    f"{path} is a symbolic link, which leads out of {folder}; put the "
                    f"file itself in its place."
                )


def _files_below(folder, but):
    files = [path for path in folder.rglob("[!.]*") if path.is_file()]
    return sorted({path.relative_to(folder).as_posix() for path in files} - {but})

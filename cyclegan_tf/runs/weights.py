"""Named arrays in a file: what checkpoints and trained generators are stored as.

An uncompressed `.npz`, read without pickle, so that loading one runs no code. The zip
format has a CRC-32 of each array, which is compared when it is read.
"""

import io
import pathlib
import zipfile
import zlib

import numpy as np

from cyclegan_tf.common.errors import Damaged

# What NumPy and zipfile raise for bytes that are no such file.
_UNREADABLE = (
    *(OSError, ValueError, EOFError, KeyError, NotImplementedError, RuntimeError),
    *(MemoryError, zipfile.BadZipFile, zlib.error),
)


def write_arrays(path: pathlib.Path, arrays: dict[str, np.ndarray]) -> None:
    """Writes arrays by name to a new `.npz` file."""
    with path.open("wb") as file:
        np.savez(file, **arrays)


def read_arrays(
    path: pathlib.Path, prefix: str | tuple[str, ...] = ""
) -> dict[str, np.ndarray]:
    """The arrays of a file whose names begin with `prefix`, or one of them.

    Raises:
        Damaged: the file is missing, damaged, or holds anything but numbers.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
            # Nothing that would be larger in memory than it is on the disk.
            if sum(member.file_size for member in members) > path.stat().st_size:
                raise ValueError("its arrays are larger than the file")
            return {
                name: np.lib.format.read_array(io.BytesIO(archive.read(member)))
                for member in members
                if (name := member.filename.removesuffix(".npy")).startswith(prefix)
            }
    except _UNREADABLE as error:
        raise Damaged(f"{path} is damaged ({error}).") from None

"""Parquet files of pictures, as data sets on the Hugging Face Hub are.

The column of pictures is of structs `bytes` and `path`, or of the content of files.
"""

import os
from collections.abc import Iterator

from cyclegan_tf.common.errors import InputError

SUFFIXES = frozenset([".parquet"])
COLUMN = "image"
# Rows, and bytes, at a time. Arrow holds about two row groups all the same, which have
# 100 pictures each on the Hub, and many more by its defaults, which fetch ahead.
BATCH, BUFFER = 16, 2**20


def count(path: str) -> int:
    """The number of rows, by the end of a file; `InputError` if it is no such file."""
    with _opened(path) as file:
        return file.metadata.num_rows


def pictures(root: str, names: list[str]) -> Iterator[tuple[str, bytes]]:
    """The pictures of the files, one after the other, each after its name.

    Of a row without one, no bytes. Raises `InputError` if a file is damaged, or has no
    column of pictures.
    """
    for name in names:
        path = os.path.join(root, name)
        with _opened(path) as file:
            column = _column_of(path, file.schema_arrow)
            for number, found in enumerate(_values(path, file, column)):
                own = ""
                if isinstance(found, dict):
                    found, own = found["bytes"], found.get("path")
                yield f"{name}/{own or f'{number:06d}'}", found or b""


def _opened(path):
    import pyarrow
    from pyarrow import parquet

    try:
        return parquet.ParquetFile(path, pre_buffer=False, buffer_size=BUFFER)
    except (pyarrow.ArrowException, OSError) as error:
        _require_of_file(path, error)
        raise InputError(f"{path} is no whole Parquet file: {error}") from None


def _column_of(path, schema):
    """The column called image, or the only one that may have pictures."""
    fitting = [field.name for field in schema if _may_have_pictures(field.type)]
    if COLUMN in fitting:
        return COLUMN
    if len(fitting) != 1:
        raise InputError(
            f"{path} has no column {COLUMN} with the bytes of files; its columns are: "
            f"{', '.join(schema.names) or 'none'}."
        )
    return fitting[0]


def _may_have_pictures(kind):
    from pyarrow import types

    if types.is_struct(kind):
        index = kind.get_field_index("bytes")
        return index >= 0 and _may_have_pictures(kind.field(index).type)
    return types.is_binary(kind) or types.is_large_binary(kind)


def _values(path, file, column):
    import pyarrow

    try:
        for batch in file.iter_batches(BATCH, columns=[column]):
            yield from batch.column(0).to_pylist()
    except (pyarrow.ArrowException, OSError) as error:
        _require_of_file(path, error)
        raise InputError(f"{path} is damaged: {error}") from None


def _require_of_file(path, error):
    """Raises what the system says of a disk: a conversion goes on after it."""
    if isinstance(error, OSError) and error.errno is not None:
        raise OSError(error.errno, os.strerror(error.errno), path) from None

"""Writing to disk so that a reader never sees half a file."""

import contextlib
import os
import pathlib
import shutil
from collections.abc import Iterator

PARTIAL = ".partial-"


@contextlib.contextmanager
def written_aside(path: pathlib.Path) -> Iterator[pathlib.Path]:
    """Yields a path beside `path` to write to; renames it to `path` at the end.

    If the block raises, what was written is removed and `path` is untouched. The
    file is flushed to the disk before it is renamed, so that after a power cut the
    name stands for the whole old or the whole new content.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(f"{PARTIAL}{path.name}")  # keeps the suffix, as Keras needs
    try:
        yield aside
        sync(aside)
        os.replace(aside, path)
        sync(path.parent)
    except BaseException as error:
        if isinstance(error, OSError) and error.filename is None:
            error.filename = str(path)  # a write that fails does not know where to
        # The disk may be full or gone: the first error is the one to tell.
        with contextlib.suppress(OSError):
            aside.unlink(missing_ok=True)
        raise


@contextlib.contextmanager
def folder_written_aside(path: pathlib.Path) -> Iterator[pathlib.Path]:
    """Yields a new folder beside `path`; renames it to `path`, which must not exist.

    If the block raises, the folder is removed and there is no `path`.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(f"{PARTIAL}{path.name}")
    shutil.rmtree(aside, ignore_errors=True)
    aside.mkdir()
    try:
        yield aside
        os.rename(aside, path)
        sync(path.parent)
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def write_text(path: pathlib.Path, text: str) -> None:
    """Writes a UTF-8 text file aside and renames it."""
    with written_aside(path) as aside:
        aside.write_text(text, encoding="utf-8")


def sync(path: pathlib.Path) -> None:
    """Flushes a file's content, or a directory's names, to the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)

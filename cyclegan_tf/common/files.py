"""Writing to disk so that a reader never sees half a file or folder."""

import contextlib
import errno
import hashlib
import json
import os
import pathlib
import re
import secrets
import shutil
from collections.abc import Iterator
from typing import Any, BinaryIO

from cyclegan_tf.common.errors import Damaged, InputError
from cyclegan_tf.common.locks import NO_LOCKS, hold

PARTIAL = ".partial-"
EARLIER = ".earlier-"
# What a folder cannot be renamed for, to one that has something in it.
IS_TAKEN = (errno.ENOTEMPTY, errno.EEXIST)
ADDRESS = re.compile(r"[a-z][a-z0-9+.-]+://|(hf|huggingface|gs|s3a?):", re.IGNORECASE)


def require_local(flag: str, value: str | os.PathLike | None) -> None:
    """Raises `InputError` for an address elsewhere, or a home of nobody."""
    try:
        pathlib.Path(value or "").expanduser()
    except RuntimeError:
        raise InputError(
            f"{flag} {value}: there is no such user; of a name that begins with ~ "
            f"write ./{value}."
        ) from None
    if value and ADDRESS.match(os.fspath(value)):
        raise InputError(
            f"{flag} {value}: only local paths work; copy inputs here first, or mount "
            f"them, and copy results there afterwards, say with `rclone copy` (see "
            f"Buckets in docs/training.md)."
        )


def require_utf8(flag: str, path: str | os.PathLike) -> None:
    """Raises `InputError` for a name of other bytes: TensorFlow cannot write there."""
    try:
        os.fspath(path).encode()
    except UnicodeEncodeError:
        raise InputError(
            f"{flag} {os.fspath(path)!r}: the name is not UTF-8, and TensorFlow cannot "
            f"write there; rename the folder, or choose another."
        ) from None


def with_name(path: str | os.PathLike) -> pathlib.Path:
    """A path as it is given; of `.` and `..`, which end in no name, the whole."""
    path = pathlib.Path(path).expanduser()
    return path.resolve() if path.name in ("", "..") else path


def require_folder(flag: str, path: pathlib.Path) -> None:
    """Raises `InputError` where a file is in the place of a folder, or of one above."""
    for each in (path, *path.parents):
        if each.exists() and not each.is_dir():
            raise InputError(f"{flag} {path}: {each} is a file; name a folder.")


class Claim:
    """A file that one process makes, of several that may be about to.

    It is written `aside`. It ends with the `with` block, or with the process: what a
    killed one has begun is taken over by the next.
    """

    def __init__(self, path: pathlib.Path, aside: pathlib.Path, file: BinaryIO):
        self.path, self.aside = path, aside
        self._file, self._is_over = file, False

    def keep(self) -> None:
        """Puts what was written into its place.

        It is flushed to the disk before: after a power cut the name stands for the
        whole old or the whole new content.
        """
        sync(self.aside)
        os.replace(self.aside, self.path)
        self._is_over = True  # from now on the name aside may be another process's
        sync(self.path.parent)

    def drop(self) -> None:
        """Gives up what was not kept; again, nothing."""
        # The disk may be full or gone: the first error is the one to tell.
        with contextlib.suppress(OSError):
            if not self._is_over:
                self.aside.unlink(missing_ok=True)
        self._is_over = True
        self._file.close()

    def __enter__(self):
        return self

    def __exit__(self, kind, error, traceback):
        _rename_in(error, self.aside, self.path)
        self.drop()


def claim(path: pathlib.Path) -> Claim | None:
    """Claims a file that is to be made; None while another process has it.

    On a file system without locks, where that is not known, each has it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    digest = hashlib.sha256(os.fsencode(path.name)).hexdigest()[:16]
    aside = path.with_name(f"{PARTIAL}{digest}{path.suffix}")
    try:
        # A link there may lead to another file, in a folder from somebody else.
        if aside.is_symlink():
            aside.unlink()
        file = hold(aside)
    except OSError as error:
        if error.errno in NO_LOCKS:
            aside.unlink(missing_ok=True)
            return _unlocked(path)
        _rename_in(error, aside, path)
        raise
    if file is None:
        return None
    file.truncate()
    return Claim(path, aside, file)


def _unlocked(path):
    aside = path.with_name(f"{PARTIAL}{secrets.token_hex(8)}{path.suffix}")
    return Claim(path, aside, aside.open("xb"))


def _rename_in(error, aside, path):
    """Has an error of the system name a path, and not what is written aside of it."""
    if isinstance(error, OSError):
        name = str(error.filename or aside)  # a failed write does not know where to
        error.filename = name.replace(str(aside), str(path), 1)


@contextlib.contextmanager
def written_aside(path: pathlib.Path) -> Iterator[pathlib.Path]:
    """Yields a path beside `path` to write to; renames it to `path` at the end.

    If the block raises, `path` is untouched. Of several processes that write a path at
    the same time the last one's content stays.
    """
    with claim(path) or _unlocked(path) as claimed:
        yield claimed.aside
        claimed.keep()


@contextlib.contextmanager
def folder_written_aside(path: pathlib.Path) -> Iterator[pathlib.Path]:
    """Yields a new folder beside `path`; puts it in the place of `path` at the end.

    If the block raises, `path` is untouched. One process at a time may write a path.
    """
    mend(path)
    aside = _aside(path)
    try:
        aside.mkdir(parents=True)
        yield aside
        put_in_place(aside, path)
    except OSError as error:
        _rename_in(error, aside, path)
        raise
    finally:
        mend(path)


def put_in_place(
    folder: pathlib.Path, path: pathlib.Path, replace: bool = True
) -> None:
    """Renames a folder to `path`; what is there already is for `mend` to remove.

    All files are flushed to the disk before. Not to `replace` what is there is one of
    the errors `IS_TAKEN`.
    """
    for content in (*folder.rglob("*"), folder):
        sync(content)
    if replace and path.exists():
        os.rename(path, _earlier(path))  # a folder cannot be renamed over another
    os.rename(folder, path)
    sync(path.parent)


def mend(path: pathlib.Path) -> None:
    """Removes what a writer of a folder has left; with no `path`, restores it."""
    earlier = _earlier(path)
    # The first error is the one to tell; what stays is mended the next time.
    with contextlib.suppress(OSError):
        if earlier.exists() and not path.exists():
            os.rename(earlier, path)
    shutil.rmtree(_aside(path), ignore_errors=True)
    if path.exists():
        shutil.rmtree(earlier, ignore_errors=True)


def current(path: pathlib.Path) -> pathlib.Path:
    """Where a folder is that may be being replaced, or was when a kill came."""
    return path if path.exists() or not _earlier(path).exists() else _earlier(path)


def remove_remains(folder: pathlib.Path) -> None:
    """Removes files that killed processes had begun to write, in subfolders, too.

    What another process is writing just now, as evaluate.py its scores, is left to it.
    """
    for parent, _, names in os.walk(folder):
        for path in (pathlib.Path(parent, x) for x in names if x.startswith(PARTIAL)):
            if not path.is_file():
                continue
            try:
                file = hold(path)
            except OSError:  # a link, or no locks to tell by
                file = contextlib.nullcontext()
            if file is not None:
                with file:
                    path.unlink(missing_ok=True)


def write_text(path: pathlib.Path, text: str) -> None:
    """Writes a UTF-8 text file aside and renames it."""
    write_bytes(path, text.encode())


def write_bytes(path: pathlib.Path, content: bytes) -> None:
    """Writes a file aside and renames it."""
    with written_aside(path) as aside:
        aside.write_bytes(content)


def write_json(path: pathlib.Path, content: dict[str, Any]) -> None:
    """Writes a JSON file aside and renames it."""
    write_text(path, json.dumps(content, indent=2) + "\n")


def read_json(path: pathlib.Path, remedy: str) -> dict[str, Any]:
    """The object in a JSON file; `remedy` says what to do about a `Damaged` one."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(content, dict):
            raise ValueError("not a JSON object")
    except (ValueError, RecursionError) as error:
        raise Damaged(f"{path} is damaged ({error}); {remedy}.") from None
    return content


def sync(path: pathlib.Path) -> None:
    """Flushes a file's content, or a directory's names, to the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _aside(path):
    return path.with_name(f"{PARTIAL}{path.name}")


def _earlier(path):
    return path.with_name(f"{EARLIER}{path.name}")

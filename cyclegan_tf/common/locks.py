"""Files that one process holds until it ends, however it ends."""

import contextlib
import errno
import fcntl
import os
import pathlib
from collections.abc import Iterator
from typing import BinaryIO

from cyclegan_tf.common.console import say

LOCK = ".lock"
ATTEMPTS = 100  # at a folder that others remove
# What a file system says that has no locks.
NO_LOCKS = (errno.ENOSYS, errno.ENOLCK, errno.ENOTSUP)


def hold(path: pathlib.Path, how: int = fcntl.LOCK_NB) -> BinaryIO | None:
    """Opens a file that is this process's until it is closed; None: it is another's.

    With `how` 0 it waits. A file system without locks raises one of `NO_LOCKS`.
    """
    while True:
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o666)
        with contextlib.ExitStack() as stack:
            file = stack.enter_context(os.fdopen(handle, "r+b"))
            try:
                fcntl.flock(file, fcntl.LOCK_EX | how)
                # Whoever had it before may have renamed or removed it meanwhile.
                if os.path.samestat(os.fstat(handle), os.stat(path)):
                    stack.pop_all()
                    return file
            except BlockingIOError:
                return None
            except FileNotFoundError:
                pass


@contextlib.contextmanager
def locked(path: pathlib.Path, waiting: str | None = None) -> Iterator[bool]:
    """Holds a lock file until the end of the `with` block, or of the process.

    While another process holds it, that says `waiting` and waits, or is a
    `TimeoutError`. Where the file system has no locks, nobody waits: it yields whether
    there is one.
    """
    is_alone = True
    try:
        file = hold(path)
        if file is None and waiting is None:
            raise TimeoutError(f"{path} is held by another process")
        if file is None:
            say(waiting)
            file = hold(path, how=0)
    except OSError as error:
        if error.errno not in NO_LOCKS:
            raise
        file, is_alone = contextlib.nullcontext(), False
    with file:
        yield is_alone


@contextlib.contextmanager
def locked_folder(path: pathlib.Path, waiting: str | None = None) -> Iterator[None]:
    """Makes a folder and holds it for this process alone, as `locked` does.

    What was made is removed again if nothing is in it at the end.
    """
    with contextlib.ExitStack() as stack:
        for attempts_left in reversed(range(ATTEMPTS)):
            made = [folder for folder in (path, *path.parents) if not folder.exists()]
            try:
                path.mkdir(parents=True, exist_ok=True)
                stack.enter_context(locked(path / LOCK, waiting))
                break
            # Another process, that held it and kept nothing, may just remove it.
            except (FileNotFoundError, FileExistsError):
                if not attempts_left:
                    raise
        try:
            yield
        finally:
            with contextlib.suppress(OSError):
                if made and os.listdir(path) == [LOCK]:
                    (path / LOCK).unlink()
                for folder in made:
                    folder.rmdir()  # fails where something was kept

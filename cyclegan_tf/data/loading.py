"""Worker processes, which make pictures of the jobs of a source."""

import concurrent.futures
import contextlib
import itertools
import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from cyclegan_tf.data.images import UnreadableImage
from cyclegan_tf.data.sources import Loaded, Split

# Below this, starting processes takes longer than the work.
MIN_PARALLEL_JOBS = 48


def load_in_order(
    load: Callable[[Any], Loaded], splits: Iterable[Split]
) -> Iterator[tuple[Loaded | None, str, str | None]]:
    """Loads the jobs of all splits in parallel; results come in the order of the jobs.

    Few results wait in memory at any time.

    Yields:
        `(loaded, name, None)`, or `(None, name, problem)` for an unreadable image.
    """
    splits = list(splits)
    jobs = itertools.chain.from_iterable(split.jobs for split in splits)
    if sum(split.count for split in splits) < MIN_PARALLEL_JOBS:
        yield from (_load(load, job) for job in jobs)
        return
    # Not forked: a fork of a process with TensorFlow's threads can hang.
    context = multiprocessing.get_context("spawn")
    num_workers = os.cpu_count() or 1
    with concurrent.futures.ProcessPoolExecutor(
        num_workers, context, initializer=_begin_worker
    ) as executor:
        waiting = deque()
        try:
            for job in jobs:
                with _interrupts_held_back():
                    waiting.append(executor.submit(_load, load, job))
                if len(waiting) >= 8 * num_workers:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()


@contextlib.contextmanager
def _interrupts_held_back():
    """Ctrl-C reaches every process of a terminal: workers begun in here ignore it."""
    if not hasattr(signal, "pthread_sigmask"):
        yield  # not on Windows
        return
    received = []
    # Another thread may take the signal, and Python then raises it in this one.
    previous = signal.signal(signal.SIGINT, lambda *_: received.append(True))
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
        signal.signal(signal.SIGINT, previous)
    if received:
        signal.raise_signal(signal.SIGINT)


def _begin_worker():
    def end_with_parent():
        # A parent that is killed tells nobody, and its workers would wait for ever.
        multiprocessing.parent_process().join()
        os._exit(1)

    threading.Thread(target=end_with_parent, daemon=True).start()


def _load(load, job):
    try:
        loaded = load(job)
        return loaded, loaded.filename, None
    except UnreadableImage as error:
        return None, str(job[-1]), str(error)

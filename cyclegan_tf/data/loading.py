"""Worker processes, which make pictures of the jobs of a source."""

import concurrent.futures
import functools
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from cyclegan_tf.common.processes import (
    CONTEXT,
    end_with_parent,
    interrupts_held_back,
)
from cyclegan_tf.data.images import UnreadableImage
from cyclegan_tf.data.sources import Loaded

# Below this, starting processes takes longer than the work.
MIN_PARALLEL_JOBS = 48
NUM_WORKERS = os.cpu_count() or 1


def load_in_order(
    load: Callable[[Any], Loaded], jobs: Iterable[Any], count: int
) -> Iterator[tuple[Loaded | None, str, str | None]]:
    """Loads jobs in parallel processes; results come in the order of the jobs.

    Args:
        load: makes a picture of a job, see `Source`.
        jobs: are taken as they are needed.
        count: about how many jobs there are.

    Yields:
        `(loaded, name, None)`, or `(None, name, problem)` for an unreadable image.
    """
    work = functools.partial(_load, load)
    if count < MIN_PARALLEL_JOBS:
        yield from map(work, jobs)
        return
    with concurrent.futures.ProcessPoolExecutor(
        NUM_WORKERS, CONTEXT, initializer=end_with_parent
    ) as executor:
        yield from in_order(executor, work, jobs)


def in_order(
    executor: concurrent.futures.Executor, function: Callable, items: Iterable
) -> Iterator:
    """Results in the order of their items, computed in parallel; few wait in memory."""
    waiting = deque()
    try:
        for item in items:
            with interrupts_held_back():
                waiting.append(executor.submit(function, item))
            if len(waiting) >= 8 * NUM_WORKERS:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        for future in waiting:
            future.cancel()


def _load(load, job):
    try:
        loaded = load(job)
        return loaded, loaded.filename, None
    except UnreadableImage as error:
        return None, str(job[-1]), str(error)

"""Threads, which make examples of the jobs of a source; each image is decoded once.

Pillow, imagecodecs, TensorFlow and NumPy give up Python's lock while they work, so
threads use all cores, and need no second interpreter, which would run the user's script
once more. What could hurt them is refused before it is decoded, see `images`.
"""

import concurrent.futures
import functools
import itertools
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

import numpy as np

from cyclegan_tf.data import copies, profiles, records
from cyclegan_tf.data.images import EncodedImage, UnreadableImage
from cyclegan_tf.data.picture import Picture, filled
from cyclegan_tf.data.sources import Source

NUM_WORKERS = os.cpu_count() or 1
CHUNK = 8  # jobs: to hand on each by itself takes a tenth of decoding it
MAX_LEVELS = 64  # distinct values that are listed
MAX_LABELS = 32


class Done(NamedTuple):
    """What became of a job.

    Attributes:
        name: of the image.
        problem: why it cannot be used; None if it can, and what follows is there.
        digest: of the content that it was made from; empty if there is none.
        serialized: its example.
        image: its form; the bytes are left out.
        levels: all its values where they are few, and else the smallest and largest.
        looks: of type `copies.LOOK`, one; empty where it was not asked for.
    """

    name: str
    problem: str | None = None
    digest: bytes = b""
    serialized: bytes = b""
    image: EncodedImage | None = None
    levels: "Levels | None" = None
    looks: tuple[np.void, ...] = ()


class Levels(NamedTuple):
    """Which values images have.

    Attributes:
        low, high: the smallest and the largest.
        values: all of them in their order, or None where they are more than 64.
    """

    low: float
    high: float
    values: tuple[float, ...] | None

    @property
    def are_labels(self) -> bool:
        """Whether so few values are classes more likely, as in masks and label maps."""
        return self.values is not None and len(self.values) <= MAX_LABELS

    def joined(self, other: "Levels | None") -> "Levels":
        """Those of both."""
        if other is None:
            return self
        values = None
        if self.values is not None and other.values is not None:
            values = tuple(sorted({*self.values, *other.values}))
            values = values if len(values) <= MAX_LEVELS else None
        return Levels(min(self.low, other.low), max(self.high, other.high), values)


def load_in_order(source: Source, jobs: Iterable, with_looks: bool) -> Iterator[Done]:
    """What becomes of jobs, in parallel and in their order; they are taken as needed.

    Args:
        source: makes pictures of the jobs.
        jobs: of its splits.
        with_looks: whether to say what the images look like.
    """
    jobs, work = iter(jobs), functools.partial(_work, source, with_looks)
    chunks = iter(lambda: list(itertools.islice(jobs, CHUNK)), [])
    with concurrent.futures.ThreadPoolExecutor(NUM_WORKERS) as threads:
        yield from itertools.chain.from_iterable(in_order(threads, work, chunks))


def digests_in_order(source: Source, jobs: Iterable) -> Iterator[bytes]:
    """Digests of what jobs name, in parallel and in their order."""
    with concurrent.futures.ThreadPoolExecutor(NUM_WORKERS) as threads:
        yield from in_order(threads, source.digest, jobs)


def in_order(
    executor: concurrent.futures.Executor, function: Callable, items: Iterable
) -> Iterator:
    """Results in the order of their items, computed in parallel; few wait in memory."""
    waiting = deque()
    try:
        for item in items:
            waiting.append(executor.submit(function, item))
            if len(waiting) >= 2 * NUM_WORKERS:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        for future in waiting:
            future.cancel()


def look_at(picture: Picture) -> tuple[np.ndarray, Levels]:
    """What a picture looks like, an array `(1,)` of `copies.LOOK`, and its values."""
    levels = levels_of(picture)
    middle = (levels.low + levels.high) / 2
    pixels = filled(picture.pixels, picture.valid, middle)
    # Where the values are close, rounding them would matter.
    is_exact = levels.high - levels.low < 128
    look = copies.looks_of([copies.shrunk(pixels, is_exact)])
    look["profile"] = profiles.name_of(picture.about.profile)
    return look, levels


def levels_of(picture: Picture) -> Levels:
    """The values of a picture."""
    values = picture.pixels
    if picture.valid is not None:
        values = values[np.broadcast_to(picture.valid, values.shape)]
    values = values.reshape(-1)
    for some in (values[::61], values):  # most have too many among the first
        distinct = np.unique(some)
        if len(distinct) > MAX_LEVELS:
            return Levels(float(values.min()), float(values.max()), None)
    distinct = tuple(map(float, distinct))
    return Levels(distinct[0], distinct[-1], distinct)


def _work(source, with_looks, jobs):
    return [_done(source, with_looks, job) for job in jobs]


def _done(source, with_looks, job):
    try:
        image, picture, name, mask, digest = source.load(job, records.decode_file)
    except UnreadableImage as error:
        return Done(str(job[-1]), str(error), source.digest(job))
    serialized = records.serialize(image, name, mask)
    image = image._replace(encoded=b"")
    looks, levels = look_at(picture) if with_looks else ((), levels_of(picture))
    return Done(name, None, digest, serialized, image, levels, tuple(looks))

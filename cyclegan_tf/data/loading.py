"""Threads, which make examples of jobs; each image is decoded once.

Pillow, imagecodecs, TensorFlow and NumPy give up Python's lock while they work, so
threads use all cores, and need no second interpreter, which would run the user's script
once more. What could hurt them is refused before it is decoded, see `images`.
"""

import concurrent.futures
import hashlib
import itertools
import os
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

import numpy as np

from cyclegan_tf.data import images, records
from cyclegan_tf.data.images import EncodedImage, UnreadableImage
from cyclegan_tf.data.looks import Levels, look_at
from cyclegan_tf.data.picture import Picture
from cyclegan_tf.data.sources import Job

NUM_WORKERS = os.cpu_count() or 1
CHUNK = 8  # jobs: to hand on each by itself takes a tenth of decoding it


class Done(NamedTuple):
    """What became of a job.

    Attributes:
        name: of the image.
        digest: what tells contents apart: the first half of the SHA-256 of what it was
            made from; empty if it was drawn, or could not be read.
        problem: why it cannot be used; None if it can, and what follows is there.
        serialized: its example.
        image: its form; the bytes are left out.
        levels, look: see `looks`.
    """

    name: str
    digest: bytes
    problem: str | None = None
    serialized: bytes = b""
    image: EncodedImage | None = None
    levels: Levels | None = None
    look: np.void | None = None


def load_in_order(jobs: Iterable[Job]) -> Iterator[Done]:
    """What becomes of jobs, in parallel, in their order; they are taken as needed."""
    return _in_order(_load, jobs)


def digests_in_order(jobs: Iterable[Job]) -> Iterator[bytes]:
    """Digests of what jobs name, in parallel and in their order."""
    return _in_order(_digest, jobs)


def _in_order(function: Callable[[Job], Any], jobs):
    """Results of a function of each job, in their order; few wait in memory.

    Where nobody takes them any longer, as after Ctrl-C, no further job is begun.
    """
    jobs, waiting, is_over = iter(jobs), deque(), threading.Event()

    def results(chunk):
        left = itertools.takewhile(lambda _: not is_over.is_set(), chunk)
        return [function(job) for job in left]

    with concurrent.futures.ThreadPoolExecutor(NUM_WORKERS) as threads:
        try:
            while chunk := list(itertools.islice(jobs, CHUNK)):
                waiting.append(threads.submit(results, chunk))
                if len(waiting) >= 2 * NUM_WORKERS:
                    yield from waiting.popleft().result()
            while waiting:
                yield from waiting.popleft().result()
        finally:
            is_over.set()
            for future in waiting:
                future.cancel()


def _load(job):
    digest = b""
    try:
        content = _content_of(job)
        digest = _digest_of(content)
        image, picture, mask = _stored(content, job.keeps_alpha)
    except UnreadableImage as error:
        return Done(job.name, digest, str(error))
    serialized, seen = records.serialize(image, job.name, mask), look_at(picture)
    return Done(job.name, digest, None, serialized, image._replace(encoded=b""), *seen)


def _digest(job):
    try:
        return _digest_of(_content_of(job))
    except UnreadableImage:
        return b""


def _content_of(job):
    if isinstance(job.content, str):
        return images.read_file(job.content)
    if job.content == b"":
        raise UnreadableImage("it is empty")
    return job.content


def _digest_of(content):
    if callable(content):
        return b""
    data = content.pixels.tobytes() if isinstance(content, Picture) else content
    return hashlib.sha256(data).digest()[:16]


def _stored(content, keeps_alpha):
    """What is stored, the picture that it holds, and its mask as PNG, or nothing."""
    mask = b""
    if callable(content):
        content, mask = content()
    if isinstance(content, Picture):
        return *images.from_picture(content), mask
    return *images.normalize_decoded(content, keeps_alpha, records.decode_file), mask

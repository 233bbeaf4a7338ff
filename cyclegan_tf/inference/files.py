"""Translating pictures, from file to file: read, several at once, written, counted."""

import contextlib
import itertools
import os
import pathlib
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

import numpy as np

from cyclegan_tf.common.console import progress_bar, say
from cyclegan_tf.common.files import Claim, claim
from cyclegan_tf.data import images, writing
from cyclegan_tf.inference.direction import Translator
from cyclegan_tf.inference.jobs import Job

# A call takes at most this many pixels, or else one picture.
MAX_BATCH_PIXELS = 1_000_000
# What can become of a job: another process may be at it, in the same folder.
TRANSLATED, THERE, ELSEWHERE, FAILED = "translated", "there", "elsewhere", "failed"


class Result(NamedTuple):
    """What became of a job, and, where it failed, why."""

    job: Job
    outcome: str
    reason: str = ""


def tally(results: Iterable[Result]) -> Counter:
    """Counts results by outcome, and says which failed, and why, as they come."""
    counts = Counter()
    for job, outcome, reason in results:
        counts[outcome] += 1
        if outcome == FAILED:
            say(f"failed {str(job.source)!r}: {reason}")
    return counts


def summary(counts: Counter) -> str:
    """The counts of `tally` in words."""
    there, elsewhere = counts[THERE], counts[ELSEWHERE]
    parts = [f"{counts[TRANSLATED]} translated", f"{there} there before"]
    parts += [f"{elsewhere} by another process"] if elsewhere else []
    hint = "; --overwrite replaces what is there" if there == counts.total() else ""
    return f"{', '.join(parts)}, {counts[FAILED]} failed{hint}"


def taken(job: Job, overwrite: bool) -> Claim | Result:
    """The claim on a job's target, or what became of a job that is not to be done.

    A target that exists is left alone unless `overwrite`, so the same command continues
    one that was stopped. Several processes may share a folder: each file is made once.
    """
    if _is_there(job, overwrite):
        return Result(job, THERE)
    if (claimed := claim(job.target)) is None:
        return Result(job, ELSEWHERE)
    if _is_there(job, overwrite):  # since just now
        claimed.drop()
        return Result(job, THERE)
    return claimed


def _is_there(job, overwrite):
    return os.path.exists(job.target) and not overwrite


def one_by_one(
    jobs: list[Job], overwrite: bool, make: Callable[[Job, pathlib.Path], None]
) -> Iterator[Result]:
    """Makes files one after the other, and goes on over those that cannot be made.

    Args:
        jobs: what is to be made.
        overwrite: whether to replace what is there, see `taken`.
        make: writes what a job becomes to a path beside its place; raises
            `UnreadableImage` where it cannot be made.

    Raises:
        OSError: a file cannot be written.
    """
    for job in jobs:
        claimed = taken(job, overwrite)
        if isinstance(claimed, Result):
            yield claimed
            continue
        try:
            with claimed:
                make(job, claimed.aside)
                claimed.keep()
        except images.UnreadableImage as error:
            yield Result(job, FAILED, str(error))
        else:
            yield Result(job, TRANSLATED)


def translate_pictures(
    jobs: list[Job], translate: Translator, batch_size: int, overwrite: bool
) -> Iterator[Result]:
    """Translates pictures, several of one size per call, and goes on over bad ones.

    Raises:
        OSError: a translation cannot be written.
    """
    if not jobs:
        return
    lost = set()
    with progress_bar(len(jobs), "translating", " images") as bar:
        for result in _results(jobs, translate, batch_size, overwrite, lost):
            bar.update()
            yield result


def _results(jobs, translate, batch_size, overwrite, lost):
    waiting = defaultdict(list)  # by size
    try:
        for job in jobs:
            claimed = taken(job, overwrite)
            if isinstance(claimed, Result):
                yield claimed
                continue
            try:
                data = images.read_file(job.source)
                picture = images.read(data, translate.source)
            except images.UnreadableImage as error:
                claimed.drop()
                yield Result(job, FAILED, str(error))
                continue
            size = picture.pixels.shape[:2]
            waiting[size].append((job, claimed, picture))
            # Of many sizes, few pictures wait.
            if sum(map(len, waiting.values())) > 4 * batch_size:
                size = max(waiting, key=lambda size: len(waiting[size]))
            elif len(waiting[size]) < min(
                batch_size, MAX_BATCH_PIXELS // np.prod(size)
            ):
                continue
            yield from _translated(waiting.pop(size), translate, lost)
        for size in list(waiting):
            yield from _translated(waiting.pop(size), translate, lost)
    finally:
        for _, claimed, _ in itertools.chain(*waiting.values()):
            claimed.drop()


def _translated(batch, translate, lost):
    """Translates and writes pictures of one size; adds to what was said to be lost."""
    with contextlib.ExitStack() as stack:
        for _, claimed, _ in batch:
            stack.callback(claimed.drop)
        fakes = translate.each(np.stack([picture.pixels for _, _, picture in batch]))
        for (job, claimed, picture), fake in zip(batch, fakes, strict=True):
            if isinstance(fake, images.UnreadableImage):
                yield Result(job, FAILED, str(fake))
                continue
            with claimed:
                writing.write(claimed.aside, fake, picture)
                claimed.keep()
            if picture.note:
                say(f"of {str(job.source)!r}: {picture.note}")
            for what in writing.lost(job.target.suffix, fake, picture):
                if what not in lost:
                    lost.add(what)
                    say(f"{str(job.target)!r} and others do not keep {what}")
            yield Result(job, TRANSLATED)

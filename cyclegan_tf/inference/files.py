"""Translating pictures, from file to file: read, several at once, written, counted."""

import contextlib
import os
import pathlib
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator

import numpy as np

from cyclegan_tf.common.console import progress_bar, say
from cyclegan_tf.common.files import Claim, claim
from cyclegan_tf.data import images, writing
from cyclegan_tf.inference.direction import Translator, count_at_once
from cyclegan_tf.inference.jobs import Job, find, plan

# What a caller needs, from what is given to files: see `find` and `plan` of `jobs`.
__all__ = ["Job", "Outcome", "find", "make_each", "plan", "translate_files"]


class Outcome(Counter):
    """How many files were "translated", "there" before, made "elsewhere", or "failed".

    Elsewhere is another process, which may be at work in the same folder.
    """

    def fail(self, job: Job, reason: Exception) -> None:
        """Says and counts that a file could not be translated."""
        say(f"failed {str(job.source)!r}: {reason}")
        self["failed"] += 1

    def __str__(self):
        elsewhere = self["elsewhere"]
        parts = [f"{self['translated']} translated", f"{self['there']} there before"]
        parts += [f"{elsewhere} by another process"] if elsewhere else []
        hint = ""
        if self["there"] == self.total():
            hint = "; --overwrite replaces what is there"
        return f"{', '.join(parts)}, {self['failed']} failed{hint}"


def make_each(
    jobs: list[Job],
    overwrite: bool,
    outcome: Outcome,
    make: Callable[[Job, pathlib.Path], None],
) -> None:
    """Makes files one after the other, and goes on over those that cannot be made.

    Targets that are there are left alone, unless to `overwrite`. `make` writes what a
    job becomes to a path beside its place, or raises `UnreadableImage`. What cannot be
    written raises `OSError`.
    """
    for job, claimed in _claimed(jobs, overwrite, outcome):
        try:
            with claimed:
                make(job, claimed.aside)
                claimed.keep()
        except images.UnreadableImage as error:
            outcome.fail(job, error)
        else:
            outcome["translated"] += 1


def translate_files(
    jobs: list[Job], translate: Translator, batch_size: int, overwrite: bool
) -> Outcome:
    """Translates pictures, several of one size per call, and goes on over bad ones.

    A target that exists is left alone unless `overwrite`, so the same command continues
    one that was stopped. Several processes may share a folder: each file is made once.
    What cannot be written raises `OSError`.
    """
    outcome, lost = Outcome(), set()
    with contextlib.ExitStack() as stack:
        batches = _batches(jobs, translate.source, batch_size, overwrite, outcome)
        stack.callback(batches.close)
        bar = None
        if len(jobs) > 1:
            bar = stack.enter_context(progress_bar(len(jobs), "translating", " images"))
        for batch in batches:
            _translate_batch(batch, translate, outcome, lost)
            if bar is not None:
                bar.update(outcome.total() - bar.n)
    return outcome


def _claimed(jobs, overwrite, outcome) -> Iterator[tuple[Job, Claim]]:
    """The jobs that are to be done, each with the claim on its target."""

    def is_there(job):
        return os.path.exists(job.target) and not overwrite

    for job in jobs:
        if os.path.isdir(job.target):
            reason = f"{str(job.target)!r} is a folder"
            outcome.fail(job, images.UnreadableImage(reason))
        elif is_there(job):
            outcome["there"] += 1
        elif (claimed := claim(job.target)) is None:
            outcome["elsewhere"] += 1
        elif is_there(job):  # since just now
            claimed.drop()
            outcome["there"] += 1
        else:
            yield job, claimed


def _batches(jobs, source, batch_size, overwrite, outcome):
    """Jobs, with their claims and pictures, of one size in each list.

    What was not kept when the next is asked for, or at the end, is given up.
    """
    waiting = defaultdict(list)  # by size

    def given_out(size):
        yield waiting[size]
        for _, claimed, _ in waiting.pop(size):
            claimed.drop()

    try:
        for job, claimed in _claimed(jobs, overwrite, outcome):
            try:
                picture = images.read(images.read_file(job.source), source)
            except images.UnreadableImage as error:
                claimed.drop()
                outcome.fail(job, error)
                continue
            size = picture.pixels.shape[:2]
            waiting[size].append((job, claimed, picture))
            # Of many sizes, few pictures wait.
            if sum(map(len, waiting.values())) > 4 * batch_size:
                yield from given_out(max(waiting, key=lambda x: len(waiting[x])))
            elif len(waiting[size]) >= count_at_once(batch_size, *size):
                yield from given_out(size)
        while waiting:
            yield from given_out(next(iter(waiting)))
    finally:
        for batch in waiting.values():
            for _, claimed, _ in batch:
                claimed.drop()


def _translate_batch(batch, translate, outcome, lost):
    """Translates and writes pictures of one size; adds to what was said to be lost."""
    fakes = translate.each(np.stack([picture.pixels for _, _, picture in batch]))
    for (job, claimed, picture), fake in zip(batch, fakes, strict=True):
        try:
            if isinstance(fake, images.UnreadableImage):
                raise fake
            with claimed:
                writing.write(claimed.aside, fake, picture)
                claimed.keep()
        except images.UnreadableImage as error:  # or too large for a file of its kind
            outcome.fail(job, error)
            continue
        outcome["translated"] += 1
        if picture.note:
            say(f"of {str(job.source)!r}: {picture.note}")
        for what in writing.lost(job.target.suffix, fake, picture):
            if what not in lost:
                lost.add(what)
                say(f"{str(job.target)!r} and others do not keep {what}")

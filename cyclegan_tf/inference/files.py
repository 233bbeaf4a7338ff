"""Translating pictures: which files there are, where they go, and one after the other.

Videos are found here, too, and are translated by `video`.
"""

import contextlib
import dataclasses
import os
import pathlib
from collections import Counter, defaultdict
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from cyclegan_tf.common.console import progress_bar, say
from cyclegan_tf.common.errors import InputError
from cyclegan_tf.common.files import written_aside
from cyclegan_tf.data import images, writing
from cyclegan_tf.data.domain import Domain
from cyclegan_tf.data.sources.files import globbed, image_files
from cyclegan_tf.inference.translator import Translator

SUFFIX_OF = {"png": ".png", "jpeg": ".jpg", "tiff": ".tif", "npy": ".npy"}
# Files that are taken for videos.
VIDEO_SUFFIXES = frozenset(
    ".mp4 .m4v .mov .mkv .webm .avi .mpg .mpeg .mts .m2ts .wmv .flv .3gp .ogv".split()
)
# A call takes at most this many pixels, or else one picture.
MAX_BATCH_PIXELS = 1_000_000


class Job(NamedTuple):
    """A picture or a video to read, and the file that its translation becomes."""

    source: pathlib.Path
    target: pathlib.Path


@dataclasses.dataclass
class Outcome:
    """What became of the files: counts of translated, there before, and failed."""

    translated: int = 0
    skipped: int = 0
    failed: int = 0

    def fail(self, job: Job, reason: Exception) -> None:
        """Says and counts that a file could not be translated."""
        say(f"failed {str(job.source)!r}: {reason}")
        self.failed += 1


class Request(NamedTuple):
    """Files to translate, and where to.

    Attributes:
        files: pictures and videos.
        root: the folder whose tree is kept.
        output: a folder, or the file that one file becomes.
        is_to_file: which of them.
    """

    files: list[pathlib.Path]
    root: pathlib.Path
    output: pathlib.Path
    is_to_file: bool

    @property
    def pictures(self) -> list[pathlib.Path]:
        """The files that are not taken for videos."""
        return [file for file in self.files if not is_video(file)]

    @property
    def videos(self) -> list[pathlib.Path]:
        """The files that are taken for videos."""
        return [file for file in self.files if is_video(file)]

    @property
    def folder(self) -> pathlib.Path:
        """Where files are written."""
        return self.output.parent if self.is_to_file else self.output


def find(given: str, output: str) -> Request:
    """Finds what is to be translated.

    Args:
        given: a file, a folder, or a glob (`**` for any depth).
        output: a folder; for one file also a file with a suffix of its kind.

    Raises:
        InputError: there is nothing to translate, or the output is another file.
    """
    if not given or not output:
        raise InputError("expected IN and OUT: what to translate, and where to.")
    path, out = pathlib.Path(given).expanduser(), pathlib.Path(output).expanduser()
    if path.is_file():
        files, root = [path], path.parent
    elif path.is_dir():
        # Translations of an earlier start are no input.
        suffixes = images.SUFFIXES | VIDEO_SUFFIXES
        found = (path / name for name in image_files(path, suffixes=suffixes))
        files = [file for file in found if not _is_within(file, out)]
        root = path
    else:
        files = globbed(path)
        root = pathlib.Path(os.path.commonpath([f.parent for f in files] or ["."]))
    if not files:
        raise InputError(f"{given}: no such picture or video, folder of them, or glob.")
    suffixes = VIDEO_SUFFIXES | images.SUFFIXES
    is_to_file = path.is_file() and out.suffix.lower() in suffixes and not out.is_dir()
    if out.exists() and not out.is_dir() and not is_to_file:
        raise InputError(f"{output} is a file; expected a folder for {given}.")
    return Request(files, root, out, is_to_file)


def is_video(file: pathlib.Path) -> bool:
    """Whether a file is taken for a video, by its name."""
    return file.suffix.lower() in VIDEO_SUFFIXES


def plan(request: Request, file_format: str, target: Domain) -> list[Job]:
    """Says which file each picture becomes; a folder's tree and its names are kept.

    Args:
        request: the pictures.
        file_format: of files in a folder, a name in `SUFFIX_OF`, or "auto": PNG where
            it holds the target, else TIFF.
        target: the form of what is written.

    Raises:
        InputError: the format does not hold the target, or the output would be among
            the input.
    """
    if request.is_to_file:
        suffix = request.output.suffix.lower()
    else:
        suffix = SUFFIX_OF.get(file_format) or writing.suffix_for(target)
    if request.pictures:
        given = request.output if request.is_to_file else f"--format {file_format}"
        _require_holds(given, suffix, target)
    return jobs(request, request.pictures, lambda _: suffix)


def jobs(
    request: Request,
    files: list[pathlib.Path],
    suffix_for: Callable[[pathlib.Path], str],
) -> list[Job]:
    """Says which file each becomes; a folder's tree and its names are kept.

    Args:
        request: which the files are of.
        files: its pictures, or its videos.
        suffix_for: the suffix of what a file in a folder becomes.

    Raises:
        InputError: the output would be among the input.
    """
    if request.is_to_file:
        targets = [request.output] * len(files)
    else:
        names = [file.relative_to(request.root) for file in files]
        targets = [request.output / name for name in _target_names(names, suffix_for)]
    for file, path in zip(files, targets, strict=True):
        with contextlib.suppress(OSError):  # one of them is not there
            if os.path.samefile(path, file):
                raise InputError(f"{file} would be replaced; choose another OUT.")
    return list(map(Job, files, targets))


def _require_holds(given, suffix, domain):
    """Refuses a kind of file that cannot hold the images, by what asked for it."""
    try:
        writing.require_holds(suffix, domain.channels, domain.dtype)
    except InputError as error:
        raise InputError(f"{given}: {error}") from None


def _is_within(file, folder):
    # Not Path.resolve, which raises where links make a loop.
    real = pathlib.Path(os.path.realpath(file))
    return real.is_relative_to(os.path.realpath(folder))


def _target_names(names, suffix_for):
    """The names with other suffixes; those that would collide keep their own, too."""
    renamed = [name.with_suffix(suffix_for(name)) for name in names]
    counts = Counter(renamed)
    for name, target in zip(names, renamed, strict=True):
        yield target if counts[target] == 1 else f"{name}{target.suffix}"


def translate_files(
    jobs: list[Job], translate: Translator, batch_size: int, overwrite: bool
) -> Outcome:
    """Translates files, several of one size per call, and goes on over bad ones.

    A target that exists is left alone unless `overwrite`; each is written aside and
    renamed, so the same command continues where an earlier one was stopped.

    Raises:
        OSError: a translation cannot be written.
    """
    outcome = Outcome()
    if not jobs:
        return outcome
    with progress_bar(len(jobs), "translating", " images") as bar:
        source = translate.source
        for batch in _batches(jobs, source, batch_size, overwrite, outcome):
            _translate_batch(batch, translate, outcome)
            done = outcome.translated + outcome.skipped + outcome.failed
            bar.update(done - bar.n)
    return outcome


def _batches(jobs, source, batch_size, overwrite, outcome):
    """Jobs with their pixels, of one size in each list."""
    waiting = defaultdict(list)  # by size
    for job in jobs:
        if os.path.exists(job.target) and not overwrite:
            outcome.skipped += 1
            continue
        try:
            data = images.read_file(job.source)
            pixels, note = images.pixels_and_note(data, source)
        except images.UnreadableImage as error:
            outcome.fail(job, error)
            continue
        if note:
            say(f"of {str(job.source)!r} the {note}")
        size = pixels.shape[:2]
        waiting[size].append((job, pixels))
        if len(waiting[size]) >= min(batch_size, MAX_BATCH_PIXELS // np.prod(size)):
            yield waiting.pop(size)
        # Of many sizes, few pictures wait.
        elif sum(map(len, waiting.values())) > 4 * batch_size:
            yield waiting.pop(max(waiting, key=lambda size: len(waiting[size])))
    yield from waiting.values()


def _translate_batch(batch, translate, outcome):
    """Translates and writes; what is too much at once one after the other."""
    try:
        fakes = translate(np.stack([pixels for _, pixels in batch]))
    except images.UnreadableImage as error:
        if len(batch) == 1:
            outcome.fail(batch[0][0], error)
        else:
            for one in batch:
                _translate_batch([one], translate, outcome)
        return
    for (job, _), fake in zip(batch, fakes, strict=True):
        with written_aside(job.target) as aside:
            writing.write(aside, fake)
        outcome.translated += 1

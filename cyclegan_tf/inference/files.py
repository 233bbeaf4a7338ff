"""Translating files: which there are, where they go, and one after the other."""

import contextlib
import dataclasses
import errno
import os
import pathlib
from collections import Counter, defaultdict
from typing import NamedTuple

import numpy as np
from PIL import Image

from cyclegan_tf.common.console import progress_bar, say
from cyclegan_tf.common.errors import InputError
from cyclegan_tf.common.files import written_aside
from cyclegan_tf.data import images
from cyclegan_tf.data.sources.folder import image_files
from cyclegan_tf.inference.translator import Translator

SUFFIX_OF = {"png": ".png", "jpeg": ".jpg"}
FORMAT_OF = {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG"}
JPEG_QUALITY = 95
# A call takes at most this many pixels, or else one picture.
MAX_BATCH_PIXELS = 1_000_000


class Job(NamedTuple):
    """A picture to read, and the file that its translation becomes."""

    source: pathlib.Path
    target: pathlib.Path


@dataclasses.dataclass
class Outcome:
    """What became of the files: counts of translated, there before, and failed."""

    translated: int = 0
    skipped: int = 0
    failed: int = 0


def plan(given: str, output: str, image_format: str) -> list[Job]:
    """Lists what is to be translated; a folder's tree and its names are kept.

    Args:
        given: a file, a folder, or a glob (`**` for any depth).
        output: a folder; for one file also a file ending in .png, .jpg or .jpeg.
        image_format: "png" or "jpeg", of files in a folder.

    Raises:
        InputError: nothing to translate, or the output would be among the input.
    """
    if not given or not output:
        raise InputError("expected IN and OUT: what to translate, and where to.")
    path, out = pathlib.Path(given).expanduser(), pathlib.Path(output).expanduser()
    if path.is_file():
        if out.suffix.lower() in FORMAT_OF and not out.is_dir():
            return [_checked(Job(path, out))]
        files, root = [path], path.parent
    elif path.is_dir():
        files, root = image_files(path), path
        # Translations of an earlier start are no input.
        files = [file for file in files if not _is_within(file, out)]
    else:
        files = _globbed(str(path))
        root = pathlib.Path(os.path.commonpath([f.parent for f in files] or ["."]))
    if not files:
        raise InputError(f"{given}: no such picture, folder of pictures, or glob.")
    if out.exists() and not out.is_dir():
        raise InputError(f"{output} is a file; expected a folder for {given}.")

    # a.jpg and a.png would both become a.png: they keep their suffixes.
    suffix = SUFFIX_OF[image_format]
    names = Counter(file.with_suffix("") for file in files)
    return [
        _checked(Job(file, _target(out / file.relative_to(root), names, file, suffix)))
        for file in files
    ]


def _target(place, names, file, suffix):
    if names[file.with_suffix("")] > 1:
        return place.with_name(place.name + suffix)
    return place.with_suffix(suffix)


def _checked(job):
    with contextlib.suppress(OSError):  # one of them is not there
        if os.path.samefile(job.target, job.source):
            raise InputError(f"{job.source} would be replaced; choose another OUT.")
    return job


def _globbed(pattern):
    """Files that a glob names; `**` follows no links to folders, which may be loops."""
    path = pathlib.Path(pattern)
    within = pathlib.Path(path.anchor)
    inner = str(path.relative_to(path.anchor))
    try:
        found = [file for file in within.glob(inner) if file.is_file()]
    except (ValueError, RecursionError) as error:
        raise InputError(f"{pattern}: {error}.") from None
    if not _is_hidden(path):
        found = [file for file in found if not _is_hidden(file)]
    return sorted(found)


def _is_hidden(path):
    return any(part.startswith(".") and part != ".." for part in path.parts)


def _is_within(file, folder):
    # Not Path.resolve, which raises where links make a loop.
    real = pathlib.Path(os.path.realpath(file))
    return real.is_relative_to(os.path.realpath(folder))


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
    waiting = defaultdict(list)  # by size

    with progress_bar(len(jobs), "translating", " images") as bar:

        def fail(source, reason):
            say(f"failed {str(source)!r}: {reason}")
            outcome.failed += 1
            bar.update()

        def translate_batch(batch):
            try:
                fakes = translate(np.stack([pixels for _, pixels in batch]))
            except images.UnreadableImage as error:
                if len(batch) == 1:
                    fail(batch[0][0].source, error)
                else:  # one after the other may fit
                    for one in batch:
                        translate_batch([one])
                return
            for (job, _), fake in zip(batch, fakes, strict=True):
                try:
                    _write(job.target, fake)
                except OSError as error:
                    if error.errno != errno.ENAMETOOLONG:
                        raise
                    fail(job.source, f"{error.strerror}: {job.target}")
                    continue
                outcome.translated += 1
                bar.update()

        for job in jobs:
            if os.path.exists(job.target) and not overwrite:
                outcome.skipped += 1
                bar.update()
                continue
            try:
                pixels = images.pixels_of(images.read_file(job.source))
            except images.UnreadableImage as error:
                fail(job.source, error)
                continue
            size = pixels.shape[:2]
            waiting[size].append((job, pixels))
            largest = max(1, min(batch_size, MAX_BATCH_PIXELS // (size[0] * size[1])))
            if len(waiting[size]) >= largest:
                translate_batch(waiting.pop(size))
            # Of many sizes, few pictures wait.
            elif sum(map(len, waiting.values())) > 4 * batch_size:
                fullest = max(waiting.items(), key=lambda item: len(item[1]))[0]
                translate_batch(waiting.pop(fullest))
        for batch in waiting.values():
            translate_batch(batch)
    return outcome


def _write(target, pixels):
    with written_aside(target) as aside:
        image_format = FORMAT_OF[target.suffix.lower()]
        options = {"quality": JPEG_QUALITY} if image_format == "JPEG" else {}
        Image.fromarray(pixels).save(aside, image_format, **options)

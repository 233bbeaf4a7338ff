"""Which pictures and videos are translated, and which file each becomes."""

import os
import pathlib
from collections import Counter
from collections.abc import Callable
from typing import NamedTuple

from cyclegan_tf.common.errors import InputError
from cyclegan_tf.data import images, medical, writing
from cyclegan_tf.data.domain import Domain
from cyclegan_tf.data.sources.files import globbed, image_files, suffix_of

SUFFIX_OF = {"png": ".png", "jpeg": ".jpg", "tiff": ".tif", "npy": ".npy"}
VIDEO_SUFFIXES = frozenset(
    ".mp4 .m4v .mov .mkv .webm .avi .mpg .mpeg .mts .m2ts .wmv .flv .3gp .ogv".split()
)


class Job(NamedTuple):
    """A picture or a video to read, and the file that its translation becomes."""

    source: pathlib.Path
    target: pathlib.Path


class Request(NamedTuple):
    """Files to translate, and where to: a folder, or the file that one file becomes.

    Stacks are NIfTI volumes, and DICOM files of several frames. The tree below `root`
    is kept.
    """

    pictures: list[pathlib.Path]
    videos: list[pathlib.Path]
    stacks: list[pathlib.Path]
    root: pathlib.Path
    output: pathlib.Path
    is_to_file: bool

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
    suffixes = images.SUFFIXES | VIDEO_SUFFIXES | {*medical.VOLUME_SUFFIXES}
    if path.is_dir():
        if _is_within(path, out):
            raise InputError(f"{given} is within {output}; choose another OUT.")
        # Translations of an earlier start are no input.
        found = (path / name for name in image_files(path, suffixes=suffixes))
        root, files = path, [file for file in found if not _is_within(file, out)]
    else:
        files = [path] if path.is_file() else globbed(path)
        root = pathlib.Path(os.path.commonpath([f.parent for f in files] or ["."]))
    if not files:
        raise InputError(f"{given}: no such picture or video, folder of them, or glob.")
    is_to_file = path.is_file() and suffix_of(out.name) in suffixes and not out.is_dir()
    if out.exists() and not out.is_dir() and not is_to_file:
        raise InputError(f"{output} is a file; expected a folder for {given}.")
    pictures, videos, stacks = [], [], []
    for file in files:
        if file.suffix.lower() in VIDEO_SUFFIXES:
            videos.append(file)
        else:
            (stacks if medical.is_stack(file) else pictures).append(file)
    return Request(pictures, videos, stacks, root, out, is_to_file)


def plan(request: Request, file_format: str, target: Domain) -> list[Job]:
    """Says which file each picture becomes.

    Files in a folder are of a format in `SUFFIX_OF`, or, of "auto", PNG where it holds
    the target, else TIFF; of a TIFF always TIFF.

    Raises:
        InputError: the format does not hold the target, or the output would be among
            the input.
    """
    suffix, given = SUFFIX_OF.get(file_format), f"--format {file_format}"
    if request.is_to_file:
        suffix, given = suffix_of(request.output.name), request.output
    if request.pictures and suffix is not None:
        try:
            writing.require_holds(suffix, target.channels, target.dtype)
        except InputError as error:
            raise InputError(f"{given}: {error}") from None
    return jobs(
        request,
        request.pictures,
        lambda source: suffix or writing.suffix_for(target, source),
    )


def jobs(
    request: Request,
    files: list[pathlib.Path],
    suffix_for: Callable[[pathlib.Path], str],
) -> list[Job]:
    """Says which file each of a request's files becomes.

    A folder's tree and its names are kept, but for the suffix.

    Raises:
        InputError: the output would be among the input.
    """
    if request.is_to_file:
        targets = [request.output] * len(files)
    else:
        names = [file.relative_to(request.root) for file in files]
        targets = [request.output / name for name in _target_names(names, suffix_for)]
    given = [*request.pictures, *request.videos, *request.stacks]
    inputs = {_identity(file): file for file in given}
    for target in targets:
        if file := inputs.get(_identity(target)):
            raise InputError(f"{file} would be replaced; choose another OUT.")
    return list(map(Job, files, targets))


def _identity(path):
    try:
        status = path.stat()
    except OSError:  # it is not there, or its link leads nowhere
        return path
    return status.st_dev, status.st_ino


def _is_within(file, folder):
    # Not Path.resolve, which raises where links make a loop.
    real = pathlib.Path(os.path.realpath(file))
    return real.is_relative_to(os.path.realpath(folder))


def _target_names(names, suffix_for):
    """The names with other suffixes; those that would collide keep their own, too.

    So `a.jpg` becomes `a.png`, but beside an `a.png` it becomes `a.jpg.png`.
    """
    whole = {name: f"{name}{suffix_for(name)}" for name in names}
    targets = {
        name: str(name)[: len(str(name)) - len(suffix_of(name.name))] + suffix_for(name)
        for name in names
    }
    while True:
        counts = Counter(targets.values())
        colliding = {
            name: whole[name]
            for name, target in targets.items()
            if counts[target] > 1 and target != whole[name]
        }
        if not colliding:
            return list(targets.values())
        targets |= colliding

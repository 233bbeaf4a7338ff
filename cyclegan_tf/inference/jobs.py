"""Which pictures and videos are translated, and which file each becomes."""

import os
import pathlib
from collections import Counter
from typing import NamedTuple

from cyclegan_tf.common.errors import InputError
from cyclegan_tf.data import images, medical, writing
from cyclegan_tf.data.domain import Domain
from cyclegan_tf.data.sources.files import globbed, image_files, suffix_of
from cyclegan_tf.data.writing import TIFF_SUFFIXES
from cyclegan_tf.inference.video_files import CONTAINERS

SUFFIX_OF = {"png": ".png", "jpeg": ".jpg", "tiff": ".tif", "npy": ".npy"}
VIDEO_SUFFIXES = frozenset(
    ".mp4 .m4v .mov .mkv .webm .avi .mpg .mpeg .mts .m2ts .wmv .flv .3gp .ogv".split()
)
# Of a video in a folder whose own kind is not written: it holds nearly any sound.
OTHER_SUFFIX = ".mkv"
ZIPPED = medical.VOLUME_SUFFIXES[1]


class Job(NamedTuple):
    """A picture or a video to read, and the file that its translation becomes."""

    source: pathlib.Path
    target: pathlib.Path


class Plan(NamedTuple):
    """What is to be done with the pictures, videos and stacks of a request."""

    pictures: list[Job]
    videos: list[Job]
    stacks: list[Job]


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
        found = [path / name for name in image_files(path, suffixes=suffixes)]
    else:
        found = [path] if path.is_file() else globbed(path)
    # Translations of an earlier start are no input; but files may go beside themselves.
    files = [file for file in found if not _is_within(file, out)]
    if not path.is_dir():
        files = files or found
    if not files:
        raise InputError(f"{given}: no such picture or video, folder of them, or glob.")
    folders = [path] if path.is_dir() else [file.parent for file in files]
    root = pathlib.Path(os.path.commonpath(folders))
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
    """The pictures of a request and which file each becomes, see `plan_all`."""
    return plan_all(request, file_format, target).pictures


def plan_all(request: Request, file_format: str, target: Domain) -> Plan:
    """Says which file each of a request's files becomes.

    A folder's tree and its names are kept, but for the suffix. Pictures in it become
    files of a format in `SUFFIX_OF`, or, of "auto", PNG where it holds the target, else
    TIFF; of a TIFF always TIFF. Raises `InputError` if the output is of another kind
    than what comes of its source, does not hold the target, or would replace an input.
    """
    suffix, given = SUFFIX_OF.get(file_format), f"--format {file_format}"
    if request.is_to_file:
        suffix, given = suffix_of(request.output.name), request.output
        _require_kind(request)
    if request.pictures and suffix is not None:
        try:
            writing.require_holds(suffix, target.channels, target.dtype)
        except InputError as error:
            raise InputError(f"{given}: {error}") from None
    suffixes = {x: suffix or writing.suffix_for(target, x) for x in request.pictures}
    for video in request.videos:
        is_written = video.suffix.lower() in CONTAINERS
        suffixes[video] = video.suffix if is_written else OTHER_SUFFIX
    for stack in request.stacks:
        suffixes[stack] = ZIPPED if medical.is_volume(stack.name) else TIFF_SUFFIXES[0]
    targets = dict.fromkeys(suffixes, request.output)
    if not request.is_to_file:
        # Of all kinds at once: a picture and a stack may become files of one suffix.
        names = {x.relative_to(request.root): suffixes[x] for x in suffixes}
        named = map(request.output.joinpath, _target_names(names))
        targets = dict(zip(suffixes, named, strict=True))
    inputs = {_identity(file): file for file in targets}
    for target in targets.values():
        if file := inputs.get(_identity(target)):
            raise InputError(f"{file} would be replaced; choose another OUT.")
    kinds = request.pictures, request.videos, request.stacks
    return Plan(*([Job(x, targets[x]) for x in files] for files in kinds))


def _require_kind(request):
    """Raises `InputError` where a video or a stack does not become the file named."""
    output = request.output
    if request.videos and output.suffix.lower() not in CONTAINERS:
        raise InputError(
            f"{output}: a video becomes one of {', '.join(CONTAINERS)}, or goes to a "
            f"folder."
        )
    for source in request.stacks:
        is_volume = medical.is_volume(source.name)
        kinds = medical.VOLUME_SUFFIXES if is_volume else TIFF_SUFFIXES
        if not output.name.lower().endswith(kinds):
            raise InputError(
                f"{output}: of {source.name}, which has several pictures, comes a "
                f"{' or '.join(kinds)} file."
            )


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


def _target_names(suffixes):
    """Names with the suffixes they get; those that would collide keep their own, too.

    So `a.jpg` becomes `a.png`, but beside an `a.png` it becomes `a.jpg.png`.
    """
    whole = {name: f"{name}{suffix}" for name, suffix in suffixes.items()}
    targets = {
        name: str(name)[: len(str(name)) - len(suffix_of(name.name))] + suffix
        for name, suffix in suffixes.items()
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

"""What every kind of source gives: the pictures of its splits, not read yet."""

import dataclasses
import hashlib
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from cyclegan_tf.data import images
from cyclegan_tf.data.images import EncodedImage, UnreadableImage
from cyclegan_tf.data.picture import Picture

SPLITS = ("trainA", "trainB", "testA", "testB")


class Job(NamedTuple):
    """A picture that is to be read.

    Attributes:
        name: what it is called.
        content: the path of a file, the content of one, a picture of numbers, or a
            function that draws it.
        keeps_alpha: whether a band of a TIFF that is called alpha stays one.
    """

    name: str
    content: "str | bytes | Picture | Callable[[], Loaded]"
    keeps_alpha: bool = False


class Loaded(NamedTuple):
    """A picture ready for the shards.

    Attributes:
        image: what is stored.
        picture: what `image` holds.
        mask: PNG, or nothing.
        digest: what tells contents apart: the first half of the SHA-256 of what it was
            made from; empty if it was drawn.
    """

    image: EncodedImage
    picture: Picture
    mask: bytes = b""
    digest: bytes = b""


def load(job: Job, decode: Callable | None = None) -> Loaded:
    """Reads, decodes and encodes a picture.

    Args:
        job: which.
        decode: see `images.normalize_decoded`.

    Raises:
        UnreadableImage: it is none, or not one that can be used.
    """
    content = _content_of(job)
    if callable(content):
        return content()
    if isinstance(content, Picture):
        stored = images.from_picture(content)
    else:
        stored = images.normalize_decoded(content, job.keeps_alpha, decode)
    return Loaded(*stored, digest=_digest_of(content))


def digest(job: Job) -> bytes:
    """The digest of `Loaded`, without decoding; empty where nothing can be read."""
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


class Split(NamedTuple):
    """The jobs of one split and how many they are."""

    count: int
    jobs: Iterable[Job]


@dataclasses.dataclass(frozen=True)
class Source:
    """A dataset before its conversion.

    Attributes:
        name: of its directory under the data directory.
        identity: its kind, and what its content depends on; equal identity, equal
            shards.
        open: lists the splits; may be slow, and may raise `InputError`.
        is_paired: whether test images i of both domains show the same scene.
        path: where its files lie; tells one that has changed from another one.
        sizes: digest of the names and sizes of its files, which copies of them have.
    """

    name: str
    identity: dict[str, Any]
    open: Callable[[], dict[str, Split]]
    is_paired: bool = False
    path: str | None = None
    sizes: str | None = None

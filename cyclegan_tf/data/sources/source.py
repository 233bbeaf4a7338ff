"""What every kind of source gives: the jobs of its splits, and how one is done."""

import dataclasses
import hashlib
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from cyclegan_tf.data import images
from cyclegan_tf.data.images import EncodedImage
from cyclegan_tf.data.picture import Picture

SPLITS = ("trainA", "trainB", "testA", "testB")


class Loaded(NamedTuple):
    """A picture ready for the shards.

    Attributes:
        image: what is stored.
        picture: what `image` holds.
        filename: its name.
        mask: PNG, or nothing.
        digest: of the file that it was made from; empty if it was drawn.
    """

    image: EncodedImage
    picture: Picture
    filename: str
    mask: bytes = b""
    digest: bytes = b""


def load_file(
    data: bytes, name: str, decode: Callable | None, keeps_alpha: bool = False
) -> Loaded:
    """The picture of a file's content; the options are those of `normalize_decoded`.

    Raises:
        UnreadableImage: it is none.
    """
    image, picture = images.normalize_decoded(data, keeps_alpha, decode)
    return Loaded(image, picture, name, digest=digest_of(data))


def digest_of(data: bytes) -> bytes:
    """What tells contents apart: the first half of their SHA-256."""
    return hashlib.sha256(data).digest()[:16]


class Split(NamedTuple):
    """The jobs of one split and how many they are."""

    count: int
    jobs: Iterable[Any]


@dataclasses.dataclass(frozen=True)
class Source:
    """A dataset before its conversion.

    Attributes:
        name: of its directory under the data directory.
        identity: its kind, and what its content depends on; equal identity, equal
            shards.
        open: lists the splits; may be slow, and may raise `InputError`.
        load: makes a `Loaded` of a job, a tuple that ends with the picture's name, and
            of a decoder, see `images.normalize_decoded`; or raises `UnreadableImage`.
            It runs in threads.
        is_paired: whether test images i of both domains show the same scene.
        path: where its files lie; tells one that has changed from another one.
        digest: of the content that a job names; empty where `identity` says it all.
        sizes: digest of the names and sizes of its files, which copies of them have.
    """

    name: str
    identity: dict[str, Any]
    open: Callable[[], dict[str, Split]]
    load: Callable[[Any, Callable | None], Loaded]
    is_paired: bool = False
    path: str | None = None
    digest: Callable[[Any], bytes] = lambda job: b""
    sizes: str | None = None

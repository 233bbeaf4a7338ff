"""What every kind of source gives: the jobs of its splits, and how one is done."""

import dataclasses
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from cyclegan_tf.data.images import EncodedImage

SPLITS = ("trainA", "trainB", "testA", "testB")


class Loaded(NamedTuple):
    """A picture ready for the shards: image, its name, its mask (PNG) or nothing."""

    image: EncodedImage
    filename: str
    mask: bytes = b""


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
        load: makes a `Loaded` of a job, a tuple that ends with the picture's name, or
            raises `images.UnreadableImage`. It runs in worker processes.
        is_paired: whether test images i of both domains show the same scene.
        path: where its files lie; tells one that has changed from another one.
    """

    name: str
    identity: dict[str, Any]
    open: Callable[[], dict[str, Split]]
    load: Callable[[Any], Loaded]
    is_paired: bool = False
    path: str | None = None

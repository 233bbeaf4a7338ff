"""What every kind of source gives: the pictures of its splits, not read yet."""

import dataclasses
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from cyclegan_tf.data.picture import Picture

SPLITS = ("trainA", "trainB", "testA", "testB")


class Job(NamedTuple):
    """A picture that is to be read.

    Attributes:
        name: what it is called.
        content: the path of a file, the content of one, a picture of numbers, or a
            function that draws one, and its mask as PNG.
        keeps_alpha: whether a band of a TIFF that is called alpha stays one.
    """

    name: str
    content: str | bytes | Picture | Callable[[], tuple[Picture, bytes]]
    keeps_alpha: bool = False


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

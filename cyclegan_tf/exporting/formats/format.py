"""What all must know of a format of export."""

import dataclasses
from collections.abc import Callable

from cyclegan_tf.data.domain import Domains


def pixels_interface(
    direction: str, domains: Domains, size: tuple[int, int] | None
) -> str:
    """What goes in and what comes out of a direction, in Markdown."""
    source, target = domains.of(direction)
    return (
        f"- `{direction}`: `images`, {_in_words(source, size)}, to\n"
        f"  `translated`, {_in_words(target, size)}."
    )


def _in_words(domain, size):
    sides = "1, {}, {}".format(*size) if size else "N, H, W"
    kind = {1: ", grey", 3: ", RGB"}.get(domain.channels, "")
    return f"{domain.dtype} [{sides}, {domain.channels}]{kind}, {domain.range_text}"


def file_per_direction(
    directions: list[str], domains: Domains, size: tuple[int, int] | None
) -> str:
    """The interface of formats for programs without TensorFlow."""
    lines = [pixels_interface(direction, domains, size) for direction in directions]
    return "\n".join(["One file per direction:", "", *lines])


@dataclasses.dataclass(frozen=True)
class Format:
    """What writes and describes a kind of file.

    Attributes:
        name, precisions, packages, is_served: see `config.formats.FormatKind`.
        write: called with float32 generators by direction, the `Domains` that they lead
            from and to, the directory to write to, the `ExportConfig`, and, for int8,
            images `(count, height, width, channels)` by direction to calibrate with.
        interface: inputs and outputs in Markdown, for the model card, of the
            directions, domains and fixed size, or None, that it is called with.
    """

    name: str
    precisions: tuple[str, ...]
    packages: tuple[str, ...]
    is_served: bool
    write: Callable
    interface: Callable[[list[str], Domains, tuple[int, int] | None], str] = (
        file_per_direction
    )

"""What all must know of a format of export."""

import dataclasses
from collections.abc import Callable

# Of formats for programs without TensorFlow.
FILE_PER_DIRECTION = """\
One file per direction: `images`, uint8 [N, H, W, 3], RGB, sides from 16 px on, to
`translated`, uint8 of the same shape."""


@dataclasses.dataclass(frozen=True)
class Format:
    """A kind of file that generators leave the training machine in.

    Attributes:
        name: as `--format` takes it; `run_exported.py` has a function that runs it.
        write: called with float32 generators by direction, the directory to write to,
            and the `ExportConfig`.
        interface: inputs and outputs in Markdown, for the model card.
        precisions: values of `--precision` that it can have.
        packages: to import for writing and running it.
        is_served: by TensorFlow Serving: it has signatures that take files' bytes, too,
            and gets warm-up requests; its versions are numbered in the output directory
            itself, and not in a folder of the format's name.
    """

    name: str
    write: Callable
    interface: str = FILE_PER_DIRECTION
    precisions: tuple[str, ...] = ("float32", "float16")
    packages: tuple[str, ...] = ()
    is_served: bool = False

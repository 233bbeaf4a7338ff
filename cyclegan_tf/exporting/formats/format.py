"""What all must know of a format of export."""

import dataclasses
import importlib.util
import pathlib
from collections.abc import Callable

from cyclegan_tf.common import checksums
from cyclegan_tf.common.errors import InputError

# Of formats for programs without TensorFlow.
FILE_PER_DIRECTION = """\
One file per direction: `images`, uint8 [N, H, W, 3], RGB, sides from 16 px on, to
`translated`, uint8 of the same shape."""


@dataclasses.dataclass(frozen=True)
class Format:
    """A kind of file that generators leave the training machine in.

    Attributes:
        name: as `--format` takes it; `run_exported.py` has a function that runs it.
        folder: of its versions, below the output directory.
        precisions: values of `--precision` that it can have.
        write: called with float32 generators by direction, the directory to write to,
            and the `ExportConfig`.
        interface: inputs and outputs in Markdown, for the model card.
        packages: to install for writing and running it, by the name they import as.
        extras: where, below a version's directory, its card and checksums lie.
        is_served: by TensorFlow Serving: it has signatures that take files' bytes, too,
            and gets warm-up requests.
    """

    name: str
    folder: str
    precisions: tuple[str, ...]
    write: Callable
    interface: str
    packages: dict[str, str] = dataclasses.field(default_factory=dict)
    extras: str = "."
    is_served: bool = False

    @property
    def sums(self) -> str:
        """The file of checksums, below a version's directory."""
        return str(pathlib.PurePosixPath(self.extras, checksums.SUMS))

    def require(self, precision: str) -> None:
        """Raises `InputError` for a precision it cannot have, or a missing package."""
        if precision not in self.precisions:
            raise InputError(
                f"--precision {precision} is not for --format {self.name}; take "
                f"{' or '.join(self.precisions)}."
            )
        missing = [
            package
            for module, package in self.packages.items()
            if importlib.util.find_spec(module) is None
        ]
        if missing:
            raise InputError(
                f"--format {self.name} needs {' and '.join(missing)}; install with "
                f"pip install '.[export]'."
            )

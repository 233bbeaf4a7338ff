"""The formats of exports, an entry each; `exporting.formats` has what writes them."""

import importlib.util
from typing import NamedTuple

from cyclegan_tf.common.errors import InputError

# Values of `--precision`: computing in 8 bits, and storing in 8 bits only.
INT8 = ("int8", "int8-weights")


class FormatKind(NamedTuple):
    """A kind of file that generators leave the training machine in.

    Attributes:
        name: as `--format` takes it; `run_exported.py` has a function that runs it.
        precisions: values of `--precision` that it can have.
        packages: to import for writing and running it.
        is_served: by TensorFlow Serving: it has signatures that take files' bytes, too,
            and gets warm-up requests; its versions are numbered in the output directory
            itself, and not in a folder of the format's name.
    """

    name: str
    precisions: tuple[str, ...]
    packages: tuple[str, ...] = ()
    is_served: bool = False


SAVEDMODEL = FormatKind(
    "savedmodel", ("float32", "bfloat16", "float16"), is_served=True
)
ONNX = FormatKind("onnx", ("float32", "float16", *INT8), ("tf2onnx", "onnxruntime"))
LITERT = FormatKind("litert", ("float32", "float16", *INT8), ("ai_edge_litert",))
FORMATS = (SAVEDMODEL, ONNX, LITERT)


def require_formats(names: list[str], precision: str, is_sized: bool) -> None:
    """Raises `InputError` for an unknown format, or one that cannot be as asked for.

    Args:
        names: of the formats.
        precision: value of `--precision`.
        is_sized: whether `--size` is given.
    """
    known = {kind.name: kind for kind in FORMATS}
    for name in names:
        if name not in known:
            raise InputError(f"--format takes {', '.join(known)}, got {name!r}.")
        kind = known[name]
        if is_sized and kind.is_served:
            raise InputError(
                f"--size is for onnx and litert; --format {name} takes any size."
            )
        if precision not in kind.precisions:
            others = f"take {' or '.join(kind.precisions)}"
            if precision in INT8:
                others = "int8 is for onnx and litert"
            raise InputError(
                f"--precision {precision} is not for --format {name}; {others}."
            )
        for package in kind.packages:
            if importlib.util.find_spec(package) is None:
                raise InputError(
                    f"--format {name} needs {package}; install with "
                    f"pip install '.[export]'."
                )

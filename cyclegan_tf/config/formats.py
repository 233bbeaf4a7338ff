"""The formats of export, an entry each.

Help and the checks of options follow from them; `exporting.formats` writes each, and
`inference.run_exported` runs it.
"""

import importlib.util
from typing import NamedTuple

from cyclegan_tf.config.options import require

PORTABLE = ("float32", "float16", "int8", "int8-weights")


class Format(NamedTuple):
    """A kind of file that generators leave the training machine in.

    Attributes:
        name: of `--format`.
        precisions: values of `--precision` that it can have.
        packages: to import for writing and running it.
        is_served: by TensorFlow Serving: it takes pictures of any size, and has
            signatures that take files' bytes, too; its versions are numbered in the
            output directory itself, and not in a folder of the format's name.
    """

    name: str
    precisions: tuple[str, ...]
    packages: tuple[str, ...] = ()
    is_served: bool = False


FORMATS = (
    Format("savedmodel", ("float32", "bfloat16", "float16"), is_served=True),
    Format("onnx", PORTABLE, ("tf2onnx", "onnxruntime")),
    Format("litert", PORTABLE, ("ai_edge_litert",)),
)
NAMES = ",".join(form.name for form in FORMATS)


def formats_of(names: str) -> list[Format]:
    """The formats of names with commas between them, each once, or an `InputError`."""
    known = {form.name: form for form in FORMATS}
    chosen = dict.fromkeys(names.replace(" ", "").split(","))
    for name in chosen:
        require(name in known, "--format", f"takes {', '.join(known)}, got {name!r}")
    return [known[name] for name in chosen]


def require_possible(form: Format, precision: str, is_fixed: bool) -> None:
    """Raises `InputError` where a format cannot be written like that, or here."""
    require(
        precision in form.precisions,
        f"--precision {precision}",
        f"is not for --format {form.name}; take {' or '.join(form.precisions)}",
    )
    require(
        not (is_fixed and form.is_served),
        "--size",
        f"is for onnx and litert; --format {form.name} takes any size",
    )
    for package in form.packages:
        require(
            importlib.util.find_spec(package) is not None,
            f"--format {form.name}",
            f"needs {package}; install with pip install '.[export]'",
        )

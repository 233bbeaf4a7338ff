"""Builds `.pth` files byte by byte, right and wrong ones."""

import io
import struct
import zipfile

import numpy as np

FLOATS = b"ctorch\nFloatStorage\n"


def archive(entries, compression=zipfile.ZIP_STORED):
    """A zip file as bytes, of entries by name."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as file:
        for name, content in entries.items():
            file.writestr(name, content)
    return buffer.getvalue()


def entries_of(content):
    """The entries of a zip file by name."""
    with zipfile.ZipFile(io.BytesIO(content)) as file:
        return {name: file.read(name) for name in file.namelist()}


def calling(function, argument):
    """A pickle that calls a function, `"module name"`, with a text."""
    name = function.replace(" ", "\n")
    return b"\x80\x02c" + name.encode() + b"\n(" + text(argument) + b"tR."


def text(value):
    """The instruction that makes a text."""
    return b"X" + struct.pack("<I", len(value.encode())) + value.encode()


def number(value):
    """The instruction that makes a number."""
    return b"J" + struct.pack("<i", value)


def numbers(*values):
    """The instructions that make a tuple of numbers."""
    return b"(" + b"".join(map(number, values)) + b"t"


def storage_code(kind=FLOATS, count=6, key="0"):
    """The instructions that make a storage."""
    parts = text("storage") + kind + text(key) + text("cpu") + number(count)
    return b"(" + parts + b"tQ"


def tensor_code(offset=0, shape=(2, 3), strides=(3, 1), storage=None, **options):
    """The instructions that make a tensor; options as of `storage_code`."""
    tensor = b"ctorch._utils\n_rebuild_tensor_v2\n("
    tensor += storage or storage_code(**options)
    tensor += number(offset) + numbers(*shape) + numbers(*strides) + b"\x89"
    return tensor + b"ccollections\nOrderedDict\n)RtR"


def tensor_pickle(name="a", **options):
    """A pickle of one tensor in a dictionary."""
    return b"\x80\x02}(" + text(name) + tensor_code(**options) + b"u."


def tensor_file(data=None, names=("x/data.pkl", "x/data/0"), **options):
    """A file of one tensor, of numbers from 0 to 5."""
    data = np.arange(6, dtype="<f4").tobytes() if data is None else data
    return archive(dict(zip(names, (tensor_pickle(**options), data), strict=True)))

"""PyTorch's files of named tensors (`.pth`), read and written without PyTorch.

Such a file is a pickle, a small program that builds objects, beside the raw numbers. It
is run, but can call nothing: instructions that a dictionary of tensors does not need
are refused before, and what it names are two things of ours. Nothing is unpacked to the
disk, and no size is believed before it is compared with the file's.

Both formats: since PyTorch 1.6 a zip archive with `data.pkl` and one uncompressed
entry per tensor; before, five pickles and then the numbers, one after the other.

Source: what `torch.save` writes, and `torch.load` reads, in PyTorch 0.3 to 2.13.
"""

import io
import math
import pathlib
import pickle
import pickletools
import struct
import zipfile

import numpy as np

from cyclegan_tf.common.errors import InputError
from cyclegan_tf.common.files import written_aside

# Far above any generator's: 64 filters and 9 blocks take 12 kB.
MAX_PICKLE_BYTES = 2**18
LEGACY_MAGIC = 0x1950A86A20F9469CFC6C
LEGACY_VERSION = 1001

DTYPES = {"FloatStorage": "<f4", "LongStorage": "<i8"}
REBUILD = ("_rebuild_tensor", "_rebuild_tensor_v2")
OPCODES = frozenset(
    "PROTO MARK STOP BINUNICODE SHORT_BINSTRING BINSTRING BININT BININT1 BININT2 LONG1 "
    "NONE NEWTRUE NEWFALSE EMPTY_DICT EMPTY_LIST EMPTY_TUPLE TUPLE TUPLE1 TUPLE2 "
    "TUPLE3 APPEND APPENDS SETITEM SETITEMS BINPUT LONG_BINPUT BINGET LONG_BINGET "
    "GLOBAL BINPERSID REDUCE BUILD".split()
)
# Every dictionary becomes one that checks its keys; what would be set as an attribute,
# the network's layout, is dropped.
NEW_DICT = b"ccollections\nOrderedDict\n)R"
REPLACED = {"EMPTY_DICT": NEW_DICT, "BUILD": pickle.POP}


def read_tensors(path: pathlib.Path) -> dict[str, np.ndarray]:
    """The tensors that `torch.save(network.state_dict(), path)` wrote.

    Returns:
        float32 arrays, and int64 for counters, by name, in the file's order.

    Raises:
        InputError: there is no such file, or it is anything else, damaged or not.
    """
    if not path.is_file():
        raise InputError(f"{path}: no such file.")
    content = path.read_bytes()
    try:
        is_archive = content.startswith(b"PK\x03\x04")
        tensors = (_read_archive if is_archive else _read_legacy)(content)
        _require(_checked(tensors, dict), "it is empty")
        for name, tensor in tensors.items():
            is_tensor = isinstance(tensor, np.ndarray)
            _require(is_tensor, f"{name[:80]!r} is no tensor, so it is no state dict")
        return dict(tensors)
    except Exception as error:  # what a damaged file leads to has many names
        if not isinstance(error, ValueError):
            error = f"it is damaged ({type(error).__name__})"
        raise InputError(f"{path} is no PyTorch file of tensors: {error}.") from None


def write_tensors(path: pathlib.Path, tensors: dict[str, np.ndarray]) -> None:
    """Writes float32 arrays by name as `torch.save` does, always to the same bytes."""
    arrays = {n: np.ascontiguousarray(array, "<f4") for n, array in tensors.items()}
    entries = {"data.pkl": _pickle_of(arrays), "byteorder": b"little"}
    for i, array in enumerate(arrays.values()):
        entries[f"data/{i}"] = array.tobytes()
    entries["version"] = b"3\n"
    with written_aside(path) as aside, zipfile.ZipFile(aside, "w") as archive:
        for name, content in entries.items():
            # Of a ZipInfo, the time of writing is always the same.
            archive.writestr(zipfile.ZipInfo(f"{path.stem}/{name}"), content)


def _read_archive(content):
    """What a file of the format since PyTorch 1.6 holds."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        names = archive.namelist()
        root = names[0].split("/")[0]

        def read(name):
            entry = archive.getinfo(f"{root}/{name}")
            is_compressed = entry.compress_type != zipfile.ZIP_STORED
            _require(not is_compressed, f"its {name[:80]!r} is compressed")
            return archive.read(entry)  # checks the CRC

        order = read("byteorder") if f"{root}/byteorder" in names else b"little"
        _require(order == b"little", "it is not little-endian")
        tensors, storages = _run_pickle(io.BytesIO(read("data.pkl")), len(content))
        for key, storage in storages.items():
            _fill(storage, read(f"data/{key}"))
    return tensors


def _read_legacy(content):
    """What a file of the format before PyTorch 1.6 holds."""
    stream = io.BytesIO(content)
    for expected in (LEGACY_MAGIC, LEGACY_VERSION):
        is_pickle = stream.read(2) == b"\x80\x02"
        is_begin = is_pickle and _run_pickle(stream, 0)[0] == expected
        _require(is_begin, "it does not begin like one")
    about = _run_pickle(stream, 0)[0]
    _require(about["little_endian"] is True, "it is not little-endian")
    tensors, storages = _run_pickle(stream, len(content))
    for key in _run_pickle(stream, 0)[0]:
        storage = storages.pop(_checked(key, str))
        (count,) = struct.unpack("<q", stream.read(8))
        _require(count == storage.size, "a storage has another size")
        _fill(storage, stream.read(storage.nbytes))
    is_all = not storages and stream.tell() == len(content)
    _require(is_all, "tensors and stored numbers do not match")
    return tensors


def _fill(storage, content):
    _require(len(content) == storage.nbytes, "its numbers are cut")
    storage[:] = np.frombuffer(content, storage.dtype)


def _run_pickle(stream, max_bytes):
    """What a stream's next pickle builds, and its storages by key, yet to be filled."""
    start = stream.tell()
    code = stream.read(MAX_PICKLE_BYTES)
    checked, name, begin = bytearray(), None, 0
    for opcode, argument, position in pickletools.genops(code):
        checked += REPLACED.get(name, code[begin:position])
        name, begin = opcode.name, position
        _require(name in OPCODES, f"its pickle has the instruction {name}")
        # The unpickler's memory has as many places as the highest number.
        is_near = not name.endswith("PUT") or argument < len(code)
        _require(is_near, "its pickle is damaged")
    stream.seek(start + begin + 1)
    unpickler = _Unpickler(io.BytesIO(checked + pickle.STOP), encoding="utf-8")
    unpickler.storages, unpickler.bytes_left = {}, max_bytes
    return unpickler.load(), unpickler.storages


class _Unpickler(pickle.Unpickler):
    def find_class(self, module, name):
        if (module, name) == ("collections", "OrderedDict"):
            return _Dict
        if module == "torch._utils" and name in REBUILD:
            return _rebuild_tensor
        # In the memory of a GPU they were the same numbers.
        if module in ("torch", "torch.cuda") and name.endswith("Storage"):
            _require(name in DTYPES, f"it holds a {name[:80]}; expected 32-bit floats")
            return DTYPES[name]
        raise ValueError(f"its pickle would call {module[:80]}.{name[:80]}")

    def persistent_load(self, pid):
        """A storage, from `("storage", type, key, device, count[, view])`."""
        tag, dtype, key, _, count, *view = _checked(pid, tuple)
        is_storage = tag == "storage" and dtype in DTYPES.values()
        _require(is_storage, "its pickle names no storage")
        _require(view in ([], [None]), "storages within storages are not supported")
        if _checked(key, str) not in self.storages:
            self.bytes_left -= _checked(count, int) * np.dtype(dtype).itemsize
            _require(count >= 0 and self.bytes_left >= 0, "its numbers are cut")
            self.storages[key] = np.zeros(count, dtype)
        return self.storages[key]


class _Dict(dict):
    """A dictionary of texts alone: hashing nested tuples could take for ever."""

    def __init__(self, pairs=()):  # which Python 2 passes; 3 sets the items afterwards
        for key, value in pairs:
            self[key] = value

    def __setitem__(self, key, value):
        super().__setitem__(_checked(key, str), value)


def _rebuild_tensor(storage, offset, shape, strides, *_):
    """A view of a storage; offset and strides are in elements."""
    # Not a view: of one, the first element may be anywhere.
    _require(_checked(storage, np.ndarray).base is None, "a tensor has no storage")
    numbers = (offset, *_checked(shape, tuple), *_checked(strides, tuple))
    _require(all(type(n) is int and n >= 0 for n in numbers), "a size is negative")
    last = offset + sum((n - 1) * s for n, s in zip(shape, strides, strict=True))
    # The last: a stride of 0 would make much of little.
    is_inside = last < storage.size and 0 < math.prod(shape) <= storage.size
    _require(is_inside, "a tensor reaches beyond its numbers")
    strides = [stride * storage.itemsize for stride in strides]
    return np.lib.stride_tricks.as_strided(storage[offset:], shape, strides)


def _pickle_of(arrays):
    """The pickle of an ordered dictionary of tensors, storage i for the i-th."""
    items = b""
    for i, (name, array) in enumerate(arrays.items()):
        floats = b"ctorch\nFloatStorage\n"
        storage = _code(("storage", floats, str(i), "cpu", array.size)) + b"Q"
        strides = tuple(stride // array.itemsize for stride in array.strides)
        # False: no gradient; an empty dictionary: no hooks.
        tensor = _code((storage, 0, array.shape, strides, b"\x89", NEW_DICT))
        items += _code(name) + b"ctorch._utils\n_rebuild_tensor_v2\n" + tensor + b"R"
    return b"\x80\x02" + NEW_DICT + b"(" + items + b"u."


def _code(value):
    """The instructions that make a tuple, a number or a text; or such instructions."""
    if isinstance(value, tuple):
        return b"(" + b"".join(map(_code, value)) + b"t"
    if isinstance(value, int):
        return b"J" + struct.pack("<i", value)
    if isinstance(value, str):
        return b"X" + struct.pack("<I", len(value.encode())) + value.encode()
    return value


def _checked(value, kind):
    found, expected = type(value).__name__, kind.__name__
    _require(isinstance(value, kind), f"its pickle has a {found} for a {expected}")
    return value


def _require(condition, problem):
    if not condition:
        raise ValueError(problem)

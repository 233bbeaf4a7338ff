"""PyTorch's files of named tensors (`.pth`), read and written without PyTorch.

Such a file is a pickle, a small program that builds objects, beside the raw numbers.
Here it is run by an interpreter of its own that knows the few instructions that a
dictionary of tensors needs. None of them can call anything: where a pickle names a
function, the interpreter has a word for the five that are expected and refuses any
other. Nothing is unpacked to the disk, and no size is believed before it is compared
with the size of the file.

Both formats: since PyTorch 1.6 a zip archive with `data.pkl` and one uncompressed
entry per tensor; before, five pickles and then the numbers, one after the other.

Source: what `torch.save` writes, and `torch.load` reads, in PyTorch 0.3 to 2.13.
"""

import enum
import io
import math
import pathlib
import pickletools
import struct
import zipfile
from typing import Any, NamedTuple

import numpy as np

from cyclegan_tf.errors import InputError
from cyclegan_tf.files import written_aside

# Far above any generator: 64 filters and 9 blocks take 46 MB and a pickle of 12 kB.
MAX_FILE_BYTES = 2**30
MAX_PICKLE_BYTES = 2**20
MAX_DIMENSIONS = 8

PICKLE_PROTOCOL = 2
LEGACY_MAGIC = 0x1950A86A20F9469CFC6C
LEGACY_VERSION = 1001


class _Word(enum.Enum):
    """What a pickle may name."""

    ORDERED_DICT = "collections OrderedDict"
    TENSOR = "torch._utils _rebuild_tensor"
    TENSOR_V2 = "torch._utils _rebuild_tensor_v2"
    FLOATS = "torch FloatStorage"
    LONGS = "torch LongStorage"


_DTYPES = {_Word.FLOATS: np.dtype("<f4"), _Word.LONGS: np.dtype("<i8")}


class _Storage(NamedTuple):
    """A run of numbers somewhere in the file."""

    dtype: np.dtype
    key: str
    count: int

    @property
    def num_bytes(self):
        return self.count * self.dtype.itemsize


class _Tensor(NamedTuple):
    """A view of a storage; offset and strides are in elements."""

    storage: _Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


def read_tensors(path: pathlib.Path) -> dict[str, np.ndarray]:
    """The tensors of a `.pth` file by name, in the file's order.

    Args:
        path: a file that `torch.save(network.state_dict(), path)` wrote.

    Returns:
        float32 arrays, and int64 for counters.

    Raises:
        InputError: there is no such file, or it is anything else, damaged or not.
    """
    if not path.is_file():
        raise InputError(f"{path}: no such file.")
    try:
        with path.open("rb") as file:
            content = file.read(MAX_FILE_BYTES + 1)
        _require(len(content) <= MAX_FILE_BYTES, f"it is over {MAX_FILE_BYTES} bytes")
        # From memory, where a wrong offset is no error of the disk.
        stream = io.BytesIO(content)
        if content.startswith(b"PK\x03\x04"):
            tensors, numbers = _read_archive(stream, len(content))
        elif content.startswith(b"\x80\x02"):
            tensors, numbers = _read_legacy(stream, len(content))
        else:
            raise ValueError("it does not begin like one")
        return {
            name: _array(tensor, numbers[tensor.storage.key])
            for name, tensor in tensors.items()
        }
    except (ValueError, TypeError, ArithmeticError, LookupError, EOFError) as error:
        problem = error
    except (zipfile.BadZipFile, struct.error, RuntimeError) as error:
        problem = error  # RuntimeError: encrypted, or of another version of zip
    kind = type(problem)
    is_told = kind in (ValueError, zipfile.BadZipFile) and str(problem)
    reason = str(problem)[:200] if is_told else f"it is damaged ({kind.__name__})"
    raise InputError(f"{path} is no PyTorch file of tensors: {reason}.")


def write_tensors(path: pathlib.Path, tensors: dict[str, np.ndarray]) -> None:
    """Writes float32 arrays as `torch.save` writes an ordered dictionary of tensors.

    Args:
        path: the `.pth` file; written aside and renamed.
        tensors: arrays by name.
    """
    arrays = [np.ascontiguousarray(array, "<f4") for array in tensors.values()]
    entries = {
        "data.pkl": _pickle_of(dict(zip(tensors, arrays, strict=True))),
        "byteorder": b"little",
        **{f"data/{i}": array.tobytes() for i, array in enumerate(arrays)},
        "version": b"3\n",
    }
    with written_aside(path) as aside, zipfile.ZipFile(aside, "w") as archive:
        for name, content in entries.items():
            # Without a time of writing, the same weights make the same file.
            archive.writestr(zipfile.ZipInfo(f"{path.stem}/{name}"), content)


def _require(condition, problem):
    if not condition:
        raise ValueError(problem)


def _read_archive(file: io.BytesIO, size: int):
    """Tensors and bytes by storage of the format since PyTorch 1.6."""
    with zipfile.ZipFile(file) as archive:
        entries = {entry.filename: entry for entry in archive.infolist()}
        _require(len(entries) == len(archive.infolist()), "two entries have one name")
        # Uncompressed and together no larger than the file: nothing to blow up.
        total = sum(entry.file_size for entry in entries.values())
        _require(total <= size, "its entries claim to be larger than the file")
        root = next(iter(entries), "").split("/")[0]
        for name, entry in entries.items():
            parts = name.split("/")
            is_inside = parts[0] == root and not {"", ".", ".."} & set(parts)
            _require(
                is_inside and "\\" not in name, f"an entry is called {name[:80]!r}"
            )
            _require(entry.compress_type == zipfile.ZIP_STORED, f"{name} is compressed")
        pickle_entry = entries.pop(f"{root}/data.pkl", None)
        _require(pickle_entry is not None, "the archive has no data.pkl")
        _require(pickle_entry.file_size <= MAX_PICKLE_BYTES, "data.pkl is too large")
        order = entries.get(f"{root}/byteorder")
        _require(order is None or archive.read(order) == b"little", "not little-endian")

        tensors = _tensors(_run_pickle(io.BytesIO(archive.read(pickle_entry))))
        storages = _storages(tensors)
        prefix = f"{root}/data/"
        stored = {n.removeprefix(prefix) for n in entries if n.startswith(prefix)}
        _require(stored == set(storages), "tensors and stored numbers do not match")
        numbers = {}
        for key, storage in storages.items():
            entry = entries[prefix + key]
            _require(entry.file_size == storage.num_bytes, f"{entry.filename} is cut")
            numbers[key] = archive.read(entry)  # checks the CRC
    return tensors, numbers


def _read_legacy(file: io.BytesIO, size: int):
    """Tensors and bytes by storage of the format before PyTorch 1.6."""
    _require(_next_pickle(file) == LEGACY_MAGIC, "it does not begin like one")
    _require(_next_pickle(file) == LEGACY_VERSION, "of an unknown version")
    system = _next_pickle(file)
    _require(
        isinstance(system, dict) and system.get("little_endian") is True,
        "not little-endian",
    )
    tensors = _tensors(_next_pickle(file))
    storages, keys = _storages(tensors), _next_pickle(file)
    _require(
        isinstance(keys, list)
        and all(isinstance(key, str) for key in keys)
        and sorted(keys) == sorted(storages),
        "tensors and stored numbers do not match",
    )
    numbers = {}
    for key in keys:
        (count,) = struct.unpack("<q", file.read(8))
        storage = storages[key]
        _require(count == storage.count, f"storage {key[:80]} has another size")
        _require(storage.num_bytes <= size - file.tell(), "it ends too early")
        numbers[key] = file.read(storage.num_bytes)
    _require(file.tell() == size, "something follows the tensors")
    return tensors, numbers


def _next_pickle(file):
    start = file.tell()
    stream = io.BytesIO(file.read(MAX_PICKLE_BYTES))
    value = _run_pickle(stream)
    file.seek(start + stream.tell())
    return value


def _run_pickle(stream: io.BytesIO) -> Any:
    """What a pickle builds, of dictionaries, lists, tuples, numbers and tensors.

    Raises:
        ValueError, TypeError, LookupError: it is damaged, or does anything else.
    """
    stack: list[Any] = []
    marks: list[int] = []
    memo: dict[int, Any] = {}

    def pop_to_mark():
        start = marks.pop()
        _require(start <= len(stack), "the pickle is damaged")
        values = stack[start:]
        del stack[start:]
        return values

    for opcode, argument, _ in pickletools.genops(stream):
        match opcode.name:
            case "PROTO":
                _require(argument == PICKLE_PROTOCOL, f"pickle protocol {argument}")
            case "MARK":
                marks.append(len(stack))
            case "BINUNICODE" | "SHORT_BINSTRING" | "BINSTRING":
                stack.append(argument)
            case "BININT" | "BININT1" | "BININT2" | "LONG1":
                stack.append(argument)
            case "NONE":
                stack.append(None)
            case "NEWTRUE" | "NEWFALSE":
                stack.append(opcode.name == "NEWTRUE")
            case "EMPTY_DICT":
                stack.append({})
            case "EMPTY_LIST":
                stack.append([])
            case "EMPTY_TUPLE":
                stack.append(())
            case "TUPLE":
                stack.append(tuple(pop_to_mark()))
            case "TUPLE1" | "TUPLE2" | "TUPLE3":
                count = int(opcode.name[-1])
                _require(len(stack) >= count, "the pickle is damaged")
                stack[-count:] = [tuple(stack[-count:])]
            case "APPEND":
                value = stack.pop()
                _checked(stack[-1], list).append(value)
            case "APPENDS":
                values = pop_to_mark()
                _checked(stack[-1], list).extend(values)
            case "SETITEM":
                value, key = stack.pop(), stack.pop()
                _set_items(stack[-1], [key, value])
            case "SETITEMS":
                values = pop_to_mark()
                _set_items(stack[-1], values)
            case "BINPUT" | "LONG_BINPUT":
                memo[argument] = stack[-1]
            case "BINGET" | "LONG_BINGET":
                stack.append(memo[argument])
            case "GLOBAL":
                stack.append(_word(argument))
            case "BINPERSID":
                stack.append(_storage(stack.pop()))
            case "REDUCE":
                arguments, word = stack.pop(), stack.pop()
                stack.append(_build(word, _checked(arguments, tuple)))
            case "BUILD":
                stack.pop()  # the network's layout, for PyTorch's own version changes
                _checked(stack[-1], dict)
            case "STOP":
                (value,) = stack
                return value
            case other:
                raise ValueError(f"its pickle has the instruction {other}")
    raise ValueError("the pickle is cut")


def _checked(value, kind):
    found, expected = type(value).__name__, kind.__name__
    _require(isinstance(value, kind), f"its pickle has a {found} for a {expected}")
    return value


def _set_items(target, values):
    _checked(target, dict)
    _require(len(values) % 2 == 0, "the pickle is damaged")
    for key, value in zip(values[::2], values[1::2], strict=True):
        # Text alone: hashing nested tuples could take for ever.
        target[_checked(key, str)] = value


def _word(name):
    module, _, kind = name.partition(" ")
    if module == "torch.cuda":  # the same numbers, once in a GPU's memory
        module = "torch"
    try:
        return _Word(f"{module} {kind}")
    except ValueError:
        pass
    if module == "torch" and kind.endswith("Storage"):
        raise ValueError(f"it holds a {kind[:80]}; expected 32-bit floats")
    raise ValueError(f"its pickle would call {module[:80]}.{kind[:80]}")


def _storage(persistent_id):
    """A storage, from `("storage", type, key, device, count[, view])`."""
    tag, word, key, _, count, *view = _checked(persistent_id, tuple)
    is_storage = tag == "storage" and isinstance(word, _Word) and word in _DTYPES
    _require(is_storage, "the pickle names no storage")
    _require(view in ([], [None]), "storages within storages are not supported")
    _require(type(count) is int and count >= 0, "a storage has no valid size")
    return _Storage(_DTYPES[word], _checked(key, str), count)


def _build(word, arguments):
    if word is _Word.ORDERED_DICT:
        built: dict[str, Any] = {}
        # Python 2 passes a list of pairs, Python 3 sets the items afterwards.
        for pair in _checked(arguments[0], list) if arguments else []:
            _set_items(built, _checked(pair, list))
        return built
    _require(word in (_Word.TENSOR, _Word.TENSOR_V2), "the pickle calls no function")
    storage, offset, shape, strides, *_ = arguments
    _checked(storage, _Storage)
    shape, strides = _checked(shape, tuple), _checked(strides, tuple)
    numbers = (offset, *shape, *strides)
    _require(all(type(n) is int and n >= 0 for n in numbers), "a negative size")
    _require(len(shape) == len(strides) <= MAX_DIMENSIONS, "a tensor's sizes are odd")
    last = offset + sum((n - 1) * s for n, s in zip(shape, strides, strict=True))
    # The second: a stride of 0 would make much of little.
    is_inside = 0 not in shape and last < storage.count
    is_inside = is_inside and math.prod(shape) <= storage.count
    _require(is_inside, "a tensor reaches beyond its numbers")
    return _Tensor(storage, offset, shape, strides)


def _tensors(value) -> dict[str, _Tensor]:
    tensors = _checked(value, dict)
    _require(tensors, "it is empty")
    for name, tensor in tensors.items():
        is_tensor = isinstance(tensor, _Tensor)
        _require(is_tensor, f"{name[:80]!r} is no tensor, so it is no state dict")
    return tensors


def _storages(tensors) -> dict[str, _Storage]:
    """The storages by key; together the tensors are no larger than these."""
    storages = {}
    for tensor in tensors.values():
        storage = storages.setdefault(tensor.storage.key, tensor.storage)
        _require(storage == tensor.storage, "two storages have one name")
    elements = sum(math.prod(tensor.shape) for tensor in tensors.values())
    stored = sum(storage.count for storage in storages.values())
    _require(elements <= stored, "its tensors share their numbers")
    return storages


def _array(tensor, numbers):
    flat = np.frombuffer(numbers, tensor.storage.dtype)[tensor.offset :]
    strides = [stride * flat.itemsize for stride in tensor.strides]
    view = np.lib.stride_tricks.as_strided(flat, tensor.shape, strides)
    return np.array(view, dtype=flat.dtype.newbyteorder("="), order="C")


def _pickle_of(arrays):
    """The pickle of an ordered dictionary of tensors, storage i for the i-th."""
    empty_dict = b"ccollections\nOrderedDict\n)R"
    items = b"".join(
        _text(name)
        + b"ctorch._utils\n_rebuild_tensor_v2\n("
        + _tuple(
            _text("storage"),
            b"ctorch\nFloatStorage\n",
            _text(str(i)),
            _text("cpu"),
            _number(array.size),
        )
        + b"Q"  # makes a storage of it
        + _number(0)
        + _tuple(*map(_number, array.shape))
        + _tuple(*(_number(stride // array.itemsize) for stride in array.strides))
        + b"\x89"  # no gradient
        + empty_dict  # no hooks
        + b"tR"
        for i, (name, array) in enumerate(arrays.items())
    )
    return b"\x80\x02" + empty_dict + b"(" + items + b"u."


def _text(text):
    encoded = text.encode()
    return b"X" + struct.pack("<I", len(encoded)) + encoded


def _number(number):
    return b"J" + struct.pack("<i", number)


def _tuple(*items):
    return b"(" + b"".join(items) + b"t"

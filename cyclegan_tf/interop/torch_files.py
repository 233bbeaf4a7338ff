"""PyTorch's files of named tensors (`.pth`), read and written without PyTorch.

Such a file is a pickle beside the raw numbers; `tensor_pickle` runs it, and calls
nothing. Nothing is unpacked to the disk, and no size is believed before it is compared
with the size of the file.

Both formats: since PyTorch 1.6 a zip archive with `data.pkl` and one uncompressed
entry per tensor; before, five pickles and then the numbers, one after the other.

Source: what `torch.save` writes, and `torch.load` reads, in PyTorch 0.3 to 2.13.
"""

import io
import math
import pathlib
import struct
import zipfile

import numpy as np

from cyclegan_tf.common.errors import InputError
from cyclegan_tf.common.files import written_aside
from cyclegan_tf.interop.tensor_pickle import Storage, require, run_pickle, tensors_of

# Far above any generator: 64 filters and 9 blocks take 46 MB and a pickle of 12 kB.
MAX_FILE_BYTES = 2**30
MAX_PICKLE_BYTES = 2**20

LEGACY_MAGIC = 0x1950A86A20F9469CFC6C
LEGACY_VERSION = 1001


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
        require(len(content) <= MAX_FILE_BYTES, f"it is over {MAX_FILE_BYTES} bytes")
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


def _read_archive(file: io.BytesIO, size: int):
    """Tensors and bytes by storage of the format since PyTorch 1.6."""
    with zipfile.ZipFile(file) as archive:
        entries = {entry.filename: entry for entry in archive.infolist()}
        require(len(entries) == len(archive.infolist()), "two entries have one name")
        # Uncompressed and together no larger than the file: nothing to blow up.
        total = sum(entry.file_size for entry in entries.values())
        require(total <= size, "its entries claim to be larger than the file")
        root = next(iter(entries), "").split("/")[0]
        for name, entry in entries.items():
            parts = name.split("/")
            is_inside = parts[0] == root and not {"", ".", ".."} & set(parts)
            require(is_inside and "\\" not in name, f"an entry is called {name[:80]!r}")
            require(entry.compress_type == zipfile.ZIP_STORED, f"{name} is compressed")
        pickle_entry = entries.pop(f"{root}/data.pkl", None)
        require(pickle_entry is not None, "the archive has no data.pkl")
        require(pickle_entry.file_size <= MAX_PICKLE_BYTES, "data.pkl is too large")
        order = entries.get(f"{root}/byteorder")
        require(order is None or archive.read(order) == b"little", "not little-endian")

        tensors = tensors_of(run_pickle(io.BytesIO(archive.read(pickle_entry))))
        storages = _storages(tensors)
        prefix = f"{root}/data/"
        stored = {n.removeprefix(prefix) for n in entries if n.startswith(prefix)}
        require(stored == set(storages), "tensors and stored numbers do not match")
        numbers = {}
        for key, storage in storages.items():
            entry = entries[prefix + key]
            require(entry.file_size == storage.num_bytes, f"{entry.filename} is cut")
            numbers[key] = archive.read(entry)  # checks the CRC
    return tensors, numbers


def _read_legacy(file: io.BytesIO, size: int):
    """Tensors and bytes by storage of the format before PyTorch 1.6."""
    require(_next_pickle(file) == LEGACY_MAGIC, "it does not begin like one")
    require(_next_pickle(file) == LEGACY_VERSION, "of an unknown version")
    system = _next_pickle(file)
    require(
        isinstance(system, dict) and system.get("little_endian") is True,
        "not little-endian",
    )
    tensors = tensors_of(_next_pickle(file))
    storages, keys = _storages(tensors), _next_pickle(file)
    require(
        isinstance(keys, list)
        and all(isinstance(key, str) for key in keys)
        and sorted(keys) == sorted(storages),
        "tensors and stored numbers do not match",
    )
    numbers = {}
    for key in keys:
        (count,) = struct.unpack("<q", file.read(8))
        storage = storages[key]
        require(count == storage.count, f"storage {key[:80]} has another size")
        require(storage.num_bytes <= size - file.tell(), "it ends too early")
        numbers[key] = file.read(storage.num_bytes)
    require(file.tell() == size, "something follows the tensors")
    return tensors, numbers


def _next_pickle(file):
    start = file.tell()
    stream = io.BytesIO(file.read(MAX_PICKLE_BYTES))
    value = run_pickle(stream)
    file.seek(start + stream.tell())
    return value


def _storages(tensors) -> dict[str, Storage]:
    """The storages by key; together the tensors are no larger than these."""
    storages = {}
    for tensor in tensors.values():
        storage = storages.setdefault(tensor.storage.key, tensor.storage)
        require(storage == tensor.storage, "two storages have one name")
    elements = sum(math.prod(tensor.shape) for tensor in tensors.values())
    stored = sum(storage.count for storage in storages.values())
    require(elements <= stored, "its tensors share their numbers")
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

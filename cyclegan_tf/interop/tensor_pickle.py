"""Runs the pickle of a PyTorch file as far as it describes a dictionary of tensors.

A pickle is a small program that builds objects. Here an interpreter of its own runs it,
which knows the few instructions that a dictionary of tensors needs. None of them can
call anything: where a pickle names a function, the interpreter has a word for the five
that are expected and refuses any other. The numbers themselves lie elsewhere in the
file; what comes out are descriptions of where.
"""

import enum
import io
import math
import pickletools
from typing import Any, NamedTuple

import numpy as np

PICKLE_PROTOCOL = 2
MAX_DIMENSIONS = 8


class _Word(enum.Enum):
    """What a pickle may name."""

    ORDERED_DICT = "collections OrderedDict"
    TENSOR = "torch._utils _rebuild_tensor"
    TENSOR_V2 = "torch._utils _rebuild_tensor_v2"
    FLOATS = "torch FloatStorage"
    LONGS = "torch LongStorage"


_DTYPES = {_Word.FLOATS: np.dtype("<f4"), _Word.LONGS: np.dtype("<i8")}


class Storage(NamedTuple):
    """A run of numbers somewhere in the file."""

    dtype: np.dtype
    key: str
    count: int

    @property
    def num_bytes(self):
        """Its size in the file."""
        return self.count * self.dtype.itemsize


class Tensor(NamedTuple):
    """A view of a storage; offset and strides are in elements."""

    storage: Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


def run_pickle(stream: io.BytesIO) -> Any:
    """What a stream's next pickle builds: dictionaries, lists, numbers, tensors.

    Raises:
        ValueError, TypeError, LookupError: it is damaged, or does anything else.
    """
    stack: list[Any] = []
    marks: list[int] = []
    memo: dict[int, Any] = {}

    def pop_to_mark():
        start = marks.pop()
        require(start <= len(stack), "the pickle is damaged")
        values = stack[start:]
        del stack[start:]
        return values

    for opcode, argument, _ in pickletools.genops(stream):
        match opcode.name:
            case "PROTO":
                require(argument == PICKLE_PROTOCOL, f"pickle protocol {argument}")
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
                require(len(stack) >= count, "the pickle is damaged")
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
    require(isinstance(value, kind), f"its pickle has a {found} for a {expected}")
    return value


def _set_items(target, values):
    _checked(target, dict)
    require(len(values) % 2 == 0, "the pickle is damaged")
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
    require(is_storage, "the pickle names no storage")
    require(view in ([], [None]), "storages within storages are not supported")
    require(type(count) is int and count >= 0, "a storage has no valid size")
    return Storage(_DTYPES[word], _checked(key, str), count)


def _build(word, arguments):
    if word is _Word.ORDERED_DICT:
        built: dict[str, Any] = {}
        # Python 2 passes a list of pairs, Python 3 sets the items afterwards.
        for pair in _checked(arguments[0], list) if arguments else []:
            _set_items(built, _checked(pair, list))
        return built
    require(word in (_Word.TENSOR, _Word.TENSOR_V2), "the pickle calls no function")
    storage, offset, shape, strides, *_ = arguments
    _checked(storage, Storage)
    shape, strides = _checked(shape, tuple), _checked(strides, tuple)
    numbers = (offset, *shape, *strides)
    require(all(type(n) is int and n >= 0 for n in numbers), "a negative size")
    require(len(shape) == len(strides) <= MAX_DIMENSIONS, "a tensor's sizes are odd")
    last = offset + sum((n - 1) * s for n, s in zip(shape, strides, strict=True))
    # The second: a stride of 0 would make much of little.
    is_inside = 0 not in shape and last < storage.count
    is_inside = is_inside and math.prod(shape) <= storage.count
    require(is_inside, "a tensor reaches beyond its numbers")
    return Tensor(storage, offset, shape, strides)


def tensors_of(value) -> dict[str, Tensor]:
    """The tensors by name, if that is what a pickle has built; or `ValueError`."""
    tensors = _checked(value, dict)
    require(tensors, "it is empty")
    for name, tensor in tensors.items():
        is_tensor = isinstance(tensor, Tensor)
        require(is_tensor, f"{name[:80]!r} is no tensor, so it is no state dict")
    return tensors


def require(condition, problem: str) -> None:
    """Raises `ValueError` with the problem unless the condition holds."""
    if not condition:
        raise ValueError(problem)

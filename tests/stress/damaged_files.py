"""Makes damaged and malicious `.pth` files, and counts what becomes of them.

    python -m tests.stress.damaged_files 20000

reads so many, of which `tests/test_torch_files.py` takes the first few hundred.
"""

import collections
import io
import os
import pathlib
import random
import sys
import tempfile
import time
import zipfile

import numpy as np

from cyclegan_tf.common.errors import InputError
from cyclegan_tf.interop.torch_files import read_tensors
from tests.parity import STATE_DICTS

# Opcodes of pickle that call, or that grow what they are given.
TEMPTING_BYTES = (
    b"cRiobl()tP\x81\x82\x83\x84\x85\x92\x93\x94\x95\x8a\x8b\x8d\x8eGVLF2rj"
)


def calling(function, argument):
    """A pickle that calls a function, `"module name"`, with a text."""
    name = function.replace(" ", "\n")
    text = argument.encode()
    return b"\x80\x02c" + name.encode() + b"\n(U" + bytes([len(text)]) + text + b"tR."


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


def damage(content, rng):
    """Changes some bytes, more often than not in the pickles."""
    data = bytearray(content)
    for _ in range(rng.choice((1, 1, 1, 2, 5, 40))):
        place = rng.randrange(min(len(data), rng.choice((64, 512, 4096, len(data)))))
        match rng.randrange(7):
            case 0:
                data[place] ^= 1 << rng.randrange(8)
            case 1:
                data[place] = rng.randrange(256)
            case 2:
                data[place] = rng.choice(TEMPTING_BYTES)
            case 3:
                data[place : place + rng.randrange(1, 9)] = b""
            case 4:
                data[place:place] = rng.randbytes(rng.randrange(1, 9))
            case 5:
                # A length or a number, very large or negative.
                data[place : place + 4] = rng.choice((b"\xff" * 4, b"\xff\xff\xff\x7f"))
            case 6:
                other = rng.randrange(len(data))
                data[place:place] = data[other : other + rng.randrange(1, 40)]
        if len(data) < 8:
            break
    return bytes(data)


def damaged_file(originals, rng):
    """A file that is cut, changed anywhere, or whole but for a pickle or a name."""
    content = rng.choice(originals)
    kind = rng.randrange(4)
    if kind == 0:
        return content[: rng.randrange(len(content))]
    if kind == 1 or not content.startswith(b"PK"):
        return damage(content, rng)
    entries = entries_of(content)
    if kind == 2:
        name = next(name for name in entries if name.endswith("data.pkl"))
        entries[name] = damage(entries[name], rng)
    else:
        name = rng.choice(list(entries))
        entries[damage(name.encode(), rng).decode("latin-1")] = entries.pop(name)
    return archive(entries)


def read_damaged(num_files, seed, folder):
    """Reads damaged files; anything but a tensor or a refusal is raised.

    Returns:
        How many were read and refused, by "read" and the reason, and the seconds of
        the slowest.
    """
    rng = random.Random(seed)
    originals = [path.read_bytes() for path in STATE_DICTS]
    path = folder / "damaged.pth"
    outcomes, slowest = collections.Counter(), 0.0
    for _ in range(num_files):
        path.write_bytes(damaged_file(originals, rng))
        start = time.perf_counter()
        try:
            tensors = read_tensors(path)
        except InputError as error:
            message = str(error)
            assert str(path) in message and "\n" not in message
            reason = message.split("tensors: ", 1)[1]
            outcomes[" ".join(reason.split()[:3])] += 1
        else:
            assert all(isinstance(array, np.ndarray) for array in tensors.values())
            size = sum(array.nbytes for array in tensors.values())
            assert size <= path.stat().st_size
            outcomes["read"] += 1
        slowest = max(slowest, time.perf_counter() - start)
        assert os.listdir(folder) == [path.name]
    return outcomes, slowest


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as name:
        counted, seconds = read_damaged(int(sys.argv[1]), 1, pathlib.Path(name))
    for reason, count in counted.most_common():
        print(f"{count:7} {reason}")
    print(f"slowest: {seconds:.3f} s")

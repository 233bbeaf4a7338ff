"""Damages `.pth` files and counts what becomes of them.

    python -m tests.stress.damaged_files 20000

Each must be read or refused in one line, at once, with nothing left on the disk.
"""

import collections
import os
import pathlib
import random
import sys
import tempfile
import time

from cyclegan_tf.common.errors import InputError
from cyclegan_tf.interop.torch_files import read_tensors
from tests.interop.pickles import archive, entries_of
from tests.parity import STATE_DICTS

# Opcodes of pickle that call, or that grow what they are given.
TEMPTING_BYTES = (
    b"cRiobl()tP\x81\x82\x83\x84\x85\x92\x93\x94\x95\x8a\x8b\x8d\x8eGVLF2rj"
)


def damage(content, rng):
    """Changes some bytes, more often than not in the pickles."""
    data = bytearray(content)
    for _ in range(rng.choice((1, 1, 1, 2, 5, 40))):
        place = rng.randrange(min(len(data), rng.choice((64, 512, 4096, len(data)))))
        other = rng.randrange(len(data))
        stop, value = rng.choice(
            (
                (place + 1, bytes([data[place] ^ 1 << rng.randrange(8)])),
                (place + 1, bytes([rng.choice(TEMPTING_BYTES)])),
                (place + rng.randrange(1, 9), b""),
                (place, rng.randbytes(rng.randrange(1, 9))),
                # A length or a number, very large or negative.
                (place + 4, rng.choice((b"\xff" * 4, b"\xff\xff\xff\x7f"))),
                (place, data[other : other + rng.randrange(1, 40)]),
            )
        )
        data[place:stop] = value
        if len(data) < 8:
            break
    return bytes(data)


def damaged_file(originals, rng):
    """A file that is cut, changed anywhere, or whole but for its pickle."""
    content = rng.choice(originals)
    kind = rng.randrange(3)
    if kind == 0:
        return content[: rng.randrange(len(content))]
    if kind == 1 or not content.startswith(b"PK"):
        return damage(content, rng)
    entries = entries_of(content)
    name = next(name for name in entries if name.endswith("data.pkl"))
    return archive(entries | {name: damage(entries[name], rng)})


def read_damaged(num_files, seed, folder):
    """Reads damaged files; anything but tensors or a refusal is raised.

    Returns:
        How many were "read" and "refused", and the seconds of the slowest.
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
            assert str(path) in message and "\n" not in message, message
            outcomes["refused"] += 1
        else:
            size = path.stat().st_size
            assert all(array.nbytes <= size for array in tensors.values())
            outcomes["read"] += 1
        slowest = max(slowest, time.perf_counter() - start)
        assert os.listdir(folder) == [path.name]
    return outcomes, slowest


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as name:
        counted, seconds = read_damaged(int(sys.argv[1]), 1, pathlib.Path(name))
    print(f"{dict(counted)}; slowest: {seconds:.3f} s")

"""Damages image files, and counts what becomes of them.

    python -m tests.stress.hostile_images 10000

gives so many to the converter and to the bytes signature of an exported model. Each
must be an image or a refusal, without a crash, in bounded time and memory.
`hostile_folders` has what is hostile about files rather than about their content.
"""

import collections
import pathlib
import random
import struct
import sys
import tempfile
import time
import zlib

import psutil
import tensorflow as tf

from cyclegan_tf.config import ExportConfig
from cyclegan_tf.data.domain import Domains
from cyclegan_tf.exporting.formats import saved_model
from cyclegan_tf.model.networks import build_generator
from tests.data.hostile_files import good_files, traps
from tests.data.test_hostile_files import read

MAX_PIXELS = 1_000_000
# Numbers that sizes and lengths are made from.
EXTREMES = (b"\xff" * 4, b"\x7f\xff\xff\xff", b"\x80\x00\x00\x00", b"\x00" * 4)


def damaged(files, rng):
    """One of the files, cut, changed in some places, or joined with another."""
    data = bytearray(rng.choice(files))
    kind = rng.randrange(8)
    if kind < 2:
        end = rng.choice(files) if kind else b""
        begin = data[: rng.randrange(len(data))]
        return bytes(begin) + end[rng.randrange(len(end) + 1) :]
    for _ in range(rng.choice((1, 1, 2, 5, 40))):
        # Headers more often than pixels.
        place = rng.randrange(min(len(data), rng.choice((32, 64, 256, len(data)))))
        stop, value = rng.choice(
            (
                (place + 1, bytes([data[place] ^ 1 << rng.randrange(8)])),
                (place + 1, rng.randbytes(1)),
                (place + 4, rng.choice(EXTREMES)),
                (place, rng.randbytes(rng.randrange(1, 9))),
                (place + rng.randrange(1, 9), b""),
            )
        )
        data[place:stop] = value
        if not data:
            break
    return _with_right_checksums(bytes(data)) if kind == 2 else bytes(data)


def _with_right_checksums(data):
    """A PNG file whose chunks pass their check, so that what is in them is read."""
    if not data.startswith(b"\x89PNG\r\n\x1a\n"):
        return data
    parts, place = [data[:8]], 8
    while place + 12 <= len(data):
        (length,) = struct.unpack(">I", data[place : place + 4])
        end = min(place + 8 + length, len(data))
        body = data[place + 4 : end]
        parts += [data[place : place + 4], body, struct.pack(">I", zlib.crc32(body))]
        place = end + 4
    return b"".join(parts)


def hostile_files(count, seed):
    """So many files: the traps, the good ones, and then damaged ones."""
    rng = random.Random(seed)
    whole = [*traps(), *good_files()]
    yield from whole[:count]
    # The bombs as they are once: they take most of the time.
    small = [data for data in whole if len(data) < 30_000]
    for _ in range(count - len(whole)):
        yield damaged(small, rng)


def feed(count, seed):
    """Gives files to both readers; anything but an image or a refusal is raised.

    Returns how often each reader gave what, the seconds of the slowest file, and the
    most memory that the process had then, in bytes.
    """
    with tempfile.TemporaryDirectory() as name:
        path = pathlib.Path(name, "1")
        config = ExportConfig(max_megapixels=MAX_PIXELS / 1e6)
        saved_model.write({"a_to_b": build_generator(2, 1)}, Domains(), path, config)
        model = tf.saved_model.load(str(path))
    outcomes, slowest, peak = collections.Counter(), 0.0, 0
    for data in hostile_files(count, seed):
        start = time.perf_counter()
        outcomes["converter", "read" if read(data) else "refused"] += 1
        outcomes["model", _translate(model, data)] += 1
        slowest = max(slowest, time.perf_counter() - start)
        peak = max(peak, psutil.Process().memory_info().rss)
    return outcomes, slowest, peak


def _translate(model, data):
    signature = model.signatures["a_to_b_bytes"]
    try:
        (translated,) = signature(tf.constant([data]))["translated_bytes"].numpy()
    except tf.errors.InvalidArgumentError:
        return "refused"
    assert translated.startswith(b"\x89PNG")
    return "translated"


if __name__ == "__main__":
    counted, seconds, most = feed(int(sys.argv[1]), seed=1)
    for (reader, outcome), number in sorted(counted.items()):
        print(f"{number:7} {reader} {outcome}")
    print(f"slowest: {seconds:.2f} s; most memory: {most / 2**20:.0f} MiB")
    assert {outcome for _, outcome in counted} == {"read", "translated", "refused"}
    assert seconds < 30 and most < 4 * 2**30  # generous

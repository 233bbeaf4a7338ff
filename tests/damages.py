"""Ways in which a file can be damaged, each from its content and a `random.Random`."""


def _flipped(content, rng, count):
    data = bytearray(content)
    for _ in range(count):
        data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    return bytes(data)


def _zeroed(content, rng):
    start, length = rng.randrange(len(content)), rng.randint(1, 4096)
    stop = min(len(content), start + length)
    return content[:start] + bytes(stop - start) + content[stop:]


DAMAGES = {
    "one bit": lambda content, rng: _flipped(content, rng, 1),
    "some bits": lambda content, rng: _flipped(content, rng, rng.randint(2, 50)),
    "cut off": lambda content, rng: content[: rng.randrange(len(content))],
    "zeros": _zeroed,
    "appended": lambda content, rng: content + rng.randbytes(rng.randint(1, 99)),
    "emptied": lambda content, rng: b"",
    "missing": lambda content, rng: None,
}

#!/usr/bin/env bash
# Pillow 13.0.0 brings the values of a grey PNG of 2 or 4 bits to 8 (v * 85, v * 17), but not the
# one value that its tRNS chunk calls transparent, so that another value, or none, becomes it.
# With 1 and 8 bits it is right, as libpng is with all.
# Output here: {1: [0], 2: [], 4: [], 8: [3]}, the transparent of the values 0 to 3 (0 and 1 of
# 1 bit); the file says 0 of 1 bit, and 3 of the others.
set -euo pipefail
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
python3 -m venv "$scratch/env"
"$scratch/env/bin/pip" install -q pillow==13.0.0
"$scratch/env/bin/python" - <<'PYTHON'
import io
import struct
import zlib

from PIL import Image


def chunk(kind, content):
    checked = struct.pack(">I", zlib.crc32(kind + content))
    return struct.pack(">I", len(content)) + kind + content + checked


def transparent_values(bits, transparent):
    values = [v for v in range(4) if v < 2**bits]
    row = "".join(format(v, f"0{bits}b") for v in values)
    row += "0" * (-len(row) % 8)
    header = struct.pack(">IIBBBBB", len(values), 1, bits, 0, 0, 0, 0)
    pixels = b"\0" + int(row, 2).to_bytes(len(row) // 8, "big")
    png = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header)
    png += chunk(b"tRNS", struct.pack(">H", transparent))
    png += chunk(b"IDAT", zlib.compress(pixels)) + chunk(b"IEND", b"")
    alpha = Image.open(io.BytesIO(png)).convert("RGBA").getchannel("A")
    return [v for v, a in zip(values, alpha.tobytes()) if a == 0]


found = {bits: transparent_values(bits, 0 if bits == 1 else 3) for bits in (1, 2, 4, 8)}
print(found)
assert found == {1: [0], 2: [], 4: [], 8: [3]}
PYTHON

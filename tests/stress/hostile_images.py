"""Makes damaged and malicious image files, and counts what becomes of them.

    python -m tests.stress.hostile_images 10000

gives so many to the converter and to the bytes signature of an exported model;
`tests/test_hostile_images.py` takes the first few hundred. Each must be an image or a
refusal, without a crash, in bounded time and memory. `tests/hostile_folders.py` has
what is hostile about files rather than about their content.
"""

import collections
import io
import pathlib
import random
import struct
import sys
import tempfile
import time
import zlib

import numpy as np
import psutil
import tensorflow as tf
from PIL import Image

from cyclegan_tf.config import ExportConfig
from cyclegan_tf.data import images, records
from cyclegan_tf.exporting.formats import saved_model
from cyclegan_tf.model.networks import build_generator
from tests.helpers import random_pixels

MAX_PIXELS = 1_000_000
# Numbers that sizes and lengths are made from.
EXTREMES = (b"\xff" * 4, b"\x7f\xff\xff\xff", b"\x80\x00\x00\x00", b"\x00" * 4)


def encode(image, image_format, **options):
    """An image file as bytes."""
    file = io.BytesIO()
    image.save(file, image_format, **options)
    return file.getvalue()


def png(header, *chunks):
    """A PNG file of a header `(width, height, depth, colour, interlace)` and chunks."""

    def chunk(kind, data):
        check = struct.pack(">I", zlib.crc32(kind + data))
        return struct.pack(">I", len(data)) + kind + data + check

    width, height, depth, colour, interlace = header
    first = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, interlace)
    parts = [(b"IHDR", first), *chunks, (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*part) for part in parts)


def good_files():
    """Files of every kind that somebody may have, all of them images."""
    picture = Image.fromarray(random_pixels(40, 48))
    files = [
        encode(picture.convert(mode), "PNG") for mode in ("RGB", "L", "1", "P", "RGBA")
    ]
    files += [encode(picture.convert(mode), "JPEG") for mode in ("RGB", "L", "CMYK")]
    exif = Image.Exif()
    exif[0x0112] = 6
    files.append(encode(picture, "JPEG", exif=exif, icc_profile=b"no profile" * 20))
    files.append(encode(picture, "JPEG", progressive=True, quality=30))
    files.append(encode(picture.convert("P"), "PNG", transparency=3))
    deep = np.asarray(picture, np.uint16)[..., 0] * 257
    files.append(encode(Image.fromarray(deep), "PNG"))
    frames = [picture.rotate(angle) for angle in (90, 180)]
    animation = {"save_all": True, "append_images": frames}
    files.append(encode(picture, "GIF", **animation))
    files.append(encode(picture, "WEBP", **animation))
    files.append(encode(picture, "PNG", **animation))
    files.append(encode(picture, "GIF", interlace=1, transparency=2))
    files += [encode(picture, kind) for kind in ("GIF", "WEBP", "BMP")]
    files.append(encode(picture, "MPO", **animation))
    files.append(encode(picture.convert("CMYK"), "JPEG", progressive=True))
    files += [encode(picture.convert("LA"), kind) for kind in ("PNG", "WEBP")]
    # All passes of an interlaced picture, which Pillow does not write.
    passes = ((8, 8), (8, 8), (4, 8), (4, 4), (2, 4), (2, 2), (1, 2))
    rows = b"".join((b"\0" + bytes(3 * 64 // x)) * (64 // y) for x, y in passes)
    files.append(png((64, 64, 8, 2, 1), (b"IDAT", zlib.compress(rows))))
    for depth, colour, samples in ((16, 0, 1), (16, 2, 3), (16, 4, 2), (16, 6, 4)):
        rows = zlib.compress((b"\0" + b"\x12\x34" * samples * 64) * 64)
        files.append(png((64, 64, depth, colour, 0), (b"IDAT", rows)))
    files.append(encode(picture, "WEBP", lossless=True))
    return files


def traps():
    """Files that are made to do harm."""
    small = zlib.compress(bytes(1000))
    rows = zlib.compress((b"\0" + bytes(3 * 64)) * 64)
    gigantic = [(b"IDAT", small)]
    files = [
        png((width, height, 8, 2, 0), *gigantic)
        for width, height in (
            (100_000, 100_000),
            (2**31 - 1, 2**31 - 1),
            (10_000, 10_000),
            (1, 2**31 - 1),
            (0, 0),
            (16, 65_535),
        )
    ]
    # Bombs: few bytes become many, in the picture and beside it.
    bomb = zlib.compress(bytes(5_000 * 15_001), 9)
    files.append(png((5_000, 5_000, 8, 2, 0), (b"IDAT", bomb)))
    text = b"Comment\0\0" + zlib.compress(bytes(50_000_000), 9)
    files.append(png((64, 64, 8, 2, 0), (b"zTXt", text), (b"IDAT", rows)))
    files.append(png((64, 64, 8, 2, 1), (b"IDAT", rows)))  # interlaced, in half
    files.append(png((64, 64, 16, 6, 0), (b"IDAT", rows)))
    picture = encode(Image.fromarray(random_pixels(40, 48)), "JPEG")
    # Two things at once: a picture, then an archive, a script or another picture.
    files.append(picture + b"PK\x03\x04" + bytes(100))
    files.append(picture + b"<script>alert(1)</script>")
    files.append(picture + encode(Image.fromarray(random_pixels(40, 48)), "PNG"))
    files.append(b"%PDF-1.4\n" + picture)
    # A few bytes per scan of a progressive picture, and each takes as long as all.
    wide = Image.fromarray(np.full((1000, 1000, 3), 90, np.uint8))
    scans = encode(wide, "JPEG", progressive=True)
    last = scans[scans.rindex(b"\xff\xda") : -2]
    files += [scans[:-2] + last * number + scans[-2:] for number in (150, 3000)]
    # Segments for EXIF, an animation and comments without end.
    segment = b"\xff\xe1\xff\xffExif\0\0" + bytes(65_527)
    files.append(picture[:2] + segment * 100 + picture[2:])
    files.append(picture[:2] + b"\xff\xe1\0\x08Exif\0\0" * 2000 + picture[2:])
    frame = encode(Image.fromarray(random_pixels(40, 48)), "GIF")
    body = frame[13 + 3 * 2 ** ((frame[10] & 7) + 1) :]
    files.append(frame[: -len(body)] + b"\x21\xfe" + (b"\xff" + b"c" * 255) * 9000)
    files[-1] += b"\0" + body
    files.append(frame[:-1] + body[:-1] * 300 + b";")
    files += [picture[:2] + exif_segment(*entry) + picture[2:] for entry in BROKEN_EXIF]
    for profile in (b"\0" * 200, b"\xff" * 4 + b"no profile" * 30):
        icc = b"icc\0\0" + zlib.compress(profile)
        files.append(png((64, 64, 8, 2, 0), (b"iCCP", icc), (b"IDAT", rows)))
    icc = b"icc\0\0" + zlib.compress(bytes(50_000_000), 9)
    files.append(png((64, 64, 8, 2, 0), (b"iCCP", icc), (b"IDAT", rows)))
    files.append(png((64, 64, 8, 2, 0), *[(b"abCd", b"")] * 5000, (b"IDAT", rows)))
    # A palette that its pixels point beyond, a transparent colour that is none of it.
    indexed = zlib.compress((b"\0" + b"\xff" * 64) * 64)
    for extra in (b"", b"\0" * 300):
        chunks = (b"PLTE", bytes(6)), (b"tRNS", extra), (b"IDAT", indexed)
        files.append(png((64, 64, 8, 3, 0), *chunks))
    # What the message of a refusal may quote.
    files.append(png((64, 64, 8, 2, 0), (b"\x1b[2J", b"\x1b]0;owned\x07")))
    files.append(b"GIF89a" + struct.pack("<HH", 65_535, 65_535) + bytes(20))
    files.append(b"RIFF\xff\xff\xff\xffWEBPVP8X" + b"\xff" * 30)
    files.append(b"BM" + b"\xff" * 60)
    return files


def exif_segment(first_directory, count, kind, number, value):
    """A JPEG segment with EXIF of one entry, the orientation, that need not make sense.

    Args:
        first_directory: where it is said to be; 8 is right.
        count: of its entries, 1 is right.
        kind: of the value, 3 is right.
        number: of values, 1 is right.
        value: 1 to 8 are right.
    """
    tiff = b"MM\0*" + struct.pack(">IH", first_directory, count)
    tiff += struct.pack(">HHIHH", 0x0112, kind, number, value, 0) + bytes(4)
    return b"\xff\xe1" + struct.pack(">H", 8 + len(tiff)) + b"Exif\0\0" + tiff


BROKEN_EXIF = (
    (8, 1, 3, 1, 0),
    (8, 1, 3, 1, 9),
    (8, 1, 3, 2**31, 6),
    (8, 65_535, 3, 1, 6),
    (8, 1, 0, 1, 6),
    (8, 1, 2, 4, 6),
    (8, 1, 5, 1, 6),
    (8, 1, 13, 1, 6),
    (0, 1, 3, 1, 6),
    (2**32 - 1, 1, 3, 1, 6),
)


def damaged(files, rng):
    """One of the files, cut, changed in some places, or joined with another."""
    data = bytearray(rng.choice(files))
    kind = rng.randrange(8)
    if kind == 0:
        return bytes(data[: rng.randrange(len(data))])
    if kind == 1:
        other = rng.choice(files)
        return (
            bytes(data[: rng.randrange(len(data))]) + other[rng.randrange(len(other)) :]
        )
    for _ in range(rng.choice((1, 1, 2, 5, 40))):
        # Headers more often than pixels.
        place = rng.randrange(min(len(data), rng.choice((32, 64, 256, len(data)))))
        match rng.randrange(5):
            case 0:
                data[place] ^= 1 << rng.randrange(8)
            case 1:
                data[place] = rng.randrange(256)
            case 2:
                data[place : place + 4] = rng.choice(EXTREMES)
            case 3:
                data[place:place] = rng.randbytes(rng.randrange(1, 9))
            case 4:
                del data[place : place + rng.randrange(1, 9)]
        if not data:
            break
    if kind == 2:
        data = bytearray(_with_right_checksums(bytes(data)))
    return bytes(data)


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

    The converter's checks include the decoder of the training; the model's signature
    translates, with networks that are tiny.

    Returns:
        How often each reader gave what, the seconds of the slowest file, and the most
        memory that the process had then, in bytes.
    """
    with tempfile.TemporaryDirectory() as name:
        path = pathlib.Path(name, "1")
        config = ExportConfig(max_megapixels=MAX_PIXELS / 1e6)
        saved_model.write({"a_to_b": build_generator(2, 1)}, path, config)
        model = tf.saved_model.load(str(path))
    outcomes, slowest, peak = collections.Counter(), 0.0, 0
    for data in hostile_files(count, seed):
        start = time.perf_counter()
        outcomes["converter", _convert(data)] += 1
        outcomes["model", _translate(model, data)] += 1
        slowest = max(slowest, time.perf_counter() - start)
        peak = max(peak, psutil.Process().memory_info().rss)
    return outcomes, slowest, peak


def _convert(data):
    try:
        image = images.normalize(data)
    except images.UnreadableImage as error:
        assert str(error) and str(error).isprintable(), error
        return "refused"
    try:
        pixels = records.decode(tf.constant(image.encoded))
    except tf.errors.InvalidArgumentError:
        return "refused by TensorFlow"  # which the conversion asks, too
    assert pixels.shape == (image.height, image.width, 3)
    return "read"


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

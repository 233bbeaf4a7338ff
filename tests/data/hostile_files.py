"""Image files as bytes: of every kind that somebody may have, and made to do harm."""

import io
import struct
import zlib

import numpy as np
import tifffile
from PIL import Image, ImageCms

from tests.helpers import random_pixels

PICTURE = Image.fromarray(random_pixels(40, 48))
SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
# Tags of GeoTIFF: the size of a pixel, and where the first is.
PLACE = [
    (33550, 12, 3, (10.0, 10.0, 0.0), True),
    (33922, 12, 6, (0.0, 0.0, 0.0, 5e5, 4.6e6, 0.0), True),
]
ROWS = zlib.compress((b"\0" + bytes(3 * 64)) * 64)  # of a PNG of 64x64 pixels


def encode(image, image_format, **options):
    """An image file as bytes."""
    file = io.BytesIO()
    image.save(file, image_format, **options)
    return file.getvalue()


def chunk(kind, data):
    """A chunk of a PNG file."""
    check = struct.pack(">I", zlib.crc32(kind + data))
    return struct.pack(">I", len(data)) + kind + data + check


def png(header, *chunks):
    """A PNG file of a header `(width, height, depth, colour, interlace)` and chunks."""
    width, height, depth, colour, interlace = header
    first = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, interlace)
    parts = [(b"IHDR", first), *chunks, (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*part) for part in parts)


def progressive(number):
    """A JPEG file whose last scan, of a few bytes, comes so many times."""
    wide = Image.fromarray(np.full((1000, 1000, 3), 90, np.uint8))
    scans = encode(wide, "JPEG", progressive=True)
    last = scans[scans.rindex(b"\xff\xda") : -2]
    return scans[:-2] + last * number + scans[-2:]


def with_segment(segment):
    """A JPEG file with one more segment at its beginning."""
    picture = encode(PICTURE, "JPEG")
    return picture[:2] + segment + picture[2:]


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
    (8, 1, 5, 1, 6),
    (8, 1, 13, 1, 6),
    (0, 1, 3, 1, 6),
    (2**32 - 1, 1, 3, 1, 6),
)


def good_files():
    """Files of every kind that somebody may have, all of them images."""
    animation = {
        "save_all": True,
        "append_images": [PICTURE.rotate(angle) for angle in (90, 180)],
    }
    deep = Image.fromarray(np.asarray(PICTURE, np.uint16)[..., 0] * 257)
    files = [
        *(encode(PICTURE.convert(m), "PNG") for m in ("RGB", "L", "1", "P", "RGBA")),
        *(encode(PICTURE.convert(m), "JPEG") for m in ("RGB", "L", "CMYK")),
        *(encode(PICTURE.convert("LA"), kind) for kind in ("PNG", "WEBP")),
        *(encode(PICTURE, kind) for kind in ("GIF", "WEBP", "BMP")),
        *(encode(PICTURE, k, **animation) for k in ("GIF", "WEBP", "PNG", "MPO")),
        encode(PICTURE, "JPEG", icc_profile=b"no profile" * 20),
        encode(PICTURE, "JPEG", progressive=True, quality=30),
        encode(PICTURE.convert("CMYK"), "JPEG", progressive=True),
        encode(PICTURE.convert("P"), "PNG", transparency=3),
        encode(PICTURE, "GIF", interlace=1, transparency=2),
        encode(PICTURE, "WEBP", lossless=True),
        encode(deep, "PNG"),
        with_segment(exif_segment(8, 1, 3, 1, 6)),
    ]
    # All passes of an interlaced picture, which Pillow does not write.
    passes = ((8, 8), (8, 8), (4, 8), (4, 4), (2, 4), (2, 2), (1, 2))
    rows = b"".join((b"\0" + bytes(3 * 64 // x)) * (64 // y) for x, y in passes)
    files.append(png((64, 64, 8, 2, 1), (b"IDAT", zlib.compress(rows))))
    for colour, samples in ((0, 1), (2, 3), (4, 2), (6, 4)):  # of 16 bits each
        rows = zlib.compress((b"\0" + b"\x12\x34" * samples * 64) * 64)
        files.append(png((64, 64, 16, colour, 0), (b"IDAT", rows)))
    return files + arrays()


def arrays():
    """TIFF and `.npy` files of several kinds."""
    pixels = np.asarray(PICTURE)
    bands = np.repeat(pixels, 2, axis=2).astype(np.float32)
    return [
        tiff(pixels),
        tiff(pixels, compression="jpeg"),
        tiff(pixels[..., 0], compression="lzw", tile=(16, 16), predictor=True),
        tiff(bands, planarconfig="contig", photometric="minisblack"),
        tiff(bands[..., 0], compression="zlib", bigtiff=True, byteorder=">"),
        tiff(np.stack([pixels] * 3), photometric="rgb", compression="zstd"),
        tiff(bands.transpose(2, 0, 1), imagej=True, metadata={"axes": "CYX"}),
        tiff(bands.transpose(2, 0, 1), ome=True, metadata={"axes": "TYX"}),
        npy(pixels),
        npy(bands),
    ]


def tiff(pixels, **options):
    """A TIFF file."""
    file = io.BytesIO()
    tifffile.imwrite(file, pixels, **options)
    return file.getvalue()


def npy(array):
    """A `.npy` file; pickled where that is needed."""
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


def bombs():
    """Few bytes that become many: in the picture, and beside it, by name."""
    header, pixels = (64, 64, 8, 2, 0), (b"IDAT", ROWS)
    inflating = b"Comment\0\0" + zlib.compress(bytes(50_000_000), 9)
    picture = (b"IDAT", zlib.compress(bytes(5_000 * 15_001), 9))
    return {
        "picture": png((5_000, 5_000, 8, 2, 0), picture),
        "comment": png(header, (b"zTXt", inflating), pixels),
        "profile": png(header, (b"iCCP", inflating), pixels),
        "chunks": png(header, *[(b"abCd", b"")] * 5000, pixels),
        "scans": progressive(3000),
        "segments": with_segment(b"\xff\xe1\0\x08Exif\0\0" * 2000),
    }


def traps():
    """Files that are made to do harm."""
    jpeg, gif = encode(PICTURE, "JPEG"), encode(PICTURE, "GIF")
    frame = gif[13 + 3 * 2 ** ((gif[10] & 7) + 1) :]
    comments = b"\x21\xfe" + (b"\xff" + b"c" * 255) * 9000 + b"\0"
    # A palette that its pixels point beyond, a transparent colour that is none of it.
    indexed = (b"IDAT", zlib.compress((b"\0" + b"\xff" * 64) * 64))
    sizes = (100_000, 100_000), (2**31 - 1, 2**31 - 1), (1, 2**31 - 1), (0, 0)
    return [
        *(png((*size, 8, 2, 0), (b"IDAT", ROWS)) for size in sizes),
        *bombs().values(),
        *(with_segment(exif_segment(*entry)) for entry in BROKEN_EXIF),
        progressive(150),
        png((64, 64, 8, 2, 1), (b"IDAT", ROWS)),  # interlaced, in half
        png((64, 64, 16, 6, 0), (b"IDAT", ROWS)),
        png((64, 64, 8, 3, 0), (b"PLTE", bytes(6)), (b"tRNS", bytes(300)), indexed),
        # Two things at once: a picture, then an archive, a script or another picture.
        jpeg + b"PK\x03\x04" + bytes(100),
        jpeg + b"<script>alert(1)</script>",
        jpeg + encode(PICTURE, "PNG"),
        b"%PDF-1.4\n" + jpeg,
        # Comments and frames without end.
        gif[: -len(frame)] + comments + frame,
        gif[:-1] + frame[:-1] * 300 + b";",
        # What the message of a refusal may quote.
        png((64, 64, 8, 2, 0), (b"\x1b[2J", b"\x1b]0;owned\x07")),
        b"GIF89a" + struct.pack("<HH", 65_535, 65_535) + bytes(20),
        b"RIFF\xff\xff\xff\xffWEBPVP8X" + b"\xff" * 30,
        b"BM" + b"\xff" * 60,
    ]

"""JPEG 2000, JPEG XL, AVIF and HEIC, with the numbers that are stored.

By imagecodecs; HEIC by pillow-heif, of the extra `heic`, which is imported within.
"""

import io
import struct
from collections.abc import Callable

import numpy as np
from PIL import Image

from cyclegan_tf.data import photos
from cyclegan_tf.data.arrays import UnreadableImage, on_white, require_size, upright
from cyclegan_tf.data.picture import About, Picture

# What files begin with, and the markers of what is within.
JPEG2000_MARKER, JPEGXL_MARKER = b"\xff\x4f\xff\x51", b"\xff\x0a"
JPEG2000_STARTS = (b"\0\0\0\x0cjP  ", JPEG2000_MARKER)
JPEGXL_STARTS = (b"\0\0\0\x0cJXL ", JPEGXL_MARKER)
AVIF_BRANDS = {b"avif", b"avis"}
HEIC_BRANDS = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx"}
# Of a JPEG XL's height, and of a width that is no ratio of it: bits by a selector.
SIZE_BITS = (9, 13, 18, 30)
RATIOS = ((1, 1), (12, 10), (4, 3), (3, 2), (16, 9), (5, 4), (2, 1))


def reader_of(data: bytes) -> Callable[[bytes], Picture] | None:
    """What reads the upright picture of a file of these kinds; None for any other.

    It puts alpha on white, and raises `UnreadableImage` before it decodes what is too
    small or too large, and whatever decoders raise where bytes are damaged.
    """
    if data.startswith(JPEG2000_STARTS):
        return _read_jpeg2000
    if data.startswith(JPEGXL_STARTS):
        return _read_jpegxl
    if data[4:8] != b"ftyp":
        return None
    brands = {data[i : i + 4] for i in range(8, data[3], 4)}
    if brands & AVIF_BRANDS:
        return _read_avif
    return _read_heic if brands & HEIC_BRANDS else None


def _read_jpeg2000(data):
    import imagecodecs

    place = data.index(JPEG2000_MARKER) + len(JPEG2000_MARKER)
    right, bottom, left, top = struct.unpack_from(">4x4I", data, place)
    (channels,) = struct.unpack_from(">H", data, place + 36)
    require_size(bottom - top, right - left, 2 * channels)
    return Picture(np.atleast_3d(imagecodecs.jpeg2k_decode(data)))


def _read_jpegxl(data):
    import imagecodecs

    require_size(*_size_of_jpegxl(data), 3)
    return Picture(_without_alpha(imagecodecs.jpegxl_decode(data, index=0)))


def _read_avif(data):
    import imagecodecs

    with Image.open(io.BytesIO(data), formats=("AVIF",)) as image:  # of 8 bits only
        require_size(image.height, image.width, 3)
        orientation, about = photos.orientation_of(image), photos.about_of(image)
    pixels = _without_alpha(imagecodecs.avif_decode(data, index=0))
    return Picture(upright(pixels, orientation), about=about)


def _read_heic(data):
    try:
        import pillow_heif
    except ImportError:
        raise UnreadableImage(
            "HEIC needs pillow-heif; install with pip install '.[heic]', or convert it "
            "to PNG"
        ) from None
    # The numbers that are stored, and turned as the file says.
    image = pillow_heif.open_heif(data, convert_hdr_to_8bit=False, hdr_to_16bit=False)
    require_size(*image.size[::-1], 6)
    pixels = _without_alpha(np.asarray(image), image.premultiplied_alpha)
    return Picture(pixels, about=About(profile=image.info.get("icc_profile") or b""))


def _without_alpha(pixels, is_premultiplied=False):
    """Pixels `(height, width, channels)`, alpha put on white."""
    pixels = np.atleast_3d(pixels)
    require_size(*pixels.shape[:2], pixels.shape[2] * pixels.itemsize)
    if pixels.shape[2] not in (2, 4) or pixels.dtype.kind != "u":
        return pixels
    # Of 10 and 12 bits white, as what is opaque, is less than the type holds.
    some = (8,) if pixels.itemsize == 1 else (10, 12, 16)
    white = next(2**bits - 1 for bits in some if pixels.max() < 2**bits)
    return on_white(pixels, is_premultiplied, white)


def _size_of_jpegxl(data):
    """Height and width, as the header has them.

    Source: ISO/IEC 18181-1, SizeHeader.
    """
    place = 0
    # Boxes come first, each with its length, unless the picture stands by itself.
    is_boxed = data.startswith(JPEGXL_STARTS[0])
    while is_boxed and data[place + 4 : place + 8] not in (b"jxlc", b"jxlp"):
        length = int.from_bytes(data[place : place + 4], "big")
        if length < 8:
            raise UnreadableImage("a JPEG XL file without an image")
        place += length
    start = data.index(JPEGXL_MARKER, place) + len(JPEGXL_MARKER)
    bits = int.from_bytes(data[start : start + 12], "little")

    def take(count):
        nonlocal bits
        value = bits & ((1 << count) - 1)
        bits >>= count
        return value

    is_small = take(1)

    def side():
        return 8 * (take(5) + 1) if is_small else 1 + take(SIZE_BITS[take(2)])

    height = side()
    if ratio := take(3):
        across, down = RATIOS[ratio - 1]
        return height, height * across // down
    return height, side()

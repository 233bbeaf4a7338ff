"""JPEG 2000, JPEG XL, AVIF and HEIC, with the numbers that are stored.

By imagecodecs; HEIC by pillow-heif, of the extra `heic`, which is imported within.
"""

import io
import struct

import numpy as np
from PIL import Image

from cyclegan_tf.data import photos
from cyclegan_tf.data.arrays import UnreadableImage, on_white, require_size, upright
from cyclegan_tf.data.picture import About, Picture

# What files begin with, and the markers of what is within.
JPEG2000_MARKER, JPEGXL_MARKER = b"\xff\x4f\xff\x51", b"\xff\x0a"
JPEG2000_STARTS = (b"\0\0\0\x0cjP  ", JPEG2000_MARKER)
JPEGXL_STARTS = (b"\0\0\0\x0cJXL ", JPEGXL_MARKER)
JPEGXL_BOXES = (b"jxlc", b"jxlp")
# Of a JPEG XL's height, and of a width that is no ratio of it: bits by a selector.
SIZE_BITS = (9, 13, 18, 30)
RATIOS = ((1, 1), (12, 10), (4, 3), (3, 2), (16, 9), (5, 4), (2, 1))
HEIC_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx")


def reader_of(data: bytes):
    """The function that reads a file of these kinds; None for any other."""
    brands = [data[i : i + 4] for i in range(8, data[3] if len(data) > 3 else 0, 4)]
    if data.startswith(JPEG2000_STARTS):
        return read_jpeg2000
    if data.startswith(JPEGXL_STARTS):
        return read_jpegxl
    if data[4:8] == b"ftyp" and {b"avif", b"avis"} & {*brands}:
        return read_avif
    return read_heic if data[4:8] == b"ftyp" and {*HEIC_BRANDS} & {*brands} else None


def read_jpeg2000(data: bytes) -> Picture:
    """The picture of a JPEG 2000 file.

    Raises:
        UnreadableImage: too small or too large.
        Exception: what the decoder raises where bytes are damaged.
    """
    import imagecodecs

    place = data.index(JPEG2000_MARKER) + len(JPEG2000_MARKER)
    right, bottom, left, top = struct.unpack_from(">4x4I", data, place)
    (channels,) = struct.unpack_from(">H", data, place + 36)
    require_size(bottom - top, right - left, 2 * channels)
    return Picture(np.atleast_3d(imagecodecs.jpeg2k_decode(data)))


def read_jpegxl(data: bytes) -> Picture:
    """The upright picture of a JPEG XL file, alpha put on white; raises as others."""
    import imagecodecs

    require_size(*_size_of_jpegxl(data), 3)
    return _of_decoded(imagecodecs.jpegxl_decode(data, index=0))


def read_avif(data: bytes) -> Picture:
    """The upright picture of an AVIF file, alpha put on white; raises as others."""
    import imagecodecs

    with Image.open(io.BytesIO(data), formats=("AVIF",)) as image:  # of 8 bits only
        require_size(image.height, image.width, 3)
        orientation, about = photos.orientation_of(image), photos.about_of(image)
    picture = _of_decoded(imagecodecs.avif_decode(data, index=0))
    return picture._replace(pixels=upright(picture.pixels, orientation), about=about)


def read_heic(data: bytes) -> Picture:
    """The upright picture of a HEIC file, alpha put on white; raises as others."""
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
    picture = _of_decoded(np.asarray(image), image.premultiplied_alpha)
    about = About(profile=image.info.get("icc_profile") or b"")
    return picture._replace(about=about)


def _of_decoded(pixels, is_premultiplied=False):
    pixels = np.atleast_3d(pixels)
    require_size(*pixels.shape[:2], pixels.shape[2] * pixels.itemsize)
    if pixels.shape[2] not in (2, 4) or pixels.dtype.kind != "u":
        return Picture(pixels)
    # Of 10 and 12 bits white, as what is opaque, is less than the type holds.
    bits = next(
        n
        for n in (8, 10, 12, 16)
        if n > 8 * (pixels.itemsize - 1) and pixels.max() < 2**n
    )
    return Picture(on_white(pixels, is_premultiplied, 2**bits - 1))


def _size_of_jpegxl(data):
    """Height and width, as the header has them.

    Source: ISO/IEC 18181-1, SizeHeader.
    """
    place = 0
    is_boxed = data.startswith(JPEGXL_STARTS[0])
    while is_boxed and data[place + 4 : place + 8] not in JPEGXL_BOXES:
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

"""From any image file's bytes to upright pixels of any number of channels.

Importing this needs no TensorFlow.
"""

import contextlib
import io
import os
import pathlib
import stat
import warnings
from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
from PIL import Image

from cyclegan_tf.common.console import printable
from cyclegan_tf.data import arrays, codestreams, medical, photos, tiff
from cyclegan_tf.data.arrays import MAX_BYTES, UnreadableImage
from cyclegan_tf.data.domain import Domain
from cyclegan_tf.data.picture import Picture

SUFFIXES = frozenset(
    ".jpg .jpeg .jpe .jfif .jp2 .j2k .jxl .avif .heic .heif .png .webp .bmp .gif .tif "
    ".tiff .npy .dcm .dicom".split()
)
# As messages name them.
KINDS = "JPEG, JPEG 2000, JPEG XL, AVIF, HEIC, PNG, WebP, BMP, GIF, TIFF, DICOM or .npy"
PNG_SIDE = 10**6  # libpng reads no more, nor does TensorFlow
MAX_REASON = 300  # characters; some decoders quote what they read


class EncodedImage(NamedTuple):
    """Upright pixels as they are stored.

    Attributes:
        encoded: a JPEG or PNG file's content; or the values of `(height, width,
            channels)` themselves, little-endian.
        format: "jpeg" (8 bits), "png" (8 or 16 bits), both of 1 or 3 channels, or
            "raw".
        height, width: in pixels.
        channels, dtype: see `Domain`.
        note: see `Picture`.
        valid: grey PNG of the same height, 255 where there is a value, and of the same
            width or once for each channel, side by side; empty where all have one.
    """

    encoded: bytes
    format: str
    height: int
    width: int
    channels: int = 3
    dtype: str = "uint8"
    note: str = ""
    valid: bytes = b""


@contextlib.contextmanager
def without_warnings() -> Iterator[None]:
    """Leaves out what is told of broken EXIF; for all threads in common."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def read_file(path: pathlib.Path) -> bytes:
    """The content of a file, or of one with more than 300 MB, too many, a part.

    Raises `UnreadableImage` if it is not a regular file, cannot be read, or is empty.
    """
    try:
        status = os.stat(path)  # before opening, which may wait
        if not stat.S_ISREG(status.st_mode):
            raise UnreadableImage("not a regular file")
        with open(path, "rb") as file:
            # So much memory is taken before anything is read.
            data = file.read(min(status.st_size, MAX_BYTES + 1))
    except OSError as error:
        raise UnreadableImage(error.strerror or str(error)) from None
    if not data:
        raise UnreadableImage("it is empty")
    return data


def normalize(data: bytes, keeps_alpha: bool = False) -> EncodedImage:
    """Makes any supported image upright, with the channels and the depth that it has.

    JPEG and PNG bytes that are upright grey or RGB already are kept as they are; other
    integers of 1 or 3 channels become PNG, everything else raw, all without loss.
    Palettes and CMYK become RGB, transparency is composited on white, and of an
    animation or a stack the first picture is taken. Types of numbers other than uint8,
    uint16 and float32 become float32.

    Args:
        data: the content of a file of one of the `KINDS`.
        keeps_alpha: whether a band of a TIFF that is called alpha stays one.

    Raises:
        UnreadableImage: it cannot be decoded, is smaller than 16 x 16 or larger than
            100 megapixels or 300 MB of values, has values that are not finite, or none,
            or was made to take long; the message is one printable line.
    """
    with without_warnings():
        return normalize_decoded(data, keeps_alpha)[0]


def normalize_decoded(
    data: bytes,
    keeps_alpha: bool = False,
    decode: Callable[[bytes, str], np.ndarray] | None = None,
) -> tuple[EncodedImage, Picture]:
    """What `normalize` makes of a file, and its picture, decoded once.

    Pixels `(height, width, channels)` of an 8-bit grey or RGB file that is kept as it
    is are what `decode` makes of its bytes and "jpeg" or "png", or else Pillow. Raises
    what `normalize` does, and `decode`.
    """
    picture, kept = _decode(data, keeps_alpha, decode)
    return _stored(data, kept, picture) if kept else _encoded(picture), picture


def from_picture(picture: Picture) -> tuple[EncodedImage, Picture]:
    """What `normalize` makes of a picture of numbers of any type, and their picture."""
    pixels = picture.pixels
    arrays.require_size(*pixels.shape[:2], pixels.shape[2] * pixels.itemsize)
    picture = arrays.of_supported_type(picture)
    return _encoded(picture), picture


def encode(pixels: np.ndarray) -> EncodedImage:
    """Stores uint8, uint16 or float32 `(height, width, channels)`, without loss."""
    return _encoded(Picture(pixels))


def pixels_of(data: bytes, domain: Domain) -> np.ndarray:
    """The pixels of a file as a domain has them, see `read`."""
    return read(data, domain).pixels


def read(data: bytes, domain: Domain) -> Picture:
    """A file's picture as a domain has it, see `normalize` and `arrays.in_form`."""
    with without_warnings():
        picture, _ = _decode(data, keeps_alpha=domain.channels in (2, 4))
    return arrays.in_form(picture, domain)


def _encoded(picture):
    pixels = picture.pixels
    if not Domain(pixels.shape[-1], pixels.dtype.name).is_encodable:
        data = pixels.astype(pixels.dtype.newbyteorder("<"), copy=False).tobytes()
        return _stored(data, "raw", picture)
    flat = pixels[..., 0] if pixels.shape[-1] == 1 else pixels
    return _stored(_png(flat), "png", picture)


def _png(pixels):
    if max(pixels.shape[:2]) > PNG_SIDE:
        raise UnreadableImage(f"more than {PNG_SIDE:,} values in a row")
    if pixels.dtype == np.uint16:
        import imagecodecs  # Pillow writes no RGB of 16 bits

        # Of an axis of one, NumPy cares for no strides, and imagecodecs does.
        return imagecodecs.png_encode(np.ascontiguousarray(pixels))
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


def _stored(data, kind, picture):
    pixels, valid, note, _ = picture
    mask = b""
    if valid is not None:
        if not valid.any():
            raise UnreadableImage("none of its pixels has a value: all are nodata")
        # Of several channels, side by side in each row.
        mask = _png(np.uint8(valid.reshape(len(valid), -1)) * np.uint8(255))
    return EncodedImage(data, kind, *pixels.shape, pixels.dtype.name, note, mask)


def _decode(data, keeps_alpha, decode=None):
    """A file's picture, and "jpeg" or "png" if its bytes can stay.

    Whatever decoders raise becomes `UnreadableImage`.
    """
    try:
        if len(data) > MAX_BYTES:
            raise UnreadableImage(f"more than {MAX_BYTES // 10**6} megabytes")
        if reader := _reader_of(data, keeps_alpha):
            return arrays.of_supported_type(reader(data)), ""
        return photos.read(data, decode)
    except (Exception, MemoryError) as error:
        # Decoders meet damaged bytes with nearly every type of exception.
        reason = " ".join(str(error).split()) or type(error).__name__
        if isinstance(error, Image.UnidentifiedImageError):
            reason = f"not a {KINDS} image"
        elif not isinstance(error, UnreadableImage) and data.startswith(
            (*tiff.STARTS, arrays.NPY_START)
        ):
            reason = f"damaged, or of a kind that is not read ({reason})"
        raise UnreadableImage(printable(reason[:MAX_REASON])) from None


def _reader_of(data, keeps_alpha):
    """What reads the picture of a file's content; None: Pillow."""
    if medical.is_dicom(data):  # which may begin like a TIFF, and be one, too
        return medical.read_dicom
    if data.startswith(tiff.STARTS):
        return lambda data: tiff.read(data, keeps_alpha)
    if data.startswith(arrays.NPY_START):
        return arrays.read_npy
    return codestreams.reader_of(data)

"""From any image file's bytes to upright pixels of any number of channels.

Importing this needs no TensorFlow, as it runs in worker processes.
"""

import io
import os
import pathlib
import stat
import warnings
from typing import NamedTuple

import numpy as np
from PIL import Image

from cyclegan_tf.common.console import printable
from cyclegan_tf.data import tiff
from cyclegan_tf.data.arrays import (
    MAX_BYTES,
    MIN_SIDE,
    NPY_START,
    UnreadableImage,
    of_supported_type,
    on_white,
    read_npy,
    require_size,
    upright,
)
from cyclegan_tf.data.domain import Domain, form_text, with_channels

__all__ = [
    "KINDS",
    "MIN_SIDE",
    "SUFFIXES",
    "EncodedImage",
    "UnreadableImage",
    "encode",
    "encode_png",
    "normalize",
    "pixels_and_note",
    "pixels_of",
    "read_file",
]

SUFFIXES = frozenset(
    ".jpg .jpeg .jpe .jfif .png .webp .bmp .gif .tif .tiff .npy".split()
)
KINDS = "JPEG, PNG, WebP, BMP, GIF, TIFF or .npy"  # as messages name them
FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "GIF")  # those that Pillow reads
# MPO is what many phones write: a JPEG with further pictures behind it.
JPEG_FORMATS = ("JPEG", "MPO")
# Each scan of a progressive JPEG goes over all pixels, and may have few bytes.
MAX_SCANS = 200
START_OF_SCAN = b"\xff\xda"  # does not occur among the pixels
EXIF_ORIENTATION = 0x0112
PNG_BIT_DEPTH_AT = 24
# Modes of Pillow; all else becomes RGB.
GREY_MODES = ("1", "L", "LA", "La")
ALPHA_MODES = ("RGBA", "LA", "PA", "RGBa", "La")
MAX_REASON = 300  # characters; some decoders quote what they read
TURNED = range(2, 9)  # orientations other than upright


class EncodedImage(NamedTuple):
    """Upright pixels as they are stored.

    Attributes:
        encoded: a JPEG or PNG file's content; or the values of `(height, width,
            channels)` themselves, little-endian.
        format: "jpeg" (8 bits), "png" (8 or 16 bits), both of 1 or 3 channels, or
            "raw".
        height, width: in pixels.
        channels: 1 is grey, 3 is RGB, any other number are bands.
        dtype: "uint8", "uint16" or "float32".
        low, high: the smallest and largest value; of uint8 not measured.
        note: what was left out, such as "first of 12 pages"; empty where nothing was.
    """

    encoded: bytes
    format: str
    height: int
    width: int
    channels: int = 3
    dtype: str = "uint8"
    low: float = 0.0
    high: float = 255.0
    note: str = ""


def read_file(path: pathlib.Path) -> bytes:
    """The content of a file that may be anything: a pipe, a device, endless.

    Raises:
        UnreadableImage: it is not a regular file, cannot be read, is empty, or has
            more than 300 MB.
    """
    try:
        status = os.stat(path)  # before opening, which may wait
        if not stat.S_ISREG(status.st_mode):
            raise UnreadableImage("not a regular file")
        _require_few_bytes(status.st_size)
        with open(path, "rb") as file:
            data = file.read(MAX_BYTES + 1)  # it may have grown
    except OSError as error:
        raise UnreadableImage(error.strerror or str(error)) from None
    if not data:
        raise UnreadableImage("it is empty")
    _require_few_bytes(len(data))
    return data


def _require_few_bytes(number):
    if number > MAX_BYTES:
        raise UnreadableImage(
            f"{number} bytes, more than {MAX_BYTES // 10**6} megabytes"
        )


def normalize(data: bytes) -> EncodedImage:
    """Makes any supported image upright, with the channels and the depth that it has.

    JPEG and PNG bytes that are upright grey or RGB already are kept as they are; other
    integers of 1 or 3 channels become PNG, everything else raw, all without loss.
    Palettes and CMYK become RGB, transparency is composited on white, and of an
    animation or a stack the first picture is taken. Types of numbers other than uint8,
    uint16 and float32 become float32.

    Args:
        data: the content of a file of one of the `KINDS`.

    Raises:
        UnreadableImage: it cannot be decoded, is smaller than 16 x 16 or larger than
            100 megapixels or 300 MB of values, has values that are not finite, or was
            made to take long; the message is one printable line.
    """
    pixels, kept, note = _decode(data)
    if isinstance(pixels, Image.Image):  # an array takes longer than decoding
        size = pixels.height, pixels.width, len(pixels.getbands())
        return EncodedImage(data, kept, *size)
    if not kept:
        return encode(pixels)._replace(note=note)
    return _described(pixels, data, kept, note)


def pixels_of(data: bytes, domain: Domain) -> np.ndarray:
    """The pixels of a file as a domain has them: `pixels_and_note` without the note."""
    return pixels_and_note(data, domain)[0]


def pixels_and_note(data: bytes, domain: Domain) -> tuple[np.ndarray, str]:
    """The pixels of a file as a domain has them, and what was left out.

    Grey becomes RGB and RGB grey, of 8 as of 16 bits; nothing else is converted.

    Returns:
        `(height, width, channels)` of the domain's type and number of channels, and
        such as "first of 12 pages" or "".

    Raises:
        UnreadableImage: as `normalize`, or the image has another form.
    """
    pixels, _, note = _decode(data)
    pixels = np.atleast_3d(pixels)
    form = form_text(pixels.shape[-1], pixels.dtype.name)
    wanted = form_text(domain.channels, domain.dtype)
    if form == wanted:
        return pixels, note
    channels = {pixels.shape[-1], domain.channels}
    if pixels.dtype != domain.dtype or channels != {1, 3} or not domain.is_encodable:
        raise UnreadableImage(f"is {form}; the model takes {wanted}")
    return with_channels(pixels, domain.channels), note


def encode(pixels: np.ndarray) -> EncodedImage:
    """Stores uint8, uint16 or float32 `(height, width, channels)`, without loss."""
    height, width, channels = pixels.shape
    if not Domain(channels, pixels.dtype.name).is_encodable:
        data = pixels.astype(pixels.dtype.newbyteorder("<"), copy=False).tobytes()
        return _described(pixels, data, "raw")
    # Of an axis of one, NumPy cares for no strides, and imagecodecs does.
    flat = pixels[..., 0] if channels == 1 else pixels
    if pixels.dtype == np.uint8:
        return encode_png(flat)
    import imagecodecs  # Pillow writes no RGB of 16 bits

    encoded = imagecodecs.png_encode(np.ascontiguousarray(flat))
    return _described(pixels, encoded, "png")


def encode_png(pixels: np.ndarray) -> EncodedImage:
    """Encodes uint8 `(height, width, 3)` RGB or `(height, width)` grey pixels."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    height, width, channels = (*pixels.shape, 1)[:3]
    return EncodedImage(buffer.getvalue(), "png", height, width, channels)


def _described(pixels, data, kind, note=""):
    low, high = 0, 255
    if pixels.dtype != np.uint8:
        low, high = pixels.min(), pixels.max()
    form = *pixels.shape, pixels.dtype.name, float(low), float(high)
    return EncodedImage(data, kind, *form, note)


def _decode(data):
    """A file's pixels, "jpeg" or "png" if its bytes can stay, and a note.

    The pixels are an array `(height, width, channels)`, or Pillow's image. Whatever
    decoders raise becomes `UnreadableImage`.
    """
    try:
        with warnings.catch_warnings():
            # Broken EXIF and the like: what matters is whether the pixels decode.
            warnings.simplefilter("ignore")
            _require_few_bytes(len(data))
            if data.startswith(tiff.STARTS):
                pixels, note = tiff.read(data)
                return of_supported_type(pixels), "", note
            if data.startswith(NPY_START):
                return of_supported_type(read_npy(data)), "", ""
            return *_decode_picture(data), ""
    except (Exception, MemoryError) as error:
        # Decoders meet damaged bytes with nearly every type of exception.
        reason = " ".join(str(error).split()) or type(error).__name__
        if isinstance(error, Image.UnidentifiedImageError):
            reason = f"not a {KINDS} image"
        elif isinstance(error, UnreadableImage):
            pass  # but may quote the file, too
        elif data.startswith((*tiff.STARTS, NPY_START)):
            reason = f"damaged, or of a kind that is not read ({reason})"
        raise UnreadableImage(printable(reason[:MAX_REASON])) from None


def _decode_picture(data):
    """Pixels of what Pillow reads, and "jpeg" or "png" if the bytes can stay."""
    if data.startswith(b"\xff\xd8") and data.count(START_OF_SCAN) > MAX_SCANS:
        raise UnreadableImage(f"a JPEG with more than {MAX_SCANS} scans")
    with Image.open(io.BytesIO(data), formats=FORMATS) as image:
        kind = "jpeg" if image.format in JPEG_FORMATS else image.format.lower()
        depth = data[PNG_BIT_DEPTH_AT] if kind == "png" else 8
        require_size(image.height, image.width, 3 * (depth // 16 + 1))
        orientation = _orientation(image)
        if depth == 16:
            pixels, is_plain = _decode_deep_png(data)
        else:
            image.load()
            is_plain = image.mode in ("L", "RGB") and "transparency" not in image.info
            pixels = image if is_plain else _to_grey_or_rgb(image)
    can_stay = kind in ("jpeg", "png") and depth >= 8 and orientation not in TURNED
    if is_plain and can_stay:
        return pixels, kind
    return upright(np.atleast_3d(pixels), orientation), ""


def _orientation(image):
    try:
        return image.getexif().get(EXIF_ORIENTATION)
    except Exception:  # nearly any type
        return None  # damaged EXIF, but perhaps whole pixels


def _decode_deep_png(data):
    """Pixels of 16 bits, which Pillow has for grey only, and whether no alpha."""
    import imagecodecs

    pixels = np.atleast_3d(imagecodecs.png_decode(data))
    if pixels.shape[-1] in (2, 4):
        return on_white(pixels), False
    return pixels, True


def _to_grey_or_rgb(image):
    mode = "L" if image.mode in GREY_MODES else "RGB"
    if "transparency" in image.info or image.mode in ALPHA_MODES:
        image = image.convert("RGBA")
        white = Image.new("RGBA", image.size, "white")
        image = Image.alpha_composite(white, image).convert("RGB")
        return image.getchannel(0) if mode == "L" else image
    return image.convert(mode)

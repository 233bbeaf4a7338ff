"""From any image file's bytes to an upright 8-bit RGB picture."""

import io
import os
import pathlib
import stat
import warnings
from typing import NamedTuple

import numpy as np
from PIL import Image

from cyclegan_tf.common.console import printable

SUFFIXES = frozenset(
    (".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".bmp", ".gif")
)
FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "GIF")
# MPO is what many phones write: a JPEG with further pictures behind it.
JPEG_FORMATS = ("JPEG", "MPO")
MIN_SIDE = 16
# A decoded picture of this size takes 300 MB; a small file can claim any size.
MAX_PIXELS = 100_000_000
# What a picture of that size takes where nothing compresses it.
MAX_BYTES = 300_000_000
# Each scan of a progressive JPEG goes over all pixels, and may have few bytes.
MAX_SCANS = 200
START_OF_SCAN = b"\xff\xda"  # does not occur among the pixels
EXIF_ORIENTATION = 0x0112
UPRIGHT_BY = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
PNG_BIT_DEPTH_AT = 24


class UnreadableImage(Exception):
    """The bytes are not an image that can be used; the message says why."""


class EncodedImage(NamedTuple):
    """An upright 8-bit RGB picture as JPEG or PNG bytes.

    Attributes:
        encoded: the file's content.
        format: "jpeg" or "png".
        height, width: in pixels.
    """

    encoded: bytes
    format: str
    height: int
    width: int
    channels: int = 3
    dtype: str = "uint8"
    low: float = 0
    high: float = 255
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
    """Makes any supported image upright 8-bit RGB, in JPEG or PNG.

    JPEG and PNG bytes that are that already are kept as they are; everything else is
    stored as PNG, without loss. Transparency is composited on white, of an animation
    the first picture is taken, 16-bit values keep their upper half.

    Args:
        data: the content of a JPEG, PNG, WebP, BMP or GIF file.

    Raises:
        UnreadableImage: it cannot be decoded, is smaller than 16 x 16 or larger than
            100 megapixels, or made to take long; the message is one printable line.
    """
    try:
        with warnings.catch_warnings():
            # Broken EXIF and the like: what matters is whether the pixels decode.
            warnings.simplefilter("ignore")
            return _normalize(data)
    except UnreadableImage:
        raise
    except (Exception, MemoryError) as error:
        # Decoders meet damaged bytes with nearly every type of exception.
        reason = " ".join(str(error).split()) or type(error).__name__
        if isinstance(error, Image.UnidentifiedImageError):
            reason = "not a JPEG, PNG, WebP, BMP or GIF image"
        raise UnreadableImage(printable(reason)) from None


def pixels_of(data: bytes) -> np.ndarray:
    """What `normalize` makes of a file, decoded: uint8 `(height, width, 3)`.

    Raises:
        UnreadableImage: as `normalize`.
    """
    encoded = normalize(data).encoded
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with Image.open(io.BytesIO(encoded), formats=FORMATS) as image:
            return np.asarray(image.convert("RGB"))


def _normalize(data):
    _require_few_bytes(len(data))
    if data.startswith(b"\xff\xd8") and data.count(START_OF_SCAN) > MAX_SCANS:
        raise UnreadableImage(f"a JPEG with more than {MAX_SCANS} scans")
    with Image.open(io.BytesIO(data), formats=FORMATS) as image:
        width, height = image.size
        if width * height > MAX_PIXELS:
            raise UnreadableImage(
                f"{width}x{height} pixels, more than {MAX_PIXELS // 10**6} megapixels"
            )
        if min(width, height) < MIN_SIDE:
            raise UnreadableImage(
                f"{width}x{height} pixels, smaller than {MIN_SIDE}x{MIN_SIDE}"
            )
        image.load()
        turn = UPRIGHT_BY.get(_orientation(image))
        if turn is None and image.mode == "RGB" and "transparency" not in image.info:
            if image.format in JPEG_FORMATS:
                return EncodedImage(data, "jpeg", height, width)
            if image.format == "PNG" and data[PNG_BIT_DEPTH_AT] == 8:
                return EncodedImage(data, "png", height, width)
        upright = image if turn is None else image.transpose(turn)
        return encode_png(np.asarray(_to_rgb(upright)))


def _orientation(image):
    try:
        return image.getexif().get(EXIF_ORIENTATION)
    except Exception:  # nearly any type
        return None  # damaged EXIF, but perhaps whole pixels


def _to_rgb(image):
    if image.mode.startswith("I"):
        # 16-bit grey; Pillow's own conversion clips at 255.
        values = np.clip(np.asarray(image), 0, 65535).astype(np.uint16) >> 8
        return Image.fromarray(values.astype(np.uint8)).convert("RGB")
    if "transparency" in image.info or image.mode in ("RGBA", "LA", "PA", "RGBa", "La"):
        image = image.convert("RGBA")
        white = Image.new("RGBA", image.size, "white")
        return Image.alpha_composite(white, image).convert("RGB")
    return image.convert("RGB")


def encode_png(pixels: np.ndarray) -> EncodedImage:
    """Encodes uint8 `(height, width, 3)` RGB or `(height, width)` grey pixels."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    height, width = pixels.shape[:2]
    return EncodedImage(buffer.getvalue(), "png", height, width)

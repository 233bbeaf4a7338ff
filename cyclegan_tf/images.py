"""From any image file's bytes to an upright 8-bit RGB picture."""

import io
import warnings
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageOps

SUFFIXES = frozenset(
    (".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".bmp", ".gif")
)
FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "GIF")
# MPO is what many phones write: a JPEG with further pictures behind it.
JPEG_FORMATS = ("JPEG", "MPO")
MIN_SIDE = 16
# A decoded picture of this size takes 300 MB; a small file can claim any size.
MAX_PIXELS = 100_000_000
EXIF_ORIENTATION = 0x0112
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


def normalize(data: bytes) -> EncodedImage:
    """Makes any supported image upright 8-bit RGB, in JPEG or PNG.

    JPEG and PNG bytes that are that already are kept as they are; everything else is
    stored as PNG, without loss. Transparency is composited on white, of an animation
    the first picture is taken, 16-bit values keep their upper half.

    Args:
        data: the content of a JPEG, PNG, WebP, BMP or GIF file.

    Raises:
        UnreadableImage: it cannot be decoded, or is smaller than 16 x 16 or larger
            than 100 megapixels.
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
        raise UnreadableImage(reason) from None


def _normalize(data):
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
        is_upright = image.getexif().get(EXIF_ORIENTATION, 1) == 1
        is_plain = image.mode == "RGB" and "transparency" not in image.info
        if is_upright and is_plain and image.format in JPEG_FORMATS:
            return EncodedImage(data, "jpeg", height, width)
        if is_upright and is_plain and _is_8_bit_png(image.format, data):
            return EncodedImage(data, "png", height, width)
        return encode_png(np.asarray(_to_rgb(ImageOps.exif_transpose(image))))


def _is_8_bit_png(image_format, data):
    return image_format == "PNG" and data[PNG_BIT_DEPTH_AT] == 8


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

"""What Pillow reads: JPEG, PNG, WebP, BMP and GIF; and JPEGs that it does not."""

import io
import math
import struct
from collections.abc import Callable
from fractions import Fraction

import numpy as np
from PIL import Image

from cyclegan_tf.data.arrays import (
    TURNED_ASIDE,
    UnreadableImage,
    on_white,
    require_size,
    upright,
)
from cyclegan_tf.data.picture import INCH, About, Picture

FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "GIF")
# MPO is what many phones write: a JPEG with further pictures behind it.
JPEG_FORMATS = ("JPEG", "MPO")
JPEG_START = b"\xff\xd8"
# Markers of a JPEG's frame, which says how it is coded; among them are three others.
FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
LOSSLESS = (0xC3, 0xC7, 0xCB, 0xCF)
# Each scan of a progressive JPEG goes over all pixels, and may have few bytes.
MAX_SCANS = 200
START_OF_SCAN = b"\xff\xda"  # does not occur among the pixels
EXIF_ORIENTATION = 0x0112
PNG_BIT_DEPTH_AT = 24
# Modes of Pillow; all else becomes RGB.
GREY_MODES = ("1", "L", "LA", "La")
ALPHA_MODES = ("RGBA", "LA", "PA", "RGBa", "La")
TURNED = range(2, 9)  # orientations other than upright


def read(data: bytes, decode: Callable | None = None) -> tuple[Picture, str]:
    """The upright picture of a file, and "jpeg" or "png" if its bytes can stay.

    Palettes and CMYK become RGB, transparency is composited on white, and of an
    animation the first picture is taken. For `decode` see `images.normalize_decoded`.

    Raises `UnreadableImage` for what is too small, too large, or made to take long, and
    whatever decoders raise where bytes are damaged.
    """
    if data.startswith(JPEG_START):
        if data.count(START_OF_SCAN) > MAX_SCANS:
            raise UnreadableImage(f"a JPEG with more than {MAX_SCANS} scans")
        frame = _frame(data)
        # Pillow reads those of 8 bits and a cosine transform.
        if frame and (frame[0] in LOSSLESS or frame[1][:1] != b"\x08"):
            return Picture(_decode_unusual_jpeg(data, frame[1])), ""
    with Image.open(io.BytesIO(data), formats=FORMATS) as image:
        kind = "jpeg" if image.format in JPEG_FORMATS else image.format.lower()
        depth = data[PNG_BIT_DEPTH_AT] if kind == "png" else 8
        require_size(image.height, image.width, 3 * (depth // 16 + 1))
        orientation, about = orientation_of(image), about_of(image)
        can_stay = kind in ("jpeg", "png") and depth >= 8 and orientation not in TURNED
        if depth == 16:
            import imagecodecs  # Pillow has 16 bits for grey only

            pixels = np.atleast_3d(imagecodecs.png_decode(data))
            is_plain = pixels.shape[-1] in (1, 3)
            pixels = pixels if is_plain else on_white(pixels)
        else:
            is_plain = image.mode in ("L", "RGB") and "transparency" not in image.info
            if is_plain and can_stay and decode:
                return Picture(decode(data, kind), about=about), kind
            image.load()
            if kind == "png" and image.mode == "L" and "transparency" in image.info:
                # Pillow brings values of 2 and 4 bits to 8, but not this one.
                image.info["transparency"] *= 255 // (2**depth - 1)
            pixels = image if is_plain else _to_grey_or_rgb(image)
    pixels = np.atleast_3d(pixels)
    if is_plain and can_stay:
        return Picture(pixels, about=about), kind
    return Picture(upright(pixels, orientation), about=about), ""


def about_of(image: Image.Image) -> About:
    """The upright resolution and the colour profile of an open image."""
    dpi = image.info.get("dpi")
    if dpi and orientation_of(image) in TURNED_ASIDE:
        dpi = dpi[::-1]
    resolution = None
    if dpi and all(math.isfinite(x) and x > 0 for x in dpi):
        fractions = (Fraction(float(x)).limit_denominator(100) for x in dpi)
        resolution = (*(f.as_integer_ratio() for f in fractions), INCH)
    profile = image.info.get("icc_profile") or b""
    return About(profile=profile, resolution=resolution)


def _frame(data):
    """The marker of a JPEG's frame, and what stands behind it; or None."""
    place = 2
    while place + 4 <= len(data) and data[place] == 0xFF:
        marker = data[place + 1]
        if marker == 0xFF:  # padding
            place += 1
            continue
        if marker in FRAMES:
            return marker, data[place + 4 : place + 10]
        place += 2 + int.from_bytes(data[place + 2 : place + 4], "big")
    return None


def _decode_unusual_jpeg(data, header):
    """Pixels of 12 bits, or of a lossless JPEG, as in medicine and in cameras."""
    import imagecodecs

    height, width, channels = struct.unpack(">HHB", header[1:6])
    require_size(height, width, 2 * channels)
    pixels = np.atleast_3d(imagecodecs.jpeg_decode(data))
    if pixels.shape[-1] not in (1, 3):
        raise UnreadableImage(f"a JPEG of {channels} channels; expected grey or RGB")
    return pixels


def orientation_of(image: Image.Image) -> int | None:
    """The orientation that EXIF says, 1 where it is upright; None if it says none."""
    try:
        return image.getexif().get(EXIF_ORIENTATION)
    except Exception:  # nearly any type
        return None  # damaged EXIF, but perhaps whole pixels


def _to_grey_or_rgb(image):
    mode = "L" if image.mode in GREY_MODES else "RGB"
    if "transparency" in image.info or image.mode in ALPHA_MODES:
        image = image.convert("RGBA")
        white = Image.new("RGBA", image.size, "white")
        image = Image.alpha_composite(white, image).convert("RGB")
        return image.getchannel(0) if mode == "L" else image
    return image.convert(mode)

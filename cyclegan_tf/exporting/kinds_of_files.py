"""One picture as a file of each kind that the bytes signatures take."""

import io

import imagecodecs
import numpy as np
from PIL import Image

from cyclegan_tf.data.photos import EXIF_ORIENTATION

TURNED = 6  # by 90 degrees


def one_of_each_kind(pixels: np.ndarray) -> dict[str, bytes]:
    """Files by what is special about them: grey, palettes, transparency, orientation.

    Of uint8 `(height, width, 1 or 3)` PNG and JPEG files, of uint16 PNG files of 16
    bits, which show the picture as far as their kind can.
    """
    rgb = np.ascontiguousarray(np.broadcast_to(pixels, (*pixels.shape[:2], 3)))
    with_alpha = np.concatenate([rgb, rgb[..., :1]], axis=-1)
    if pixels.dtype == np.uint16:
        files = {
            "16-bit grey": rgb[..., 0],
            "16-bit RGB": rgb,
            "16-bit RGBA": with_alpha,
        }
        return {kind: imagecodecs.png_encode(x.copy()) for kind, x in files.items()}
    picture = Image.fromarray(rgb)
    bits = picture.convert("1")
    exif = Image.Exif()
    exif[EXIF_ORIENTATION] = TURNED
    files = {
        "grey PNG": _file(picture.convert("L")),
        "1-bit PNG": _file(bits),
        "1-bit PNG with transparency": _file(bits, transparency=0),
        "RGBA PNG": _file(Image.fromarray(with_alpha)),
        "JPEG": _file(picture, "JPEG"),
        "JPEG turned by EXIF": _file(picture, "JPEG", exif=exif),
        "PNG turned by EXIF": _file(picture, exif=exif),
    }
    for depth in (1, 2, 4, 8):
        palette = picture.quantize(2**depth)
        kind = f"PNG with a palette of {depth} bits"
        files[kind] = _file(palette, bits=depth)
        files[f"{kind} and transparency"] = _file(palette, bits=depth, transparency=1)
    return files


def _file(image, file_format="PNG", **options):
    buffer = io.BytesIO()
    image.save(buffer, file_format, **options)
    return buffer.getvalue()

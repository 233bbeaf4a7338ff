import io

import numpy as np
import pytest
from PIL import Image

from cyclegan_tf.data.images import UnreadableImage, normalize
from tests.helpers import random_pixels

PIXELS = random_pixels(24, 32)


def encode(image, image_format, **options):
    buffer = io.BytesIO()
    image.save(buffer, image_format, **options)
    return buffer.getvalue()


def decoded(data):
    result = normalize(data)
    image = Image.open(io.BytesIO(result.encoded))
    assert image.mode == "RGB" and image.format.lower() == result.format
    assert (result.height, result.width) == (image.height, image.width)
    return np.asarray(image).astype(int)


@pytest.mark.parametrize("image_format", ["JPEG", "PNG"])
def test_plain_jpeg_and_png_keep_their_bytes(image_format):
    data = encode(Image.fromarray(PIXELS), image_format)
    assert normalize(data).encoded == data
    assert normalize(data).format == image_format.lower()


@pytest.mark.parametrize("image_format", ["BMP", "WEBP"])
def test_other_formats_become_png_without_loss(image_format):
    data = encode(Image.fromarray(PIXELS), image_format, **{"lossless": True})
    np.testing.assert_array_equal(decoded(data), PIXELS)


def test_first_picture_of_an_animation_is_taken():
    frames = [Image.new("RGB", (20, 20), color) for color in ("red", "blue")]
    data = encode(frames[0], "GIF", save_all=True, append_images=frames[1:])
    assert decoded(data)[10, 10].tolist() == [255, 0, 0]


def test_transparency_is_composited_on_white():
    rgba = np.zeros((20, 20, 4), np.uint8)
    rgba[..., 3] = [255] * 10 + [0] * 10
    pixels = decoded(encode(Image.fromarray(rgba), "PNG"))
    assert pixels[0, 0].tolist() == [0, 0, 0]
    assert pixels[0, 19].tolist() == [255, 255, 255]


def test_transparent_palette_entry_becomes_white():
    image = Image.new("P", (20, 20), 0)
    image.putpalette([10, 20, 30] * 256)
    assert decoded(encode(image, "PNG", transparency=0))[5, 5].tolist() == [255] * 3


def test_transparent_colour_of_an_rgb_png_becomes_white():
    image = Image.new("RGB", (20, 20), (1, 2, 3))
    data = encode(image, "PNG", transparency=(1, 2, 3))
    assert decoded(data)[5, 5].tolist() == [255] * 3


def test_grey_becomes_rgb():
    grey = PIXELS[..., 0]
    pixels = decoded(encode(Image.fromarray(grey), "PNG"))
    np.testing.assert_array_equal(pixels, np.repeat(grey[..., None], 3, axis=2))


def test_16_bit_grey_keeps_its_upper_half():
    deep = np.arange(24 * 32, dtype=np.uint16).reshape(24, 32) * 85
    pixels = decoded(encode(Image.fromarray(deep), "PNG"))
    np.testing.assert_array_equal(pixels[..., 0], deep >> 8)


def test_16_bit_rgb_png_becomes_8_bit():
    import struct
    import zlib

    deep = (np.arange(24 * 32 * 3) * 28).reshape(24, 32, 3).astype(">u2")

    def chunk(kind, body):
        checksum = zlib.crc32(kind + body)
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", checksum)

    rows = b"".join(b"\0" + row.tobytes() for row in deep)
    data = b"\x89PNG\r\n\x1a\n" + chunk(
        b"IHDR", struct.pack(">IIBBBBB", 32, 24, 16, 2, 0, 0, 0)
    )
    data += chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    result = normalize(data)
    assert result.encoded[24] == 8
    np.testing.assert_array_equal(decoded(data), deep >> 8)


def test_cmyk_jpeg_becomes_rgb():
    cmyk = Image.new("CMYK", (20, 20), (0, 255, 255, 0))
    red, green, blue = decoded(encode(cmyk, "JPEG", quality=95))[10, 10]
    assert red > 240 and green < 15 and blue < 15


@pytest.mark.parametrize("orientation", range(2, 9))
def test_exif_orientation_is_applied(orientation):
    upright = Image.fromarray(PIXELS)
    inverse = {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }[orientation]
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = encode(upright.transpose(inverse), "JPEG", exif=exif, quality=100)
    assert np.abs(decoded(data) - PIXELS).mean() < 3


@pytest.mark.parametrize("cut", [1, 20, 200])
def test_truncated_jpeg_is_refused(cut):
    data = encode(Image.fromarray(PIXELS), "JPEG")
    with pytest.raises(UnreadableImage):
        normalize(data[:-cut])


@pytest.mark.parametrize("data", [b"", b"hello", b"\xff\xd8\xff", b"%PDF-1.4"])
def test_other_bytes_are_refused(data):
    with pytest.raises(UnreadableImage):
        normalize(data)


def test_too_small_is_refused():
    with pytest.raises(UnreadableImage, match="15x16 pixels, smaller than 16x16"):
        normalize(encode(Image.new("RGB", (15, 16)), "PNG"))

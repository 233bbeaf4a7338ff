import io

import imagecodecs
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from cyclegan_tf.data import images
from cyclegan_tf.data.domain import Domain
from cyclegan_tf.exporting.graph_decoding import decode_upright
from tests.helpers import random_pixels

RGB = Domain()


@pytest.fixture(scope="module")
def in_graph():
    """The decoder as a compiled function, as it is in a SavedModel."""
    return decoder(RGB)


def decoder(domain):
    return tf.function(
        lambda encoded: decode_upright(encoded, domain, 16, max_pixels=100_000),
        input_signature=[tf.TensorSpec((), tf.string)],
    )


def encoded(image, image_format, **options):
    buffer = io.BytesIO()
    image.save(buffer, image_format, **options)
    return buffer.getvalue()


def with_orientation(orientation, byte_order="<"):
    exif = Image.Exif()
    exif.endian = byte_order
    exif[0x010F] = "A camera"
    exif[0x0112] = orientation
    picture = Image.fromarray(random_pixels(24, 40))
    return encoded(picture, "JPEG", exif=exif, quality=95)


def assert_as_with_pillow(in_graph, data, tolerance=0, domain=RGB):
    expected = images.pixels_of(data, domain)
    pixels = in_graph(data).numpy()
    assert (pixels.shape, pixels.dtype) == (expected.shape, expected.dtype)
    assert np.abs(pixels.astype(int) - expected).max() <= tolerance


@pytest.mark.parametrize("mode", ["RGB", "L", "P", "RGBA", "LA", "1"])
def test_png_decodes_as_with_pillow(in_graph, mode):
    picture = Image.fromarray(random_pixels(20, 28)).convert(mode)
    if mode in ("RGBA", "LA"):
        alpha = Image.fromarray(random_pixels(20, 28, seed=1)[..., 0])
        picture.putalpha(alpha)
    assert_as_with_pillow(in_graph, encoded(picture, "PNG"), tolerance=1)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("stored", [1, 2, 3, 4])
def test_16_bit_png_decodes_as_in_files(channels, stored):
    # 2 and 4 channels: with transparency.
    values = np.random.default_rng(0).integers(0, 2**16, (20, 28, stored), np.uint16)
    domain = Domain(channels, "uint16", 0, 4095)
    data = imagecodecs.png_encode(values)
    assert_as_with_pillow(decoder(domain), data, int(stored in (2, 4)), domain)


@pytest.mark.parametrize("mode", ["L", "RGB", "LA"])
@pytest.mark.parametrize("image_format", ["PNG", "JPEG"])
def test_8_bit_picture_becomes_grey_as_in_files(mode, image_format):
    picture = Image.fromarray(random_pixels(20, 28)).convert(mode)
    if image_format == "JPEG":
        picture = picture.convert("RGB" if mode == "RGB" else "L")
    grey = Domain(channels=1)
    data = encoded(picture, image_format)
    assert_as_with_pillow(decoder(grey), data, 3 * (image_format == "JPEG"), grey)


@pytest.mark.parametrize("image_format", ["PNG", "JPEG"])
def test_other_depth_is_refused(in_graph, image_format):
    deep = imagecodecs.png_encode(np.full((20, 20), 300, np.uint16))
    with pytest.raises(tf.errors.InvalidArgumentError, match="image of 8 bits.*got"):
        in_graph(deep)
    flat = encoded(Image.new("RGB", (20, 20)), image_format)
    with pytest.raises(tf.errors.InvalidArgumentError, match="image of 16 bits.*got"):
        decoder(Domain(1, "uint16", 0, 4095))(flat)


@pytest.mark.parametrize("colours", [2, 3, 16, 200])
def test_palette_with_a_transparent_entry_is_put_on_white(in_graph, colours):
    picture = Image.fromarray(random_pixels(20, 28)).quantize(colours)
    data = encoded(picture, "PNG", transparency=1)
    assert (in_graph(data).numpy() == 255).all(axis=-1).any()
    assert_as_with_pillow(in_graph, data, tolerance=1)


@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
def test_jpeg_decodes_as_with_pillow(in_graph, mode):
    picture = Image.fromarray(random_pixels(20, 28)).convert(mode)
    assert_as_with_pillow(in_graph, encoded(picture, "JPEG"), tolerance=3)


@pytest.mark.parametrize("byte_order", ["<", ">"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_honoured(in_graph, orientation, byte_order):
    data = with_orientation(orientation, byte_order)
    upright = in_graph(data).numpy()
    assert upright.shape == ((24, 40, 3) if orientation <= 4 else (40, 24, 3))
    assert_as_with_pillow(in_graph, data, tolerance=3)


def test_exif_is_found_behind_other_segments(in_graph):
    comment = b"\xff\xfe\x40\x00" + bytes(0x4000 - 2)
    data = with_orientation(6)
    data = data[:2] + 2 * comment + data[2:]
    assert in_graph(data).shape == (40, 24, 3)
    assert_as_with_pillow(in_graph, data, tolerance=3)


def test_broken_exif_leaves_the_picture_as_it_is(in_graph):
    data = with_orientation(6)
    place = data.index(b"Exif\0\0") + 10  # of the first directory's offset
    for offset in (b"\xff\xff\xff\xff", b"\xff\xff\0\0"):
        broken = data[:place] + offset + data[place + 4 :]
        assert in_graph(broken).shape == (24, 40, 3)


@pytest.mark.parametrize("image_format", ["PNG", "JPEG"])
@pytest.mark.parametrize("size", [(15, 40), (400, 300)])
def test_size_is_refused_before_decoding(in_graph, image_format, size):
    data = encoded(Image.new("RGB", size), image_format)
    with pytest.raises(tf.errors.InvalidArgumentError, match="at least 16 x 16"):
        in_graph(data)


@pytest.mark.parametrize("size", [b"\xff" * 8, b"\x7f\xff\xff\xff\0\0\0\x10"])
def test_gigantic_png_header_is_refused(in_graph, size):
    data = encoded(Image.new("RGB", (20, 20)), "PNG")
    with pytest.raises(tf.errors.InvalidArgumentError, match="at most 100000 pixels"):
        in_graph(data[:16] + size + data[24:])


@pytest.mark.parametrize(
    "data", [b"", b"hello", b"\xff\xd8\xff", b"GIF89a" + b"0" * 60, b"RIFF0000WEBP"]
)
def test_other_bytes_are_refused(in_graph, data):
    with pytest.raises(tf.errors.InvalidArgumentError):
        in_graph(data)


def test_truncated_png_is_refused(in_graph):
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    data = encoded(Image.fromarray(noise), "PNG")
    with pytest.raises(tf.errors.InvalidArgumentError):
        in_graph(data[: len(data) // 2])


def test_jpeg_of_many_scans_is_refused_before_decoding(in_graph):
    data = encoded(Image.fromarray(random_pixels(64, 64)), "JPEG", progressive=True)
    assert in_graph(data).shape == (64, 64, 3)
    last = data[data.rindex(b"\xff\xda") : -2]
    with pytest.raises(tf.errors.InvalidArgumentError, match="at most 200 scans"):
        in_graph(data[:-2] + 200 * last + data[-2:])

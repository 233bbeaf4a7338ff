import functools
import struct
import zlib

import imagecodecs
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from cyclegan_tf.data import images
from cyclegan_tf.data.domain import Domain
from cyclegan_tf.exporting.graph_decoding import decode_upright
from cyclegan_tf.exporting.kinds_of_files import one_of_each_kind
from tests.data.hostile_files import chunk, encode, png
from tests.helpers import random_pixels

RGB = Domain()


@pytest.fixture
def in_graph():
    return decoder(RGB)


@functools.cache
def decoder(domain):
    """The decoder as a compiled function, as it is in a SavedModel."""
    return tf.function(
        lambda encoded: decode_upright(encoded, domain, 16, max_pixels=100_000),
        input_signature=[tf.TensorSpec((), tf.string)],
    )


def refused(problem=None):
    return pytest.raises(tf.errors.InvalidArgumentError, match=problem)


def with_orientation(orientation, byte_order="<"):
    exif = Image.Exif()
    exif.endian = byte_order
    exif[0x010F] = "A camera"
    exif[0x0112] = orientation
    picture = Image.fromarray(random_pixels(24, 40))
    return encode(picture, "JPEG", exif=exif, quality=95)


def assert_as_with_pillow(in_graph, data, domain=RGB):
    expected = images.pixels_of(data, domain)
    pixels = in_graph(data).numpy()
    assert (pixels.shape, pixels.dtype) == (expected.shape, expected.dtype)
    np.testing.assert_array_equal(pixels, expected)


@pytest.mark.parametrize("channels", [1, 3])
def test_every_kind_of_file_decodes_as_in_translate(channels):
    domain = Domain(channels)
    decode = decoder(domain)
    for kind, data in one_of_each_kind(random_pixels(20, 28)).items():
        size = (28, 20) if "turned" in kind else (20, 28)
        assert decode(data).shape == (*size, channels), kind
        assert_as_with_pillow(decode, data, domain=domain)


@pytest.mark.parametrize("mode", ["LA", "RGBA"])
def test_every_degree_of_transparency_is_put_on_white_as_with_pillow(in_graph, mode):
    colour, alpha = (x.astype(np.uint8) for x in np.mgrid[:256, :256])
    grey, alpha = Image.fromarray(colour), Image.fromarray(alpha)
    bands = [grey] * (len(mode) - 1)
    data = encode(Image.merge(mode, [*bands, alpha]), "PNG")
    assert_as_with_pillow(in_graph, data)


def with_chunks(png, *chunks):
    """A PNG file with more chunks behind its header."""
    return b"".join([png[:33], *chunks, png[33:]])


@pytest.mark.parametrize("bits", [1, 2, 4, 8])
@pytest.mark.parametrize("transparent", [0, 1])
def test_grey_of_few_bits_with_a_transparent_value(in_graph, bits, transparent):
    # Pillow writes 1 and 8 bits only.
    values = np.random.default_rng(0).integers(0, 2**bits, (20, 32))
    shifts = np.arange(bits)[::-1]
    rows = np.packbits((values[..., None] >> shifts & 1).reshape(20, -1), axis=1)
    pixels = zlib.compress(np.insert(rows, 0, 0, axis=1).tobytes())
    data = png((32, 20, bits, 0, 0), (b"IDAT", pixels))
    levels = np.repeat(values[..., None] * 255 // (2**bits - 1), 3, axis=-1)
    np.testing.assert_array_equal(in_graph(data), levels)
    data = with_chunks(data, chunk(b"tRNS", struct.pack(">H", transparent)))
    levels[values == transparent] = 255
    np.testing.assert_array_equal(in_graph(data), levels)
    assert_as_with_pillow(in_graph, data)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("stored", [1, 2, 3, 4])
def test_16_bit_png_decodes_as_in_files(channels, stored):
    # 2 and 4 channels: with transparency.
    values = np.random.default_rng(0).integers(0, 2**16, (20, 28, stored), np.uint16)
    domain = Domain(channels, "uint16", 0, 4095)
    data = imagecodecs.png_encode(values)
    assert_as_with_pillow(decoder(domain), data, domain=domain)


@pytest.mark.parametrize("image_format", ["PNG", "JPEG"])
def test_other_depth_is_refused(in_graph, image_format):
    deep = imagecodecs.png_encode(np.full((20, 20), 300, np.uint16))
    with refused("image of 8 bits.*got"):
        in_graph(deep)
    flat = encode(Image.new("RGB", (20, 20)), image_format)
    with refused("image of 16 bits.*got"):
        decoder(Domain(1, "uint16", 0, 4095))(flat)


@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
def test_jpeg_decodes_as_with_pillow(in_graph, mode):
    picture = Image.fromarray(random_pixels(20, 28)).convert(mode)
    assert_as_with_pillow(in_graph, encode(picture, "JPEG"))


@pytest.mark.parametrize("byte_order", ["<", ">"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_honoured(in_graph, orientation, byte_order):
    data = with_orientation(orientation, byte_order)
    upright = in_graph(data).numpy()
    assert upright.shape == ((24, 40, 3) if orientation <= 4 else (40, 24, 3))
    assert_as_with_pillow(in_graph, data)


PNG = encode(Image.fromarray(random_pixels(24, 40)), "PNG")


def tiff(kind, count, value, order="<"):
    """A TIFF header, and a directory of an orientation of four bytes."""
    start = {"<": b"II*\0", ">": b"MM\0*"}[order]
    head = struct.pack(order + "IHHHI", 8, 1, 0x0112, kind, count)
    return start + head + value + bytes(4)


def in_jpeg(*payloads):
    """A JPEG file with segments of metadata, the last one first."""
    data = encode(Image.fromarray(random_pixels(24, 40)), "JPEG")
    for payload in payloads:
        length = struct.pack(">H", len(payload) + 2)
        data = data[:2] + b"\xff\xe1" + length + payload + data[2:]
    return data


SHORT = tiff(3, 1, b"\0\6\0\0", ">")
TURNED = {
    "behind other segments in JPEG": in_jpeg(b"Exif\0\0" + SHORT, *2 * [bytes(16_000)]),
    "in PNG": with_chunks(PNG, chunk(b"eXIf", SHORT)),
    "with JPEG's mark in PNG": with_chunks(PNG, chunk(b"eXIf", b"Exif\0\0" + SHORT)),
    "behind the pixels": PNG[:-12] + chunk(b"eXIf", SHORT) + PNG[-12:],
    "behind 300 kB": with_chunks(
        PNG, chunk(b"abCd", bytes(300_000)), chunk(b"eXIf", SHORT)
    ),
}
UPRIGHT = {
    "an unknown number": in_jpeg(b"Exif\0\0" + tiff(3, 1, b"\x09\0\0\0")),
    "a damaged start": in_jpeg(b"Exif\0\0II\0\0" + SHORT[4:]),
    "a directory beyond the end": in_jpeg(b"Exif\0\0MM\0*\0\0\xff\xff" + SHORT[8:]),
    "one far beyond it": in_jpeg(b"Exif\0\0MM\0*\xff\xff\xff\xff" + SHORT[8:]),
    "a chunk that is no tRNS": with_chunks(
        encode(Image.fromarray(random_pixels(24, 40)).quantize(4), "PNG", bits=2),
        chunk(b"tEXt", b"Comment\0about tRNS"),
    ),
}


@pytest.mark.parametrize("kind", TURNED | UPRIGHT)
def test_orientation_is_that_of_translate(in_graph, kind):
    data = (TURNED | UPRIGHT)[kind]
    assert in_graph(data).shape == ((40, 24, 3) if kind in TURNED else (24, 40, 3))
    assert_as_with_pillow(in_graph, data)


@pytest.mark.parametrize("kind, count", [(5, 1), (4, 1), (3, 2)])
def test_orientation_that_the_graph_cannot_read_is_refused(in_graph, kind, count):
    data = in_jpeg(b"Exif\0\0" + tiff(kind, count, b"\6\0\6\0"))
    with refused("orientation of one short"):
        in_graph(data)


@pytest.mark.parametrize("image_format", ["PNG", "JPEG"])
@pytest.mark.parametrize("size", [(15, 40), (400, 300)])
def test_size_is_refused_before_decoding(in_graph, image_format, size):
    data = encode(Image.new("RGB", size), image_format)
    with refused("at least 16 x 16"):
        in_graph(data)


@pytest.mark.parametrize("size", [b"\xff" * 8, b"\x7f\xff\xff\xff\0\0\0\x10"])
def test_gigantic_png_header_is_refused(in_graph, size):
    data = encode(Image.new("RGB", (20, 20)), "PNG")
    with refused("at most 100000 pixels"):
        in_graph(data[:16] + size + data[24:])


@pytest.mark.parametrize(
    "data",
    [
        *(b"", b"hello", b"\xff\xd8\xff", b"GIF89a" + b"0" * 60, b"RIFF0000WEBP"),
        PNG[: len(PNG) // 2],
    ],
)
def test_other_bytes_and_half_a_file_are_refused(in_graph, data):
    with refused():
        in_graph(data)


def test_jpeg_of_many_scans_is_refused_before_decoding(in_graph):
    data = encode(Image.fromarray(random_pixels(64, 64)), "JPEG", progressive=True)
    assert in_graph(data).shape == (64, 64, 3)
    last = data[data.rindex(b"\xff\xda") : -2]
    with refused("at most 200 scans"):
        in_graph(data[:-2] + 200 * last + data[-2:])

import io
import sys

import imagecodecs
import numpy as np
import pytest
from PIL import Image, ImageOps

from cyclegan_tf.data import images, medical, ranges
from cyclegan_tf.data.domain import Domain, with_channels
from cyclegan_tf.data.images import UnreadableImage, from_picture, normalize
from cyclegan_tf.data.picture import Picture
from tests.data.hostile_files import SRGB, encode, npy
from tests.helpers import ROOT, random_pixels

PIXELS = random_pixels(24, 32)
PICTURE = Image.fromarray(PIXELS)
RNG = np.random.default_rng(0)
DEEP = RNG.integers(0, 65536, (24, 32, 4)).astype(np.uint16)  # RGB and alpha


def decoded(data):
    """The values that are stored of a file, by other decoders than our own."""
    image = normalize(data)
    shape = image.height, image.width, image.channels
    if image.format == "raw":
        dtype = np.dtype(image.dtype).newbyteorder("<")
        return np.frombuffer(image.encoded, dtype).reshape(shape)
    if image.dtype == "uint16":
        pixels = imagecodecs.png_decode(image.encoded)
    else:
        picture = Image.open(io.BytesIO(image.encoded))
        assert picture.format.lower() == image.format
        assert picture.mode == {1: "L", 3: "RGB"}[image.channels]
        pixels = np.asarray(picture)
    assert pixels.dtype == image.dtype
    return pixels.reshape(shape)


@pytest.mark.parametrize("kind, bits", [("JPEG", 8), ("PNG", 8), ("PNG", 16)])
@pytest.mark.parametrize("channels", [1, 3])
def test_plain_jpeg_and_png_keep_their_bytes(kind, bits, channels):
    pixels = np.squeeze((PIXELS if bits == 8 else DEEP)[..., :channels])
    if bits == 8:
        data = encode(Image.fromarray(pixels), kind)
    else:
        data = imagecodecs.png_encode(pixels.copy())
    image = normalize(data)
    assert image.encoded == data
    assert image[1:6] == (kind.lower(), 24, 32, channels, f"uint{bits}")
    assert not image.note and not image.valid
    if kind == "PNG":
        found = images.pixels_of(data, Domain(channels, image.dtype))
        np.testing.assert_array_equal(np.squeeze(found), pixels, strict=True)


@pytest.mark.parametrize("image_format", ["BMP", "WEBP"])
def test_other_formats_become_png_without_loss(image_format):
    data = encode(PICTURE, image_format, lossless=True)
    np.testing.assert_array_equal(decoded(data), PIXELS)


def half_transparent(mode):
    """A black picture whose right half is transparent."""
    rgba = np.zeros((20, 20, 4), np.uint8)
    rgba[:, :10, 3] = 255
    return encode(Image.fromarray(rgba).convert(mode), "PNG")


def one_colour(colour, mode="RGB", image_format="PNG", **options):
    return encode(Image.new(mode, (20, 20), colour), image_format, **options)


FRAMES = {"save_all": True, "append_images": [Image.new("RGB", (20, 20), "blue")]}


@pytest.mark.parametrize(
    "data, expected",
    [
        (half_transparent("RGBA"), [0, 0, 0, 255, 255, 255]),
        (half_transparent("LA"), [0, 255]),
        (one_colour(0, "P", transparency=0), [255] * 6),
        (one_colour((1, 2, 3), transparency=(1, 2, 3)), [255] * 6),
        (one_colour("red", image_format="GIF", **FRAMES), [255, 0, 0] * 2),
    ],
)
def test_transparency_becomes_white_and_the_first_frame_is_taken(data, expected):
    assert decoded(data)[10, [0, 19]].ravel().tolist() == expected


def test_transparency_of_16_bits_is_composited_on_white():
    colour, alpha = DEEP[..., :3] / 65535, DEEP[..., 3:] / 65535
    expected = np.rint(65535 * (colour * alpha + 1 - alpha))
    for channels in (3, 1):
        some = DEEP[..., 3 - channels :].copy()
        found = decoded(imagecodecs.png_encode(some))
        np.testing.assert_array_equal(found, expected[..., 3 - channels :])


def test_one_bit_becomes_grey_of_8_bits():
    bits = PIXELS[..., 0] > 127
    pixels = decoded(encode(Image.fromarray(bits), "PNG"))
    np.testing.assert_array_equal(pixels[..., 0], np.where(bits, 255, 0))


def test_cmyk_jpeg_becomes_rgb():
    data = one_colour((0, 255, 255, 0), "CMYK", "JPEG", quality=95)
    red, green, blue = decoded(data)[10, 10]
    assert red > 240 and green < 15 and blue < 15


@pytest.mark.parametrize("orientation", range(2, 9))
def test_exif_orientation_is_applied(orientation):
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
    data = encode(PICTURE.transpose(inverse), "PNG", exif=exif)
    np.testing.assert_array_equal(decoded(data), PIXELS)


@pytest.mark.parametrize(
    "data, reason",
    [
        *((encode(PICTURE, "JPEG")[:-cut], None) for cut in (1, 20, 200)),
        *((imagecodecs.png_encode(DEEP)[:-cut], None) for cut in (20, 1000)),
        *((data, "not a JPEG, ") for data in (b"", b"hello", b"%PDF-1.4")),
        (b"\xff\xd8\xff", None),
        (encode(Image.new("RGB", (15, 16)), "PNG"), "15x16 pixels, smaller than 16x16"),
    ],
)
def test_what_is_cut_off_small_or_no_image_is_refused(data, reason):
    with pytest.raises(UnreadableImage, match=reason):
        normalize(data)


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
@pytest.mark.parametrize("channels", [1, 2, 3, 5])
def test_stored_is_what_was_given(dtype, channels):
    pixels = np.resize(DEEP, (24, 32, channels)).astype(dtype)
    is_png = channels in (1, 3) and dtype != "float32"
    for data in (npy(pixels), images.encode(pixels).encoded if is_png else npy(pixels)):
        image = normalize(data)
        assert image[1:6] == ("png" if is_png else "raw", 24, 32, channels, dtype)
        np.testing.assert_array_equal(decoded(data), pixels)
        found = images.pixels_of(data, Domain(channels, dtype))
        np.testing.assert_array_equal(found, pixels, strict=True)


@pytest.mark.parametrize(
    "pixels, expected",
    [
        (PIXELS[..., 0], PIXELS[..., :1]),
        (np.asfortranarray(DEEP), DEEP),
        (DEEP.astype(">u2"), DEEP),
        (PIXELS[..., 0] > 99, np.where(PIXELS[..., :1] > 99, 255, 0).astype("u1")),
        (DEEP.astype(">i4") - 9, DEEP.astype("f4") - 9),
        (DEEP.astype("f8") / 3, (DEEP.astype("f8") / 3).astype("f4")),
        (PIXELS.astype("f2"), PIXELS.astype("f4")),
    ],
)
def test_array_of_any_type_and_order_is_read(pixels, expected):
    np.testing.assert_array_equal(decoded(npy(pixels)), expected)


ZEROS = np.zeros((24, 32), np.float32)


def test_array_that_may_have_its_channels_first_is_read_with_a_note():
    for shape in ((20, 64, 32), (32, 64, 20)):
        image = normalize(npy(np.zeros(shape, np.uint8)))
        assert (image.height, image.width, image.channels) == shape
        assert ("last axis taken for channels" in image.note) == (shape[0] == 20)


@pytest.mark.parametrize(
    "data, reason",
    [
        (npy(np.full((24, 32), None)), "values of type object"),
        (npy(np.zeros((24, 32), [("a", "f4"), ("b", "f4")])), "values of type"),
        (npy(np.zeros((24, 32), complex)), "values of type complex128"),
        (npy(np.full((24, 32), "a")), "values of type <U1"),
        (npy(np.zeros(24)), r"of shape \(24,\); expected \(height, width\) or"),
        (npy(np.zeros((24, 32, 0))), r"of shape \(24, 32, 0\)"),
        (npy(np.zeros((3, 24, 32))), r"\(3, 24, 32\), as of channels first; expected"),
        (npy(np.zeros((3, 24, 5))), "24x3 pixels, smaller than 16x16"),
        (npy(np.where(np.eye(24), np.nan, 0)), "24 of 576 values are NaN or inf"),
        (npy(ZEROS + np.inf), "768 of 768 values"),
        (npy(np.full((24, 32), 1e300)), "768 of 768 values"),
        (npy(ZEROS)[:-1], "cut off"),
        (npy(ZEROS)[:100], "header"),
        (npy(ZEROS).replace(b"(24, 32)", b"(9999, 9999)"), "399920004|megabytes"),
        (npy(ZEROS).replace(b"(24, 32)", b"(99999, 9999)"), "more than 100 megapixels"),
        (npy(ZEROS).replace(b"(24, 32)", b"(-24, 32)"), "shape|smaller"),
        (npy(ZEROS).replace(b"'<f4'", b"'<f5'"), "dtype|descr"),
    ],
)
def test_bad_array_is_refused_in_one_line(data, reason):
    with pytest.raises(UnreadableImage, match=reason) as caught:
        normalize(data)
    assert str(caught.value).isprintable()


def test_grey_and_rgb_are_converted_to_what_is_asked_for():
    grey = encode(Image.fromarray(PIXELS[..., 0]), "PNG")
    found = images.pixels_of(grey, Domain())
    np.testing.assert_array_equal(found, np.repeat(PIXELS[..., :1], 3, axis=2))
    rgb = imagecodecs.png_encode(np.ascontiguousarray(DEEP[..., :3]))
    luminance = DEEP[..., :3] @ [0.299, 0.587, 0.114]
    found = images.pixels_of(rgb, Domain(1, "uint16"))
    assert found.dtype == np.uint16
    assert np.abs(found[..., 0] - luminance).max() <= 0.5 + 1e-6


@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
def test_grey_becomes_the_same_in_arrays_and_tensors(dtype):
    pixels = DEEP[..., :3].astype(dtype)
    expected = with_channels(pixels, 1)
    assert expected.dtype == dtype and expected.shape == (24, 32, 1)
    found = ranges.to_grey(pixels).numpy()
    np.testing.assert_array_equal(found, expected, strict=True)


@pytest.mark.parametrize(
    "pixels, domain, message",
    [
        (PIXELS, Domain(1, "uint16"), "uint8 with 3 channels; .* uint16 with 1 chan"),
        (DEEP[..., 0], Domain(), "uint16 with 1 channel; .* uint8 with 3 channels"),
        (ZEROS, Domain(3, "float32"), "float32 with 1 channel; .* with 3 channels"),
        (DEEP, Domain(3, "uint16"), "uint16 with 4 channels; .* with 3 channels"),
    ],
)
def test_another_form_is_refused(pixels, domain, message):
    with pytest.raises(UnreadableImage, match=message):
        images.pixels_of(npy(pixels), domain)


@pytest.mark.parametrize("bits, channels", [(12, 1), (12, 3), (16, 1)])
def test_jpegs_that_pillow_does_not_read_keep_their_numbers(bits, channels):
    pixels = np.squeeze(DEEP[..., :channels] >> (16 - bits))
    options = {"bitspersample": bits, "lossless": True}
    data = imagecodecs.jpeg_encode(np.ascontiguousarray(pixels), **options)
    np.testing.assert_array_equal(np.squeeze(decoded(data)), pixels)


def test_jpeg_of_12_bits_is_near_what_was_written():
    smooth = np.add.outer(np.arange(24) * 90, np.arange(32) * 50).astype(np.uint16)
    data = imagecodecs.jpeg_encode(smooth, level=95, bitspersample=12)
    assert np.abs(decoded(data)[..., 0].astype(int) - smooth).max() < 16


@pytest.mark.parametrize("bits, channels", [(8, 3), (12, 1), (15, 3), (15, 4), (16, 1)])
@pytest.mark.parametrize("codec", ["jp2", "j2k"])
def test_jpeg_2000_keeps_its_numbers(bits, channels, codec):
    pixels = np.squeeze(DEEP[..., :channels] >> (16 - bits))
    pixels = np.ascontiguousarray(pixels.astype("u1" if bits == 8 else "u2"))
    options = {"bitspersample": bits, "codecformat": codec, "reversible": True}
    data = imagecodecs.jpeg2k_encode(pixels, level=0, **options)
    np.testing.assert_array_equal(np.squeeze(decoded(data)), pixels)
    with pytest.raises(UnreadableImage):
        normalize(data[:40])


def coded(codec, bits, pixels):
    if codec == "jpegxl":
        return imagecodecs.jpegxl_encode(pixels, lossless=True)
    return imagecodecs.avif_encode(pixels, level=100, bitspersample=bits)


@pytest.mark.parametrize(
    "codec, bits, channels",
    [("jpegxl", bits, n) for bits in (8, 10, 12, 16, 32) for n in (1, 3)]
    + [("avif", 8, 1), ("avif", 8, 3), ("avif", 10, 3), ("avif", 12, 3)],
)
def test_jpeg_xl_and_avif_keep_their_numbers(codec, bits, channels):
    pixels = np.squeeze(DEEP[..., :channels])
    pixels = np.float32(pixels) / 7 if bits == 32 else pixels >> (16 - bits)
    pixels = np.ascontiguousarray(pixels.astype("u1") if bits == 8 else pixels)
    data = coded(codec, bits, pixels)
    np.testing.assert_array_equal(np.squeeze(decoded(data)), pixels)
    with pytest.raises(UnreadableImage):
        normalize(data[:40])


@pytest.mark.parametrize("codec, bits", [("jpegxl", 8), ("avif", 8), ("avif", 10)])
@pytest.mark.parametrize("channels", [2, 4])
def test_alpha_of_jpeg_xl_and_avif_is_put_on_white(codec, bits, channels):
    white = 2**bits - 1
    pixels = np.full((20, 24, channels), 50, np.uint8 if bits == 8 else np.uint16)
    pixels[:10, :, -1], pixels[10:, :, -1] = 0, white
    found = decoded(coded(codec, bits, pixels))
    assert (found[:10] == white).all() and (found[10:] == 50).all()


@pytest.mark.parametrize("size", [(20, 24), (17, 300), (300, 17)])
def test_avif_is_turned_upright_and_keeps_its_profile(size):
    image = Image.fromarray(random_pixels(*size))
    exif = Image.Exif()
    exif[0x0112] = 6
    data = encode(image, "AVIF", quality=100, exif=exif, icc_profile=SRGB)
    picture = images.read(data, Domain())
    with Image.open(io.BytesIO(data)) as opened:
        upright = np.asarray(ImageOps.exif_transpose(opened))
    np.testing.assert_array_equal(picture.pixels, upright)
    assert picture.pixels.shape == (*size[::-1], 3)
    assert picture.about.profile == SRGB


@pytest.mark.parametrize(
    "size", [(8, 8), (15, 15), (12, 16), (9, 16), (8, 24), (15, 600), (15, 9000)]
)
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_size_of_jpeg_xl_is_known_before_it_is_decoded(size, dtype):
    data = imagecodecs.jpegxl_encode(np.zeros(size, dtype), lossless=True)
    place = data.find(b"jxlc") + 4 if dtype == np.uint16 else 0
    with pytest.raises(UnreadableImage, match=f"^{size[1]}x{size[0]} pixels, smaller"):
        normalize(data[: place + 40])


def test_heic_without_its_package_is_said_to_need_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    data = b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(100)
    with pytest.raises(UnreadableImage, match=r"HEIC needs pillow-heif; .*\[heic\]"):
        normalize(data)


@pytest.mark.parametrize("bits", [8, 10, 12])
@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
def test_heic_has_the_numbers_that_are_stored(bits, mode, monkeypatch):
    pillow_heif = pytest.importorskip("pillow_heif")
    monkeypatch.setattr(pillow_heif.options, "SAVE_HDR_TO_12_BIT", bits == 12)
    dtype = np.uint8 if bits == 8 else np.uint16
    pixels = np.random.default_rng(0).integers(0, 2**bits, (48, 64, len(mode)), dtype)
    pixels[..., 3:] = 2**bits - 1
    scaled = pixels << (16 - bits if bits > 8 else 0)
    file = pillow_heif.from_bytes(
        mode if bits == 8 else f"{mode};16", (64, 48), scaled.tobytes()
    )
    file.info["icc_profile"], buffer = SRGB, io.BytesIO()
    file.save(buffer, quality=-1, chroma=444, matrix_coefficients=0)
    picture = images.read(buffer.getvalue(), Domain(3, dtype().dtype.name))
    np.testing.assert_array_equal(picture.pixels, pixels[..., :3])
    assert picture.about.profile == SRGB


def test_suffixes_of_the_document_are_those_that_are_taken():
    text = (ROOT / "docs" / "data.md").read_text(encoding="utf-8")
    listed = text.split("<!-- suffixes -->")[1].split("<!-- /suffixes -->")[0]
    taken = {*images.SUFFIXES, *medical.VOLUME_SUFFIXES}
    assert listed.split() == [f"`{suffix}`" for suffix in sorted(taken)]


@pytest.mark.parametrize("where", ["pixels", "mask"])
def test_more_in_a_row_than_a_png_has_is_refused(where):
    shape = (16, 10**6 + 1, 1) if where == "pixels" else (16, 4500, 224)
    pixels, valid = np.zeros(shape, "u1"), None
    if where == "mask":
        valid = np.ones(pixels.shape, bool)
        valid[0, 0, 0] = False
    with pytest.raises(UnreadableImage, match="more than 1,000,000 values in a row"):
        from_picture(Picture(pixels, valid))

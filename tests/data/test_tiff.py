import io
import struct
import time
import uuid

import numpy as np
import pytest
import tifffile

from cyclegan_tf.data.arrays import UnreadableImage, upright
from cyclegan_tf.data.domain import Domain
from cyclegan_tf.data.images import normalize, pixels_of
from tests.data.hostile_files import tiff
from tests.helpers import random_pixels

RGB = random_pixels(24, 32)
GREY = RGB[..., 0]
RNG = np.random.default_rng(0)
DEEP = RNG.integers(0, 65536, (24, 32, 5)).astype(np.uint16)
FLOATS = RNG.normal(size=(24, 32, 5)).astype(np.float32)
STACK = RNG.integers(0, 65536, (2, 5, 24, 32)).astype(np.uint16)
BANDS = {"photometric": "minisblack", "planarconfig": "contig"}
PLANES = {"photometric": "minisblack", "planarconfig": "separate"}


def read(data):
    image = normalize(data)
    return pixels_of(data, Domain(image.channels, image.dtype)), image.note


def assert_reads(data, expected, note=""):
    pixels, found = read(data)
    np.testing.assert_array_equal(pixels, np.atleast_3d(expected), strict=True)
    assert found == note


@pytest.mark.parametrize("pixels", [GREY, RGB, DEEP[..., 0], DEEP[..., :3], DEEP])
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"byteorder": ">", "bigtiff": True},
        {"compression": "lzw", "predictor": True},
        {"compression": "zlib", "tile": (16, 16), "byteorder": ">"},
        {"compression": "zstd", "rowsperstrip": 5},
        {"compression": "jpeg2000", "compressionargs": {"reversible": True}},
    ],
)
def test_integers_are_read_to_the_last_bit(pixels, options):
    bands = BANDS if pixels.ndim == 3 and pixels.shape[-1] == 5 else {}
    assert_reads(tiff(pixels, **options, **bands), pixels)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"byteorder": ">"},
        {"compression": "zlib", "predictor": True},
        {"compression": "zstd", "tile": (16, 16), "bigtiff": True},
        {"compression": "lerc"},
    ],
)
def test_floats_and_bands_are_read_to_the_last_bit(options):
    assert_reads(tiff(FLOATS, **options, **BANDS), FLOATS)
    planes = np.ascontiguousarray(np.moveaxis(FLOATS, -1, 0))
    assert_reads(tiff(planes, **options, **PLANES), FLOATS)
    assert_reads(tiff(FLOATS[..., 2], **options), FLOATS[..., 2])


@pytest.mark.parametrize("dtype", ["i1", "i2", "u4", "i4", "f2", "f8"])
def test_other_types_become_float32(dtype):
    pixels = (GREY.astype("f8") - 120).astype(dtype)
    note = "integers above 16777216 rounded to float32" if dtype == "u4" else ""
    assert_reads(tiff(pixels), pixels.astype("f4"), note)


@pytest.mark.parametrize(
    "pixels, options, expected, num_pages",
    [
        (STACK[0], {}, STACK[0, 0], 5),
        (STACK[0], {"compression": "zlib"}, STACK[0, 0], 5),
        (STACK, {}, STACK[0, 0], 10),  # of two axes of which nothing is said
        (STACK, {"imagej": True, "metadata": {"axes": "TZYX"}}, STACK[0, 0], 10),
        (STACK, {"imagej": True, "metadata": {"axes": "ZCYX"}}, STACK[0], 2),
        (STACK, {"ome": True, "metadata": {"axes": "CZYX"}}, STACK[:, 0], 5),
        (STACK[0], {"ome": True, "metadata": {"axes": "CYX"}}, STACK[0], 0),
        (STACK[0], {"metadata": {"axes": "CYX"}}, STACK[0], 0),
        (STACK, {"volumetric": True, "tile": (16, 16, 16)}, STACK[0, 0], 10),
        (
            np.stack([RGB, RGB + 1]),
            {"ome": True, "photometric": "rgb", "metadata": {"axes": "ZYXS"}},
            np.moveaxis(RGB, -1, 0),
            2,
        ),
    ],
)
def test_of_a_stack_the_first_page_is_taken_with_all_channels(
    pixels, options, expected, num_pages
):
    note = f"first of {num_pages} pages" if num_pages else ""
    expected = np.moveaxis(expected, 0, -1) if expected.ndim == 3 else expected
    assert_reads(tiff(pixels, **options), expected, note)


@pytest.mark.parametrize("options", [{}, {"compression": "zlib"}])
@pytest.mark.parametrize("pixels", [DEEP[..., :2], FLOATS])
def test_channels_of_an_array_that_nothing_is_said_of_are_channels(pixels, options):
    assert_reads(tiff(pixels, **options), pixels)


def test_of_images_of_several_sizes_the_first_is_taken():
    file = io.BytesIO()
    with tifffile.TiffWriter(file) as writer:
        writer.write(RGB, photometric="rgb")
        writer.write(GREY[:20])
    assert_reads(file.getvalue(), RGB, "first of 2 images")


def with_tag(data, tag, value):
    """A TIFF file in which a tag of one number has another value."""
    with tifffile.TiffFile(io.BytesIO(data)) as file:
        found = file.pages[0].tags[tag]
    form, size = {3: ("<H", 2), 4: ("<I", 4)}[int(found.dtype)]
    place = found.valueoffset
    return data[:place] + struct.pack(form, value) + data[place + size :]


BITS = GREY > 120


@pytest.mark.parametrize(
    "pixels, kind, expected",
    [
        (GREY, "miniswhite", 255 - GREY),
        (DEEP[..., 0], "miniswhite", 65535 - DEEP[..., 0]),
        (BITS, "miniswhite", np.where(BITS, 0, 255).astype("u1")),
        (BITS, "minisblack", np.where(BITS, 255, 0).astype("u1")),
    ],
)
def test_white_is_the_largest_value(pixels, kind, expected):
    assert_reads(tiff(pixels, photometric=kind), expected)


def packed(levels, bits):
    """A TIFF file whose values have so many bits each, by hand."""
    each = levels[..., None] >> np.arange(bits - 1, -1, -1) & 1
    rows = np.packbits(each.reshape((len(levels), -1)).astype(bool), axis=1)
    data = with_tag(tiff(rows, metadata=None), 256, levels.shape[1])
    return with_tag(data, 258, bits)


@pytest.mark.parametrize("bits, factor", [(2, 85), (4, 17), (12, 1)])
def test_few_bits_are_scaled_to_8_and_12_keep_their_values(bits, factor):
    levels = DEEP[..., 0] >> (16 - bits)
    expected = (levels * factor).astype(np.uint8 if bits < 8 else np.uint16)
    assert_reads(packed(levels, bits), expected)


def test_palette_becomes_rgb():
    colours = RNG.integers(0, 256, (3, 256)).astype(np.uint16)
    expected = np.moveaxis(colours[:, GREY], 0, -1).astype(np.uint8)
    for scale in (257, 1):  # the latter as some programs write it
        data = tiff(GREY, colormap=colours * scale, photometric="palette")
        assert_reads(data, expected, "its palette became RGB")


def test_palette_of_one_bit_becomes_rgb():
    colours = np.array([[200, 20], [30, 90], [10, 220]], np.uint16)
    tag = (320, 3, 6, tuple(int(x) * 257 for x in colours.ravel()), True)
    data = with_tag(tiff(BITS, extratags=[tag]), 262, 3)
    expected = np.where(BITS[..., None], colours[:, 1], colours[:, 0]).astype("u1")
    assert_reads(data, expected, "its palette became RGB")


LUT_8, LUT_16 = (np.zeros((3, 2**bits), np.uint16) for bits in (8, 16))
PLANES_8 = np.ascontiguousarray(np.moveaxis(RGB, -1, 0))


@pytest.mark.parametrize(
    "pixels, options, expected",
    [
        (DEEP[..., 0], {"colormap": LUT_16}, DEEP[..., 0]),
        (GREY, {"colormap": LUT_8, "ome": True}, GREY),
        (PLANES_8, {"colormap": LUT_8, "ome": True, "metadata": {"axes": "CYX"}}, RGB),
        (PLANES_8, {"colormap": LUT_8, "metadata": {"axes": "CYX"}}, RGB),
        (GREY, {"colormap": LUT_8, "imagej": True}, GREY),
    ],
)
def test_colours_in_which_microscopes_show_a_channel_are_no_colours(
    pixels, options, expected
):
    assert_reads(tiff(pixels, photometric="palette", **options), expected)


@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
@pytest.mark.parametrize("channels", [1, 3])
def test_alpha_is_composited_on_white(channels, dtype):
    white = np.iinfo(dtype).max
    pixels = DEEP[..., : channels + 1].astype(dtype)
    alpha = pixels[..., -1:] / white
    options = {"photometric": "rgb" if channels == 3 else "minisblack"}
    options["planarconfig"] = "contig"
    data = tiff(pixels, **options, extrasamples=["unassalpha"])
    expected = np.rint(pixels[..., :-1] * alpha + white * (1 - alpha)).astype(dtype)
    found, note = read(data)
    np.testing.assert_array_equal(found, expected, strict=True)
    assert f"--channels-a {channels + 1} keeps it" in note
    kept = pixels_of(data, Domain(channels + 1, dtype))
    np.testing.assert_array_equal(kept, pixels, strict=True)
    assert normalize(data, keeps_alpha=True).channels == channels + 1
    premultiplied = pixels.copy()
    premultiplied[..., :-1] = pixels[..., :-1] * alpha
    data = tiff(premultiplied, **options, extrasamples=["assocalpha"])
    assert np.abs(read(data)[0].astype(int) - expected).max() <= 1


@pytest.mark.parametrize("dtype", ["float16", "float32", "int8", "int16"])
def test_alpha_of_floats_or_signed_has_no_white_to_be_put_on(dtype):
    pixels = (FLOATS[..., :4] % 100).astype(dtype)
    data = tiff(pixels, photometric="rgb", extrasamples=["unassalpha"])
    assert_reads(data, np.float32(pixels))


def test_band_that_is_no_alpha_stays_one():
    pixels = DEEP[..., :4]
    assert_reads(tiff(pixels, photometric="rgb", extrasamples=["unspecified"]), pixels)
    assert_reads(tiff(pixels, **BANDS), pixels)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation_is_applied(orientation):
    turned = {5: 5, 6: 8, 7: 7, 8: 6}.get(orientation, orientation)
    stored = upright(RGB, turned)  # the inverse, of which EXIF's test is independent
    data = tiff(stored, photometric="rgb", extratags=[(274, 3, 1, orientation, True)])
    assert_reads(data, RGB)


@pytest.mark.parametrize("orientation", [3, 6])
def test_map_lies_as_its_place_says(orientation):
    tags = [(274, 3, 1, orientation, True), (33550, 12, 3, (10.0, 10.0, 0.0), True)]
    assert_reads(tiff(RGB, photometric="rgb", extratags=tags), RGB)


def test_jpeg_within_becomes_rgb():
    data = tiff(RGB, photometric="rgb", compression="jpeg")
    with tifffile.TiffFile(io.BytesIO(data)) as file:
        assert file.pages[0].photometric == 6  # YCbCr
    assert np.abs(read(data)[0].astype(int) - RGB).mean() < 3


@pytest.fixture
def ome_set(tmp_path):
    """A set of files, one for each channel; the description of each names both."""
    names = [f"img_C{i}.ome.tif" for i in range(2)]
    planes = "".join(
        f'<TiffData FirstC="{i}" IFD="0" PlaneCount="1"><UUID FileName="{name}">'
        f"urn:uuid:{uuid.UUID(int=i)}</UUID></TiffData>"
        for i, name in enumerate(names)
    )
    for i, name in enumerate(names):
        description = (
            '<?xml version="1.0" encoding="UTF-8"?><OME xmlns="http://www.openmicroscopy'
            f'.org/Schemas/OME/2016-06" UUID="urn:uuid:{uuid.UUID(int=i)}">'
            '<Image ID="Image:0"><Pixels ID="Pixels:0" DimensionOrder="XYCZT" '
            'Type="uint16" SizeX="32" SizeY="24" SizeC="2" SizeZ="1" SizeT="1">'
            '<Channel ID="Channel:0:0" SamplesPerPixel="1"/>'
            f'<Channel ID="Channel:0:1" SamplesPerPixel="1"/>{planes}</Pixels></Image>'
            "</OME>"
        )
        plane = DEEP[..., i]
        tifffile.imwrite(tmp_path / name, plane, description=description, metadata=None)
    return [tmp_path / name for name in names]


def test_of_a_set_of_files_each_gives_its_own_planes(ome_set):
    whole = tifffile.imread(ome_set[0])
    np.testing.assert_array_equal(whole, np.moveaxis(DEEP[..., :2], -1, 0))
    for i, path in enumerate(ome_set):
        note = "the planes that it has itself, of a set of files"
        assert_reads(path.read_bytes(), DEEP[..., i], note)


BOMB = with_tag(with_tag(tiff(GREY, tile=(16, 16)), 256, 60_000), 257, 60_000)


@pytest.mark.parametrize(
    "data, reason",
    [
        (BOMB, "60000x60000 pixels, more than 100 megapixels"),
        (with_tag(tiff(DEEP, **BANDS), 257, 2_000_000), "320 .*|megabytes"),
        (with_tag(tiff(GREY, tile=(16, 16)), 322, 2**32 - 16), "tiles of more than"),
        (tiff(GREY[:15]), "32x15 pixels, smaller than 16x16"),
        (
            tiff(DEEP, photometric="minisblack", metadata={"axes": "ZYX"}),
            "24 pages, each of 5x32 pixels, smaller",
        ),
        (tiff(GREY.astype(complex)), "values of type complex128"),
        (tiff(np.where(GREY > 99, np.nan, 1)), r"\d+ of 768 values are NaN"),
        (tiff(DEEP[..., :4], photometric="separated"), "colours as SEPARATED"),
        (tiff(RGB, photometric="cielab"), "colours as CIELAB"),
        (tiff(RGB, photometric="ycbcr"), "colours as YCBCR"),
        (
            tiff(STACK, metadata={"axes": "ZTYX"}).replace(b"ZTYX", b"\x7f" * 4),
            r"of the axes .*x7f.*; expected an image",
        ),
        (b"II*\0", "damaged, or of a kind that is not read"),
    ],
)
def test_what_cannot_be_used_is_refused_in_one_line(data, reason, capfd):
    start = time.monotonic()
    with pytest.raises(UnreadableImage, match=reason) as caught:
        normalize(data)
    assert str(caught.value).isprintable()
    assert time.monotonic() - start < 5
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    "pixels, options",
    [
        (STACK[0], {}),
        (STACK[0], {"compression": "zlib"}),
        (STACK, {"imagej": True, "metadata": {"axes": "TCYX"}}),
        (STACK, {"ome": True, "metadata": {"axes": "TCYX"}}),
        (RGB, {"compression": "lzw"}),
        (FLOATS, BANDS | {"bigtiff": True}),
    ],
)
def test_file_that_is_cut_off_is_refused(pixels, options, capfd):
    data = tiff(pixels, **options)
    whole = normalize(data)
    steps = {*range(1, 300, 7), *range(300, len(data), len(data) // 60)}
    num_refused = 0
    for cut in steps:
        try:
            assert normalize(data[:-cut]) == whole  # a few bytes may not matter
        except UnreadableImage as error:
            assert str(error).isprintable()
            num_refused += 1
    assert num_refused >= len(steps) - 3
    assert capfd.readouterr() == ("", "")


def test_pages_in_a_circle_are_refused():
    data = tiff(STACK[0], compression="zlib")
    with tifffile.TiffFile(io.BytesIO(data)) as file:
        second, end = file.pages[1].offset, file.pages.next_page_offset
    circle = data[:end] + struct.pack("<I", second) + data[end + 4 :]
    with pytest.raises(UnreadableImage, match="pages"):
        normalize(circle)

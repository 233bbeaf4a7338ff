import pathlib
import struct

import numpy as np
import pytest
import tifffile
from PIL import Image

from cyclegan_tf.common.errors import InputError
from cyclegan_tf.data.arrays import UnreadableImage
from cyclegan_tf.data.domain import Domain
from cyclegan_tf.data.images import normalize, pixels_of, read, read_file
from cyclegan_tf.data.picture import About, Picture
from cyclegan_tf.data.writing import HOLDS, lost, require_holds, suffix_for, write
from tests.data.hostile_files import PLACE, SRGB, encode, tiff
from tests.helpers import random_pixels

RNG = np.random.default_rng(0)


def pixels_in(channels, dtype):
    values = RNG.integers(0, 65536, (24, 32, channels))
    return values.astype(dtype) if dtype != "float32" else np.float32(values / 7)


@pytest.mark.parametrize("suffix", [".png", ".tif", ".TIFF", ".npy", ".NPY"])
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
@pytest.mark.parametrize("channels", [1, 2, 3, 4, 40])
def test_written_is_read_to_the_last_bit_or_refused(tmp_path, suffix, dtype, channels):
    path, pixels = tmp_path / f"image{suffix}", pixels_in(channels, dtype)
    domain = Domain(channels, dtype)
    if suffix == ".png" and not domain.is_encodable:
        with pytest.raises(InputError, match=f"a .png file cannot hold {dtype} with"):
            write(path, pixels)
        return
    write(path, pixels)
    found = pixels_of(read_file(path), domain)
    np.testing.assert_array_equal(found, pixels, strict=True)


def test_others_read_what_was_written(tmp_path):
    deep, floats = pixels_in(3, "uint16"), pixels_in(5, "float32")
    write(tmp_path / "a.tif", deep)
    write(tmp_path / "b.tif", floats)
    write(tmp_path / "c.tif", pixels_in(3, "uint8"))
    write(tmp_path / "d.npy", deep[..., :1])
    write(tmp_path / "e.png", deep[..., :1])
    for name, expected in (("a.tif", deep), ("b.tif", floats)):
        np.testing.assert_array_equal(tifffile.imread(tmp_path / name), expected)
    with tifffile.TiffFile(tmp_path / "b.tif") as file:
        assert file.pages[0].compression == 8  # deflate
        assert len(file.pages) == 1 and file.pages[0].planarconfig == 1
    with Image.open(tmp_path / "c.tif") as image:
        assert (image.mode, image.size) == ("RGB", (32, 24))
    np.testing.assert_array_equal(np.load(tmp_path / "d.npy"), deep[..., 0])
    with Image.open(tmp_path / "e.png") as image:
        np.testing.assert_array_equal(np.asarray(image), deep[..., 0])


@pytest.mark.parametrize("channels", [1, 3])
def test_jpeg_is_near_what_was_written(tmp_path, channels):
    pixels = random_pixels(48, 64)[..., :channels]
    for suffix in (".jpg", ".jpeg"):
        write(tmp_path / f"image{suffix}", pixels)
        found = pixels_of(read_file(tmp_path / f"image{suffix}"), Domain(channels))
        assert np.abs(found.astype(int) - pixels).mean() < 3


def test_what_a_format_cannot_hold_is_refused_before_anything_is_written(tmp_path):
    with pytest.raises(InputError, match=r"uint8 with 40 channels; use .tif or .npy"):
        write(tmp_path / "a.jpg", pixels_in(40, "uint8"))
    with pytest.raises(InputError, match=r"uint16 with 1 channel; use .png or .npy"):
        write(tmp_path / "a.jpeg", pixels_in(1, "uint16"))
    with pytest.raises(InputError, match="cannot hold float64 with 1 channel"):
        write(tmp_path / "a.npy", np.zeros((24, 32, 1)))
    with pytest.raises(InputError, match=r"\.gif: expected one of \.png, \.jpg"):
        write(tmp_path / "a.gif", pixels_in(3, "uint8"))
    assert not list(tmp_path.iterdir())


def test_jpeg_of_too_many_pixels_in_a_row_is_refused(tmp_path):
    with pytest.raises(UnreadableImage, match="no side of more than 65500 pixels"):
        write(tmp_path / "a.jpg", np.zeros((16, 65501, 3), np.uint8))
    assert not list(tmp_path.iterdir())


KEYS = (1, 1, 0, 3, 1024, 0, 1, 1, 1025, 0, 1, 1, 3072, 0, 1, 32633)
GEO = [
    *PLACE,
    (34735, 3, len(KEYS), KEYS, True),
    (34737, 2, 8, "UTM 33N|", True),
]
STATISTICS = '<Item name="STATISTICS_MEAN" sample="0">7</Item>'
HEIGHTS = np.float32(RNG.uniform(100, 500, (24, 32)))
HEIGHTS[:9] = -9999
RGB = random_pixels(24, 32)


def tags_of(path):
    with tifffile.TiffFile(path) as file:
        return {tag.code: tag.value for tag in file.pages[0].tags}


def written(tmp_path, data, pixels, suffix=".tif", domain=None):
    """A file of `pixels`, translated from a picture of some data."""
    path = tmp_path / f"written{suffix}"
    image = normalize(data)
    source = read(data, domain or Domain(image.channels, image.dtype))
    write(path, pixels, source)
    return path, lost(suffix, pixels, source)


@pytest.mark.parametrize("dtype", ["float32", "uint16", "uint8"])
def test_translated_map_lies_where_it_did(tmp_path, dtype):
    year = '<Item name="YEAR">2020</Item>'
    described = f"<GDALMetadata>{STATISTICS}{year}</GDALMetadata>"
    nodata = "-9999" if dtype == "float32" else "0"
    heights = np.where(HEIGHTS < 0, float(nodata), HEIGHTS / 2).astype(dtype)
    tags = [*GEO, (42112, 2, 0, described, True), (42113, 2, 0, nodata, True)]
    data = tiff(heights, extratags=tags, metadata=None)
    pixels = pixels_in(2, dtype)
    pixels[20] = float(nodata)
    path, missing = written(tmp_path, data, pixels)
    assert not missing
    found = tags_of(path)
    assert all(found[code] == value for code, _, _, value, _ in GEO)
    assert found[42113] == nodata
    assert "YEAR" in found[42112] and "STATISTICS" not in found[42112]
    image = tifffile.imread(path)
    np.testing.assert_array_equal((image == float(nodata)).any(axis=-1), HEIGHTS < 0)
    _, missing = written(tmp_path, data, pixels_in(3, "uint8"), ".png")
    assert missing == ["its place on the map", "which pixels have no value"]


@pytest.mark.parametrize(
    "channels, dtype, kept", [(2, "uint16", 2), (2, "float32", 1), (3, "uint8", 0)]
)
def test_what_bands_measure_is_not_said_of_others(tmp_path, channels, dtype, kept):
    measures = "".join(
        f'<Item name="{role.upper()}" sample="{band}" role="{role}">{value}</Item>'
        for role, value in (("scale", 1e-4), ("offset", -0.1), ("unittype", "m"))
        for band in (0, 1)
    )
    name = '<Item name="DESCRIPTION" sample="1" role="description">red</Item>'
    year = '<Item name="YEAR">2020</Item>'
    texts = [year, f"{name}{year}", f"{measures}{name}{year}"]
    texts = [f"<GDALMetadata>{text}</GDALMetadata>" for text in texts]
    tags = [*GEO, (42112, 2, 0, texts[2], True)]
    data = tiff(pixels_in(2, "uint16"), planarconfig="contig", extratags=tags)
    path, missing = written(tmp_path, data, pixels_in(channels, dtype))
    assert tags_of(path)[42112] == texts[kept]
    what = "what its bands are, or the scale and unit of their values"
    assert missing == ([] if kept == 2 else [what])


def test_place_by_rational_polynomials_is_kept(tmp_path):
    coefficients = tuple(float(x) for x in range(92))
    data = tiff(RGB, extratags=[(50844, 12, 92, coefficients, True)])
    path, missing = written(tmp_path, data, RGB)
    assert not missing and tags_of(path)[50844] == coefficients


def test_nodata_that_the_type_does_not_hold_becomes_a_mask(tmp_path):
    tags = [*GEO, (42113, 2, 0, "-9999", True)]
    data = tiff(HEIGHTS, extratags=tags, metadata=None)
    pixels = pixels_in(3, "uint8")
    path, missing = written(tmp_path, data, pixels)
    assert missing == ["its nodata, -9999, which the type does not hold"]
    picture = read(read_file(path), Domain())
    np.testing.assert_array_equal(picture.valid[..., 0], HEIGHTS > 0)
    np.testing.assert_array_equal(tifffile.imread(path, key=0), pixels)


def test_rasterio_places_what_was_written(tmp_path):
    rasterio = pytest.importorskip("rasterio")
    tags = [*GEO, (42113, 2, 0, "-9999", True)]
    data = tiff(HEIGHTS, extratags=tags, metadata=None)
    for pixels in (pixels_in(3, "uint8"), pixels_in(1, "float32")):
        path, _ = written(tmp_path, data, pixels)
        with rasterio.open(path) as file:
            assert file.crs.to_epsg() == 32633 and file.bounds.left == 5e5
            np.testing.assert_array_equal(file.dataset_mask() > 0, HEIGHTS > 0)


CHANNELS = np.ascontiguousarray(np.moveaxis(pixels_in(5, "uint16"), -1, 0))


@pytest.mark.parametrize("channels", [1, 3, 5])
@pytest.mark.parametrize("dtype", ["uint16", "float32"])
def test_microscopes_pixels_keep_their_size(tmp_path, channels, dtype):
    pixels = pixels_in(channels, dtype)
    metadata = {"axes": "CYX", "unit": "um", "Labels": list("abcde")}
    size = {"resolution": (3.0769, 3.0769), "metadata": metadata}
    path, missing = written(tmp_path, tiff(CHANNELS, imagej=True, **size), pixels)
    assert not missing
    with tifffile.TiffFile(path) as file:
        assert file.imagej_metadata["unit"] == "um"
        assert file.pages[0].tags[282].value == (30769, 10000)
        assert file.series[0].axes == ("YX" if channels == 1 else "CYX")
        labels = list("abcde") if channels == 5 else None
        assert file.imagej_metadata.get("Labels") == labels
        expected = np.moveaxis(pixels, -1, 0).squeeze()
        np.testing.assert_array_equal(file.asarray(), expected)
    metadata = {"PhysicalSizeX": 0.325, "PhysicalSizeXUnit": "nm", "axes": "CYX"}
    metadata["Channel"] = {"Name": list("abcde")}
    data = tiff(CHANNELS, ome=True, metadata=metadata, photometric="minisblack")
    path, missing = written(tmp_path, data, pixels)
    with tifffile.TiffFile(path) as file:
        assert 'PhysicalSizeX="0.325" PhysicalSizeXUnit="nm"' in file.ome_metadata
        assert ('Name="e"' in file.ome_metadata) == (channels == 5)
    again = pixels_of(read_file(path), Domain(channels, dtype))
    np.testing.assert_array_equal(again, pixels)


@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
@pytest.mark.parametrize("suffix", [".png", ".jpg", ".tif", ".npy"])
def test_colour_profile_and_resolution_are_kept(tmp_path, suffix, dtype):
    if suffix == ".jpg" and dtype == "uint16":
        return
    options = {"icc_profile": SRGB, "dpi": (300, 300)}
    pixels = pixels_in(3, dtype)
    for kind in ("PNG", "JPEG", "TIFF"):
        data = encode(Image.fromarray(RGB), kind, **options)
        path, missing = written(tmp_path, data, pixels, suffix)
        if suffix == ".npy":
            assert missing == ["its resolution", "its colour profile"]
            continue
        assert not missing
        if dtype == "uint8":
            with Image.open(path) as image:
                assert image.info["icc_profile"] == SRGB
                assert [round(float(x)) for x in image.info["dpi"]] == [300, 300]
        else:
            again = read(read_file(path), Domain(3, dtype))
            assert again.about.profile == SRGB
            assert round(again.about.resolution[0][0]) == 300
            np.testing.assert_array_equal(again.pixels, pixels)
    _, missing = written(tmp_path, data, pixels_in(1, dtype), suffix)
    assert "its colour profile" in missing  # of colours that grey has not


def test_resolution_of_a_turned_photo_is_turned(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    for kind in ("PNG", "JPEG"):
        data = encode(Image.fromarray(RGB), kind, exif=exif, dpi=(300, 150))
        path, _ = written(tmp_path, data, RGB.swapaxes(0, 1), ".png")
        with Image.open(path) as image:
            assert [round(float(x)) for x in image.info["dpi"]] == [150, 300]


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_suffix_is_of_a_format_that_holds_it_and_of_a_tiff_comes_a_tiff(
    channels, dtype
):
    domain = Domain(channels, dtype)
    suffix = suffix_for(domain, pathlib.Path("photo.jpg"))
    require_holds(suffix, channels, dtype)
    assert suffix == suffix_for(domain) and suffix in HOLDS
    assert suffix_for(domain, pathlib.Path("map.TIFF")) == ".tif"


@pytest.mark.parametrize(
    "kind, value, resolution",
    [
        (4, struct.pack("<I", 300), ((300, 1), (300, 1), 2)),
        (11, struct.pack("<f", 72.5), ((145, 2), (145, 2), 2)),
        (11, struct.pack("<f", np.nan), None),
    ],
)
def test_resolution_of_one_number_is_kept(tmp_path, kind, value, resolution):
    pixels = np.zeros((32, 32), np.uint8)
    tifffile.imwrite(tmp_path / "in.tif", pixels, resolution=(9, 9), metadata=None)
    data = bytearray((tmp_path / "in.tif").read_bytes())
    (start,) = struct.unpack_from("<I", data, 4)
    (count,) = struct.unpack_from("<H", data, start)
    for place in range(start + 2, start + 2 + 12 * count, 12):
        (tag,) = struct.unpack_from("<H", data, place)
        if tag in (282, 283):
            data[place + 2 : place + 12] = struct.pack("<HI", kind, 1) + value
    picture = read(bytes(data), Domain(1))
    assert picture.about.resolution == resolution
    write(tmp_path / "out.tif", picture.pixels, picture)
    again = read((tmp_path / "out.tif").read_bytes(), Domain(1))
    assert again.about.resolution == resolution


GDAL = "<GDALMetadata><Item>{}</Item></GDALMetadata>"
SMALL = np.full((32, 32), 5, np.uint8)


def with_tag(code, value):
    """A TIFF of `SMALL` with a text of any bytes."""
    return tiff(SMALL, metadata=None, extratags=[(code, 2, 0, value, True)])


@pytest.mark.parametrize("coding", ["utf-8", "latin-1"])
def test_what_a_map_says_in_its_own_language_is_kept(tmp_path, coding):
    said = GDAL.format("Höhe \x81" if coding == "latin-1" else "Höhe über 東")
    data = with_tag(42112, said.encode(coding))
    path, missing = written(tmp_path, data, SMALL[..., None])
    assert not missing and tags_of(path)[42112] == said
    assert said.encode() in path.read_bytes()  # as GDAL has it


def test_unit_of_a_microscope_that_is_not_ascii_is_kept(tmp_path):
    data = tiff(SMALL, imagej=True, metadata={"unit": "AAm"})
    data = data.replace(b"unit=AAm", "unit=µm".encode())
    path, missing = written(tmp_path, data, SMALL[..., None])
    again = read(read_file(path), Domain(1))
    assert not missing and again.about.metadata["unit"] == "\\u00b5m"


def test_nodata_that_is_no_number_of_ascii_is_none(tmp_path):
    data = with_tag(42113, "５".encode())
    assert read(data, Domain(1)).valid is None
    _, missing = written(tmp_path, data, SMALL[..., None])
    assert missing == ["its nodata, ５, which the type does not hold"]


@pytest.mark.parametrize(
    "resolution, held_by",
    [
        (((300, 1), (300, 1), 2), {".tif", ".png", ".jpg"}),
        (((118, 1), (118, 1), 3), {".tif", ".png", ".jpg"}),
        (((300, 1), (300, 1), 9), set()),
        (((300, 1), (300, 1), 4), {".tif"}),
        (((76200, 1), (76200, 1), 2), {".tif", ".png"}),
        (((2**32 - 1, 1), (300, 1), 2), {".tif"}),
        (((2**32, 1), (300, 1), 2), set()),
        (((1, 1000), (1, 1000), 3), {".tif"}),
    ],
)
def test_resolution_that_a_format_cannot_say_is_named(tmp_path, resolution, held_by):
    source = Picture(SMALL[..., None], about=About(resolution=resolution))
    for suffix in (".tif", ".png", ".jpg"):
        write(tmp_path / f"a{suffix}", source.pixels, source)
        missing = lost(suffix, source.pixels, source)
        assert missing == ([] if suffix in held_by else ["its resolution"])
        if suffix in held_by:
            with Image.open(tmp_path / f"a{suffix}") as image:
                *fractions, unit = resolution
                if unit in (2, 3):
                    dpi = [n / d * (2.54 if unit == 3 else 1) for n, d in fractions]
                    assert np.allclose(np.float64(image.info["dpi"]), dpi, rtol=0.01)

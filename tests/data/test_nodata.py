"""Pixels without a value: found as GDAL finds them, and counted nowhere."""

import io

import numpy as np
import pytest
import tensorflow as tf
import tifffile

from cyclegan_tf.common.errors import InputError
from cyclegan_tf.config.ranges import Range
from cyclegan_tf.config.sizes import Frame
from cyclegan_tf.data import forms, frames, pipeline, records
from cyclegan_tf.data.domain import Domain
from cyclegan_tf.data.images import UnreadableImage, normalize, read
from cyclegan_tf.data.picture import with_nodata
from cyclegan_tf.evaluation.evaluator import Evaluator
from cyclegan_tf.runs.generators import DIRECTIONS
from tests.data.hostile_files import PLACE, tiff
from tests.helpers import converted

RNG = np.random.default_rng(0)
HEIGHTS = RNG.uniform(100, 500, (24, 32)).astype(np.float32)
LOWEST = float(np.finfo(np.float32).min)
HOLE = np.zeros((24, 32), bool)
HOLE[:9, 4:20] = True


def tagged(nodata, dtype="float32", **options):
    """A GeoTIFF of heights, with a hole."""
    with np.errstate(over="ignore"):
        heights = HEIGHTS / 2 if dtype == "uint8" else HEIGHTS
        heights = np.where(HOLE, np.dtype(dtype).type(float(nodata)), heights)
    tags = [*PLACE, (42113, 2, 0, nodata, True)]
    return tiff(heights.astype(dtype), extratags=tags, metadata=None, **options)


def masked():
    """A GeoTIFF whose mask is a page of its own."""
    file = io.BytesIO()
    with tifffile.TiffWriter(file) as writer:
        writer.write(np.uint16(HEIGHTS), extratags=PLACE, metadata=None)
        writer.write(HEIGHTS[::2, ::2].astype("u2"), subfiletype=1, metadata=None)
        writer.write(~HOLE, photometric=4, subfiletype=4, metadata=None)
    return file.getvalue()


def with_alpha_mask():
    pixels = np.repeat(np.uint8(HEIGHTS / 2)[..., None], 4, axis=2)
    pixels[..., 3] = np.where(HOLE, 0, 255)
    return tiff(pixels, photometric="rgb", extrasamples=[2], extratags=PLACE)


@pytest.mark.parametrize(
    "data, dtype",
    [
        (tagged("-9999"), "float32"),
        (tagged("nan"), "float32"),
        (tagged("-3.4028234663852886e+38"), "float32"),
        (tagged("-3.40282346639e+38", compression="zlib"), "float32"),
        (tagged("-32768", "int16"), "float32"),
        (tagged("0", "uint16"), "uint16"),
        (tagged("255", "uint8"), "uint8"),
        (tagged("-9999", ">f8"), "float32"),
        (masked(), "uint16"),
        (with_alpha_mask(), "uint8"),
    ],
)
def test_pixels_without_a_value_are_found(data, dtype):
    image = normalize(data)
    assert image.dtype == dtype and not image.note
    domain = Domain(image.channels, dtype, 0, 600)
    example = records.parse(records.serialize(image, "name"))
    assert records.has_nodata(example)
    valid = records.decode_valid(example, domain).numpy()
    np.testing.assert_array_equal(valid, np.broadcast_to(~HOLE[..., None], valid.shape))
    pixels = read(data, domain).pixels
    if dtype != "uint8":
        assert np.abs(pixels - HEIGHTS[..., None])[~HOLE].max() < 1
    assert (pixels[HOLE] == (255 if dtype == "uint8" else 300)).all()
    stored = records.decode(example, domain).numpy()
    np.testing.assert_array_equal(stored[~HOLE], pixels[~HOLE], strict=True)


def test_bands_have_values_of_their_own():
    bands = RNG.integers(1, 999, (24, 32, 3)).astype(np.uint16)
    bands[:4, :, 0] = bands[:2] = 0
    data = tiff(
        bands,
        photometric="minisblack",
        planarconfig="contig",
        extratags=[(42113, 2, 0, "0", True)],
    )
    picture = read(data, Domain(3, "uint16", 0, 999))
    np.testing.assert_array_equal(picture.valid, bands > 0)
    grey = read(data, Domain(1, "uint16", 0, 999))
    np.testing.assert_array_equal(grey.valid[..., 0], (bands > 0).all(axis=-1))
    example = records.parse(records.serialize(normalize(data), "name"))
    for domain, other in ((Domain(3, "uint16"), picture), (Domain(1, "uint16"), grey)):
        found = records.decode_valid(example, domain).numpy()
        np.testing.assert_array_equal(found, other.valid)


@pytest.mark.parametrize("nodata", ["-9999", "300", "many"])
def test_tag_that_no_pixel_has_changes_nothing(nodata):
    plain, other = (tiff(np.uint8(HEIGHTS / 2), extratags=x) for x in ([], PLACE))
    tags = [(42113, 2, 0, nodata, True)]
    assert normalize(tiff(np.uint8(HEIGHTS / 2), extratags=tags)) == normalize(plain)
    assert normalize(other) == normalize(plain)
    example = records.parse(records.serialize(normalize(plain), "name"))
    assert not records.has_nodata(example)


@pytest.mark.parametrize("dtype", ["u8", "i8"])
def test_largest_integers_can_mean_that_there_is_no_value(dtype):
    largest = np.iinfo(dtype).max  # which no float is
    heights = np.where(HOLE, largest, HEIGHTS.astype(dtype))
    tags = [*PLACE, (42113, 2, 0, str(largest), True)]
    found = read(tiff(heights, extratags=tags, metadata=None), Domain(1, "float32"))
    np.testing.assert_array_equal(found.valid[..., 0], ~HOLE)


def test_range_of_a_band_without_any_value_is_refused(tmp_path):
    bands = np.stack([HEIGHTS, np.full_like(HEIGHTS, np.nan)], axis=-1)
    tags = [*PLACE, (42113, 2, 0, "nan", True)]
    for domain in "AB":
        (tmp_path / "in" / domain).mkdir(parents=True)
        content = tiff(bands, extratags=tags, metadata=None, planarconfig="contig")
        for name in ("0.tif", "1.tif"):
            (tmp_path / "in" / domain / name).write_bytes(content)
    split = converted(tmp_path / "in").split("trainA")
    given = Range((0.0,), (100.0,), are_percentiles=True, is_per_channel=True)
    with pytest.raises(InputError, match="--range-a: channel 2 has no value"):
        forms.chosen_domain(split, "a", None, given)


def test_image_without_any_value_is_refused():
    empty = np.full((24, 32), np.nan, np.float32)
    data = tiff(empty, extratags=[(42113, 2, 0, "nan", True)])
    with pytest.raises(UnreadableImage, match="all are nodata"):
        normalize(data)
    assert not read(data, Domain(1, "float32")).valid.any()  # but may be translated
    with pytest.raises(UnreadableImage, match="768 of 768 values are NaN"):
        normalize(tiff(empty))


def test_tiles_that_are_not_stored_have_no_value():
    """GDAL leaves out tiles of nodata only; of zeros, too, where there is no tag."""
    for nodata in ("-9999", str(LOWEST)):
        stored = tagged(nodata, tile=(16, 16))
        with tifffile.TiffFile(io.BytesIO(stored)) as file:
            tags = file.pages[0].tags
            places = [tags[code].valueoffset for code in (324, 325)]
        for place in places:
            stored = stored[:place] + bytes(4 * 4) + stored[place + 4 * 4 :]
        assert not read(stored, Domain(1, "float32")).valid.any()


@pytest.mark.parametrize("size", [(12, 16), (50, 70), (24, 32)])
def test_resized_values_are_means_of_those_that_are_there(size):
    image = tf.where(HOLE[..., None], np.float32(LOWEST), np.float32(250))
    valid = tf.constant(~HOLE[..., None])
    frame = Frame(*size)
    found = frames.covering_valid(image, valid, size, frame, tf.constant(7.0)).numpy()
    is_near = np.isclose(found, 250, rtol=1e-4)
    assert (is_near | (found == 7)).all()
    share = np.mean(~HOLE)
    assert abs(np.mean(is_near) - share) < 0.03


def test_dataset_counts_only_what_has_a_value(tmp_path, capsys):
    for split, count in (("trainA", 3), ("trainB", 3), ("testA", 1), ("testB", 1)):
        (tmp_path / "dem" / split).mkdir(parents=True)
        for i in range(count):
            heights = np.where(HOLE, -9999, HEIGHTS + i).astype(np.float32)
            tags = [(42113, 2, 0, "-9999", True)] * (i < 2)
            heights = heights if tags else HEIGHTS
            path = tmp_path / "dem" / split / f"{i}.tif"
            tifffile.imwrite(path, heights, extratags=tags)
    dataset = converted(tmp_path / "dem")
    domain, split = dataset.domains.a, dataset.split("trainA")
    assert domain.low in (HEIGHTS.min(), HEIGHTS[~HOLE].min()) and domain.high < 502
    chosen = forms.chosen_domain(split, "a", None, Range((0,), (100,), True))
    assert chosen == domain
    assert "0.00% of the values are outside" in capsys.readouterr().err
    images = pipeline.load_images(split, Frame(24, 32))
    assert np.allclose(images[:2, HOLE], split.domain.middle)
    assert images.min() >= domain.low and images.max() <= domain.high
    (valid,) = pipeline.valid_batches(split, Frame(24, 32), 3).as_numpy_iterator()
    np.testing.assert_array_equal(valid[:2, ..., 0], [~HOLE, ~HOLE])
    assert valid[2].all()
    assert pipeline.valid_batches(split.without([0, 1]), Frame(24, 32), 3) is None
    # What a generator makes of pixels without a value is not scored.
    evaluator = Evaluator(split, split, Frame(24, 32))
    generator = lambda x, training: tf.where(tf.abs(x) < 1e-6, 1.0, x)  # noqa: E731
    there, _ = evaluator.evaluate(dict.fromkeys(DIRECTIONS, generator))
    assert there.scores["cycle_mae"] < 1e-5 and there.scores["identity_mae"] < 1e-5


@pytest.mark.parametrize("nodata, dtype", [("0", "u1"), ("255", "u1"), ("0", "f4")])
def test_only_pixels_without_a_value_become_nodata(nodata, dtype):
    pixels = RNG.integers(0, 256, (24, 32, 1)).astype(dtype)
    pixels[20] = float(nodata)
    marked = with_nodata(pixels, ~HOLE[..., None], nodata)
    np.testing.assert_array_equal(marked == float(nodata), HOLE[..., None])
    difference = np.abs(marked.astype(float) - pixels)[~HOLE]
    assert difference.max() <= 1 and marked.dtype == pixels.dtype


def test_rasterio_agrees(tmp_path):
    rasterio = pytest.importorskip("rasterio")
    files = [tagged(x) for x in ("-9999", "nan", str(LOWEST), "-3.40282346639e+38")]
    files += [tagged("-32768", "int16"), tagged("0", "uint16"), masked()]
    for i, data in enumerate([*files, with_alpha_mask()]):
        path = tmp_path / f"{i}.tif"
        path.write_bytes(data)
        with rasterio.open(path) as file:
            expected = file.read(masked=True)
        image = normalize(data)
        picture = read(data, Domain(image.channels, image.dtype, 0, 600))
        expected = np.moveaxis(expected, 0, -1)[..., : image.channels]
        valid = np.broadcast_to(picture.valid, expected.shape)
        np.testing.assert_array_equal(valid, ~np.ma.getmaskarray(expected))
        np.testing.assert_array_equal(picture.pixels[valid], expected.compressed())

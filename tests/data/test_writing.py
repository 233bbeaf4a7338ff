import numpy as np
import pytest
import tifffile
from PIL import Image

from cyclegan_tf.common.errors import InputError
from cyclegan_tf.data.domain import Domain
from cyclegan_tf.data.images import pixels_of, read_file
from cyclegan_tf.data.writing import HOLDS, require_holds, suffix_for, write
from tests.helpers import random_pixels

RNG = np.random.default_rng(0)


def pixels_in(channels, dtype):
    values = RNG.integers(0, 65536, (24, 32, channels))
    return values.astype(dtype) if dtype != "float32" else np.float32(values / 7)


@pytest.mark.parametrize("suffix", [".png", ".tif", ".TIFF", ".npy"])
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


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_there_is_always_a_format_that_holds_it(channels, dtype):
    suffix = suffix_for(Domain(channels, dtype))
    require_holds(suffix, channels, dtype)
    assert suffix in HOLDS

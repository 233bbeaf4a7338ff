import json

import numpy as np
import pytest

from cyclegan_tf.common.errors import InputError
from cyclegan_tf.config.ranges import require_range
from cyclegan_tf.config.sizes import Frame
from cyclegan_tf.data import forms, pipeline
from cyclegan_tf.data.domain import Domain
from cyclegan_tf.data.ranges import to_unit_range, to_values
from cyclegan_tf.data.writing import write
from tests.helpers import converted


def convert(tmp_path, files):
    """Converts a folder of arrays by name below it."""
    for name, pixels in files.items():
        path = tmp_path / "photos" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        write(path, np.atleast_3d(pixels))
    return converted(tmp_path / "photos")


def pixels_of(shape, dtype, high, seed=0):
    values = np.random.default_rng(seed).uniform(0, high, shape)
    values.flat[0] = high
    return values.astype(dtype)


GREY = pixels_of((20, 24), np.uint16, 3000)
BANDS = pixels_of((20, 16, 5), np.float32, 2.5)
RGB = pixels_of((16, 40, 3), np.uint8, 255)


def test_domains_differ_and_every_value_is_kept(tmp_path):
    names = [f"trainA/{i}.png" for i in range(3)]
    files = {name: GREY + np.uint16(i) for i, name in enumerate(names)}
    files |= {"trainB/0.tif": BANDS, "trainB/1.npy": BANDS[:16] * 2}
    dataset = convert(tmp_path, files)
    written = dataset.manifest["domains"]
    assert written["a"] == {"channels": 1, "dtype": "uint16", "low": 0, "high": 4095}
    assert Domain(**written["b"]) == Domain(5, "float32", float(BANDS.min()), 5.0)
    split_a, split_b = dataset.split("trainA"), dataset.split("trainB")
    uncut = Frame(20, 24, "none")
    stored = pipeline.load_images(split_a, uncut)[..., 0]
    np.testing.assert_array_equal(stored, [files[name] for name in names])
    assert split_b.sizes.tolist() == [[20, 16], [16, 16]]
    first, second = pipeline.load_images(split_b, Frame(16, 16, "none"))
    np.testing.assert_array_equal(first, BANDS[2:18])
    np.testing.assert_array_equal(second, BANDS[:16] * 2)


def test_grey_and_rgb_together_are_rgb(tmp_path):
    grey = pixels_of((16, 16), np.uint8, 255)
    files = {"trainA/0.png": grey, "trainA/1.png": RGB, "trainB/0.png": grey}
    dataset = convert(tmp_path, files)
    assert dataset.domains == (Domain(), Domain(1))
    image = pipeline.load_images(dataset.split("trainA"), Frame(16, 16))[0]
    np.testing.assert_array_equal(image, np.stack([grey] * 3, axis=-1))


@pytest.mark.parametrize(
    "images, problem",
    [
        (
            {"0.png": RGB, "1.png": GREY},
            r"domain A must .* uint16 with 1 channel .trainA.1.png",
        ),
        ({"0.tif": BANDS, "1.tif": BANDS[..., :4]}, "float32 with 4 channels"),
        ({"0.tif": BANDS * 0 + 3}, "all values in the images of domain A are 3"),
    ],
)
def test_what_cannot_be_one_domain_is_refused_and_leaves_nothing(
    tmp_path, images, problem
):
    files = {f"trainA/{name}": pixels for name, pixels in images.items()}
    with pytest.raises(InputError, match=problem):
        convert(tmp_path, files | {"trainB/0.png": RGB})
    assert [p.name for p in (tmp_path / "tfrecords").iterdir()] == [".photos.lock"]


@pytest.mark.parametrize(
    "high, holds", [(1023, 1023), (1024, 4095), (9000, 16383), (16384, 65535)]
)
def test_range_of_16_bits_is_the_smallest_that_holds_all(high, holds):
    assert forms.default_domain("A", (1, "uint16"), 0, high).high == holds


@pytest.fixture
def split(tmp_path):
    values = np.arange(400, dtype=np.uint16).reshape(20, 20)
    files = {"trainA/0.png": values, "trainB/0.png": RGB}
    return convert(tmp_path, files).split("trainA")


def test_given_range_is_said_with_what_it_clips(split, capsys):
    chosen = forms.chosen_domain(split, "a", None, require_range("--range-a", "0,299"))
    assert chosen == Domain(1, "uint16", 0, 299)
    said = "domain A: 0 to 299 become -1 to 1, and 25.00% of the values are outside"
    assert said in capsys.readouterr().err
    chosen = forms.chosen_domain(split, "a", 3, require_range("--range-a", "p5,p95"))
    assert chosen == Domain(3, "uint16", *np.percentile(np.arange(400), [5, 95]))
    assert "10.00% of the values are outside" in capsys.readouterr().err


@pytest.fixture(scope="module")
def bands(tmp_path_factory):
    """Two channels in one file, of 0 to 60000 and of 100 to 900."""
    values = np.arange(400, dtype=float).reshape(20, 20) / 399
    image = np.stack([values * 60000, 100 + values[::-1] * 800], -1).astype(np.uint16)
    files = {"trainA/0.npy": image, "trainB/0.png": RGB}
    dataset = convert(tmp_path_factory.mktemp("bands"), files)
    return dataset.split("trainA"), image.reshape(-1, 2)


@pytest.mark.parametrize(
    "given, bounds",
    [
        ("per-channel", [(0, 100), (60000, 900)]),
        ("per-channel,p5,p90", "p5,p90"),
        ("p5,p90,p0,p100", [None, 100, None, 900]),
        ("0,50000,200,800", [(0, 200), (50000, 800)]),
    ],
)
def test_each_channel_has_a_range_of_its_own(bands, capsys, given, bounds):
    split, values = bands
    chosen = forms.chosen_domain(split, "a", None, require_range("--range-a", given))
    if bounds == "p5,p90":
        bounds = np.percentile(values, [5, 90], axis=0)
    elif None in bounds:
        bounds[::2] = np.percentile(values[:, 0], [5, 90])
        bounds = np.reshape(bounds, (2, 2))
    assert chosen == Domain(2, "uint16", *map(tuple, np.array(bounds, float).tolist()))
    assert Domain(**json.loads(json.dumps(chosen.form()))) == chosen
    said = capsys.readouterr().err
    assert f"domain A: {chosen.range_text} become -1 to 1, and " in said
    if given == "per-channel":
        assert chosen.range_text == "0 to 60000, 100 to 900"
        assert "0.00% of the values" in said
        # Either fills what the networks see.
        units = to_unit_range(values[None, None], chosen).numpy()
        assert units.min((0, 1, 2)).tolist() == [-1, -1]
        assert units.max((0, 1, 2)).tolist() == [1, 1]
        np.testing.assert_array_equal(to_values(units, chosen)[0, 0], values)
        assert chosen.middle.tolist() == [30000, 500]


@pytest.mark.parametrize(
    "dtype, low, high, values",
    [
        ("uint8", 0, 256, [0, 64, 255, 255]),
        ("uint16", -1, 65536, [0, 16383, 65208, 65535]),
    ],
)
def test_range_beyond_the_type_ends_where_the_type_does(dtype, low, high, values):
    floats = np.float32([-1, -0.5, 0.99, 1])
    found = to_values(floats, Domain(1, dtype, low, high)).numpy()
    np.testing.assert_array_equal(found, np.array(values, dtype), strict=True)


def test_ranges_of_another_number_of_channels_are_refused(bands):
    given = require_range("--range-a", "0,1,0,1,0,1")
    with pytest.raises(InputError, match="--range-a gives ranges of 3 channels; .* 2"):
        forms.chosen_domain(bands[0], "a", None, given)
    with pytest.raises(ValueError, match="ranges of 2 of 3 channels"):
        Domain(3, "uint16", (0, 1), (2, 3))


def test_bands_cannot_become_grey(tmp_path):
    dataset = convert(tmp_path, {"trainA/0.tif": BANDS, "trainB/0.png": RGB})
    with pytest.raises(InputError, match="--channels-a 1: .* float32 with 5 channels"):
        forms.chosen_domain(dataset.split("trainA"), "a", 1, None)


def test_stretched_and_small_images_are_counted(split, capsys):
    forms.tell_of_sizes(split, Frame(16, 32))
    assert "1 of 1 images are stretched by more than a tenth, up to 2.0 times" in (
        capsys.readouterr().err
    )
    forms.tell_of_sizes(split, Frame(32, 32, "none"))
    assert "1 of 1 images are mirrored up to 32" in capsys.readouterr().err
    for frame in (Frame(16, 16), Frame(16, 32, "fit"), Frame(16, 16, "none")):
        forms.tell_of_sizes(split, frame)
    assert not capsys.readouterr().err

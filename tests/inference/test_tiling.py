import keras
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

import cyclegan_tf
from cyclegan_tf.data.domain import Domain, Domains
from cyclegan_tf.data.images import UnreadableImage
from cyclegan_tf.inference import tiling
from cyclegan_tf.inference.pixels import translate_all
from cyclegan_tf.inference.tiling import translate_in_stripes
from cyclegan_tf.model.mobile import build_mobile_generator
from cyclegan_tf.model.networks import InstanceNormalization, build_generator
from tests.helpers import random_pixels, run_here, tiny_config, write_run

DOMAINS = Domains()
ONE_ROW, SOME_ROWS, ALL_ROWS = 1, 3000, 2**26


def generator_of(kind="resnet", **options):
    """A generator whose random weights make a picture full of contrast."""
    keras.utils.set_random_seed(0)
    if kind == "mobile":
        generator = build_mobile_generator(16, 2)
    else:
        generator = build_generator(4, 2, **options)
    for variable in generator.variables:
        if "kernel" in variable.path:
            variable.assign(variable * 5)
        if "scale" in variable.path or "offset" in variable.path:
            variable.assign_add(keras.random.normal(variable.shape, stddev=0.2, seed=1))
    return generator


@pytest.fixture(scope="module")
def run_dir(tmp_path_factory):
    folder = tmp_path_factory.mktemp("stripes")
    config = tiny_config(folder, filters=4, residual_blocks=2)
    return write_run(config, {"a_to_b": generator_of()}, step=None)


@pytest.mark.parametrize(
    "size, stripe_bytes",
    [
        ((16, 16), ONE_ROW),
        ((17, 33), ONE_ROW),
        ((101, 66), SOME_ROWS),
        ((17, 33), ALL_ROWS),
    ],
)
@pytest.mark.parametrize(
    "options",
    [{}]
    + [{"norm": "plain"}, {"upsampling": "resize"}]
    + [{"has_attention": True}, {"kind": "mobile"}],
    ids=str,
)
def test_stripes_equal_the_whole(tmp_path, options, size, stripe_bytes):
    generator = generator_of(**options)
    image = np.random.default_rng(0).integers(0, 256, (*size, 3), np.uint8)
    whole = translate_all(generator, image[None], *DOMAINS)[0].astype(int)
    assert whole.std() > 30
    striped = translate_in_stripes(generator, image, *DOMAINS, tmp_path, stripe_bytes)
    assert striped.shape == image.shape and striped.dtype == np.uint8
    assert np.abs(striped - whole).max() <= 1
    assert not list(tmp_path.iterdir())


def test_stripes_of_other_channels_and_types_equal_the_whole(tmp_path):
    domains = Domain(5, "float32", -3, 7), Domain(1, "uint16", 0, 4095)
    generator = generator_of(channels=5, out_channels=1)
    image = np.random.default_rng(0).uniform(-4, 8, (33, 45, 5)).astype(np.float32)
    whole = translate_all(generator, image[None], *domains)[0].astype(int)
    assert whole.std() > 300
    striped = translate_in_stripes(generator, image, *domains, tmp_path, SOME_ROWS)
    assert striped.shape == (33, 45, 1) and striped.dtype == np.uint16
    assert np.abs(striped - whole).max() <= 1


def test_normalization_takes_the_moments_of_all_stripes(tmp_path):
    rng = np.random.default_rng(0)
    x = (1000 + rng.normal(size=(50, 20, 3)) * [0.1, 1, 10]).astype(np.float32)
    rows = tiling._Rows(50, 20, 3, lambda start, stop: tf.constant(x[start:stop]))
    layer = InstanceNormalization(affine=False)
    scratch = tiling._Scratch(tmp_path, num_rows=7)
    normalized = tiling._normalized(rows, layer, scratch).read(0, 50)
    exact = x.astype(float)
    exact = (exact - exact.mean((0, 1))) / np.sqrt(exact.var((0, 1)) + layer.epsilon)
    np.testing.assert_allclose(normalized, exact, atol=1e-3)


def test_no_scratch_space_is_said_before_the_start(tmp_path, monkeypatch):
    usage = tiling.shutil._ntuple_diskusage(10**6, 10**6 - 5000, 5000)
    monkeypatch.setattr(tiling.shutil, "disk_usage", lambda folder: usage)
    with pytest.raises(UnreadableImage, match=r"0\.0 GB of scratch space"):
        translate_in_stripes(generator_of(), random_pixels(64, 64), *DOMAINS, tmp_path)


def test_unknown_layer_is_named(tmp_path):
    inputs = keras.Input((None, None, 3))
    x = keras.layers.Conv2D(2, 1, name="stem")(inputs)
    x = keras.layers.MaxPool2D(name="pool")(x)
    model, image = keras.Model(inputs, x), random_pixels(16, 16)
    with pytest.raises(TypeError, match="MaxPooling2D 'pool' cannot go by stripes"):
        translate_in_stripes(model, image, *DOMAINS, tmp_path)


def test_loaded_function_takes_several_pictures(run_dir, tmp_path):
    pictures = np.stack([random_pixels(20, 24, seed) for seed in range(2)])
    whole = cyclegan_tf.load(run_dir)(pictures).astype(int)
    tiled = cyclegan_tf.load(run_dir, scratch_dir=tmp_path / "new")(pictures)
    assert np.abs(tiled - whole).max() <= 1


def test_full_disk_ends_in_an_error_and_no_file(run_dir, tmp_path, monkeypatch):
    # /dev/full takes no byte.
    monkeypatch.setattr(
        tiling.tempfile, "TemporaryFile", lambda dir: open("/dev/full", "wb")
    )
    with pytest.raises(OSError, match="No space left"):
        cyclegan_tf.load(run_dir, scratch_dir=tmp_path)(random_pixels(20, 20))
    assert not list(tmp_path.iterdir())


def test_command_translates_in_bounded_memory(run_dir, tmp_path, capsys):
    Image.fromarray(random_pixels(90, 50)).save(tmp_path / "in.png")
    for arguments in (["whole.png"], ["tiled.png", "--tile"]):
        output, *options = arguments
        done = run_here(
            *(capsys, "translate", "--model", run_dir),
            *(tmp_path / "in.png", tmp_path / output, *options),
        )
        assert done.returncode == 0, done.stderr
    whole, tiled = (
        np.asarray(Image.open(tmp_path / name)).astype(int)
        for name in ("whole.png", "tiled.png")
    )
    assert np.abs(whole - tiled).max() <= 1
    left = sorted(path.name for path in tmp_path.iterdir())
    assert left == ["in.png", "tiled.png", "whole.png"]

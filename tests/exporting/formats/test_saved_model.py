import io
import sys

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image
from tensorflow.python.tools import saved_model_cli

from cyclegan_tf.config import ExportConfig
from cyclegan_tf.data.domain import Domains
from cyclegan_tf.data.images import encode
from cyclegan_tf.exporting.formats import saved_model
from cyclegan_tf.runs import generators
from tests.helpers import random_pixels

DIRECTIONS = ("a_to_b", "b_to_a")


def run_cli(monkeypatch, *arguments):
    """TensorFlow's tool, without a process of its own, which would take seconds."""
    monkeypatch.setattr(sys, "argv", ["saved_model_cli", *map(str, arguments)])
    with pytest.raises(SystemExit) as end:
        saved_model_cli.main()
    assert not end.value.code


@pytest.mark.parametrize("direction", DIRECTIONS)
def test_bytes_of_different_sizes_equal_their_pixels(signatures, direction):
    pictures = [random_pixels(24, 32), random_pixels(17, 50), random_pixels(64, 16)]
    encoded = tf.constant([encode(picture).encoded for picture in pictures])
    outputs = signatures[f"{direction}_bytes"](image_bytes=encoded)
    outputs = outputs["translated_bytes"].numpy()
    for picture, output in zip(pictures, outputs, strict=True):
        expected = signatures[direction](images=picture[None])["translated"][0]
        assert Image.open(io.BytesIO(output)).format == "PNG"
        np.testing.assert_array_equal(Image.open(io.BytesIO(output)), expected)


@pytest.mark.parametrize("size", [(16, 16), (17, 30), (63, 18)])
def test_any_size_from_16_pixels_keeps_its_size(signatures, size):
    images = tf.constant(random_pixels(*size)[None])
    outputs = signatures["serving_default"](images=images)
    assert outputs["translated"].shape == (1, *size, 3)


@pytest.mark.parametrize(
    "shape", [(1, 15, 40, 3), (1, 0, 0, 3), (0, 32, 32, 3), (2, 1500, 1500, 3)]
)
def test_images_too_few_too_small_or_too_large_are_refused(signatures, shape):
    images = tf.zeros(shape, tf.uint8)
    with pytest.raises(tf.errors.InvalidArgumentError, match="at least 16 x 16"):
        signatures["a_to_b"](images=images)


def test_directions_are_not_mixed_up(signatures):
    images = tf.constant(random_pixels(24, 32)[None])
    both = [signatures[name](images=images)["translated"] for name in DIRECTIONS]
    assert np.any(both[0] != both[1])
    default = signatures["serving_default"](images=images)["translated"]
    np.testing.assert_array_equal(default, both[0])


def test_run_of_one_direction_has_that_one_only(run_dir, tmp_path):
    generator = generators.load_generators(run_dir)["b_to_a"]
    saved_model.write({"b_to_a": generator}, Domains(), tmp_path, ExportConfig())
    signatures = tf.saved_model.load(str(tmp_path)).signatures
    assert set(signatures) == {"b_to_a", "b_to_a_bytes", "serving_default"}


def test_saved_model_cli_shows_the_signatures(exports, monkeypatch, capsys):
    run_cli(monkeypatch, "show", "--dir", exports[1] / "1", "--all")
    shown = capsys.readouterr().out
    for name in ("serving_default", *DIRECTIONS, "a_to_b_bytes", "b_to_a_bytes"):
        assert f"signature_def['{name}']" in shown
    assert "DT_UINT8" in shown and "DT_STRING" in shown


@pytest.mark.parametrize("kind", ["images", "image_bytes"])
def test_saved_model_cli_runs_pixels_and_bytes(
    exports, signatures, tmp_path, monkeypatch, kind
):
    picture = random_pixels(20, 24)
    files = np.array([encode(picture).encoded])
    np.save(tmp_path / "in.npy", picture[None] if kind == "images" else files)
    signature = "b_to_a" if kind == "images" else "b_to_a_bytes"  # not the default
    run_cli(
        *(monkeypatch, "run", "--dir", exports[1] / "1", "--tag_set", "serve"),
        *("--signature_def", signature, "--inputs", f"{kind}={tmp_path / 'in.npy'}"),
        *("--outdir", tmp_path / "out"),
    )
    (path,) = (tmp_path / "out").iterdir()
    # The tool saves strings as objects; the file is our own.
    (got,) = np.load(path, allow_pickle=True)
    if kind == "image_bytes":
        got = np.asarray(Image.open(io.BytesIO(got)))
    expected = signatures["b_to_a"](images=tf.constant(picture[None]))["translated"]
    np.testing.assert_array_equal(got, expected[0])

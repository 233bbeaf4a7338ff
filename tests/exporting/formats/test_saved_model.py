import io
import re
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from cyclegan_tf.data.domain import Domains
from cyclegan_tf.data.images import encode
from cyclegan_tf.inference.pixels import translate_all
from cyclegan_tf.runs import generators
from tests.helpers import random_pixels

DIRECTIONS = ("a_to_b", "b_to_a")


def saved_model_cli(*arguments):
    cli = re.sub(r"python[\d.]*$", "saved_model_cli", sys.executable)
    return subprocess.run(
        [cli, *map(str, arguments)], capture_output=True, text=True, timeout=300
    )


@pytest.mark.parametrize("direction", DIRECTIONS)
def test_saved_model_equals_keras(run_dir, signatures, direction):
    images = np.stack([random_pixels(24, 32, seed) for seed in range(2)])
    translated = signatures[direction](images=tf.constant(images))["translated"]
    generator = generators.load_generators(run_dir)[direction]
    expected = translate_all(generator, images, *Domains())
    assert translated.dtype == tf.uint8
    assert np.abs(translated.numpy().astype(int) - expected).max() <= 1


@pytest.mark.parametrize("direction", DIRECTIONS)
def test_bytes_of_different_sizes_equal_their_pixels(signatures, direction):
    pictures = [random_pixels(24, 32), random_pixels(17, 50), random_pixels(64, 16)]
    encoded = tf.constant([encode(picture).encoded for picture in pictures])
    outputs = signatures[f"{direction}_bytes"](image_bytes=encoded)
    for picture, output in zip(
        pictures, outputs["translated_bytes"].numpy(), strict=True
    ):
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


def test_saved_model_cli_shows_the_signatures(exports):
    done = saved_model_cli("show", "--dir", exports[1] / "1", "--all")
    assert done.returncode == 0, done.stderr
    for name in ("serving_default", *DIRECTIONS, "a_to_b_bytes", "b_to_a_bytes"):
        assert f"signature_def['{name}']" in done.stdout
    assert "DT_UINT8" in done.stdout and "DT_STRING" in done.stdout


def test_saved_model_cli_runs_pixels_and_bytes(exports, tmp_path):
    direction = "b_to_a"  # the other one is the default
    picture = random_pixels(20, 24)
    np.save(tmp_path / "images.npy", picture[None])
    np.save(tmp_path / "bytes.npy", np.array([encode(picture).encoded]))
    outputs = []
    for signature, value in (
        (direction, "images=images.npy"),
        (f"{direction}_bytes", "image_bytes=bytes.npy"),
    ):
        key, file = value.split("=")
        done = saved_model_cli(
            *("run", "--dir", exports[1] / "1", "--tag_set", "serve"),
            *("--signature_def", signature, "--inputs", f"{key}={tmp_path / file}"),
            *("--outdir", tmp_path / signature),
        )
        assert done.returncode == 0, done.stderr
        (path,) = (tmp_path / signature).iterdir()
        # The tool saves strings as objects; the file is our own.
        outputs.append(np.load(path, allow_pickle=True))
    decoded = Image.open(io.BytesIO(outputs[1][0]))
    np.testing.assert_array_equal(np.asarray(decoded), outputs[0][0])

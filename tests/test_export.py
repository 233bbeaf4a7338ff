import re
import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf

from cyclegan_tf import serving
from cyclegan_tf.translation import translate
from tests.helpers import assert_one_line_error, random_pixels, run_script, tiny_model


@pytest.fixture(scope="module")
def run_dir(tmp_path_factory):
    """A run directory with models, and nothing else."""
    path = tmp_path_factory.mktemp("exported") / "run"
    (path / "model").mkdir(parents=True)
    model = tiny_model()
    model.gen_ab.save(path / "model" / "gen_ab.keras")
    model.gen_ba.save(path / "model" / "gen_ba.keras")
    return path


@pytest.fixture(scope="module")
def saved_model(run_dir, tmp_path_factory):
    output = tmp_path_factory.mktemp("exports")
    return serving.export_saved_model(serving.load_generators(run_dir), output)


@pytest.mark.parametrize("direction", ["a_to_b", "b_to_a"])
def test_saved_model_equals_keras(run_dir, saved_model, direction):
    images = np.stack([random_pixels(24, 32, seed) for seed in range(2)])
    signature = tf.saved_model.load(str(saved_model)).signatures[direction]
    translated = signature(images=tf.constant(images))["translated"].numpy()
    expected = translate(serving.load_generators(run_dir)[direction], images)
    assert translated.dtype == np.uint8
    assert np.abs(translated.astype(int) - expected).max() <= 1


@pytest.mark.parametrize("size", [(16, 16), (17, 30), (63, 18)])
def test_any_size_from_16_pixels_keeps_its_size(saved_model, size):
    signature = tf.saved_model.load(str(saved_model)).signatures["serving_default"]
    images = tf.constant(random_pixels(*size)[None])
    assert signature(images=images)["translated"].shape == (1, *size, 3)


def test_export_script_writes_the_next_version(run_dir, tmp_path):
    for version in ("1", "2"):
        done = run_script("export.py", "--run-dir", run_dir, "--output", tmp_path)
        assert done.returncode == 0, done.stderr
        assert (tmp_path / version / "saved_model.pb").is_file()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["1", "2"]


def test_saved_model_cli_shows_the_signatures(saved_model):
    cli = re.sub(r"python[\d.]*$", "saved_model_cli", sys.executable)
    done = subprocess.run(
        [cli, "show", "--dir", str(saved_model), "--all"],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    for name in ("serving_default", "a_to_b", "b_to_a"):
        assert f"signature_def['{name}']" in done.stdout
    assert "DT_UINT8" in done.stdout


def test_run_without_a_model_is_refused(tmp_path):
    done = run_script("export.py", "--run-dir", tmp_path, "--output", tmp_path / "out")
    assert_one_line_error(done, "gen_ab.keras is missing")
    assert not (tmp_path / "out").exists()


def test_damaged_model_is_named(run_dir, tmp_path):
    (tmp_path / "model").mkdir()
    for name in ("gen_ab.keras", "gen_ba.keras"):
        content = (run_dir / "model" / name).read_bytes()
        (tmp_path / "model" / name).write_bytes(content[: len(content) // 2])
    done = run_script("export.py", "--run-dir", tmp_path, "--output", tmp_path / "out")
    assert_one_line_error(done, "gen_ab.keras")


def test_loaded_generators_are_keras_models(run_dir):
    generators = serving.load_generators(run_dir)
    assert all(isinstance(model, keras.Model) for model in generators.values())

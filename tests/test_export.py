import re
import shutil
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf

from cyclegan_tf import generators, serving
from cyclegan_tf.errors import InputError
from cyclegan_tf.translation import translate
from tests.helpers import assert_one_line_error, random_pixels, run_script, tiny_model


@pytest.fixture(scope="module")
def run_dir(tmp_path_factory):
    """A run directory with models, and nothing else."""
    path = tmp_path_factory.mktemp("exported") / "run"
    model = tiny_model()
    trained = {"a_to_b": model.gen_ab, "b_to_a": model.gen_ba}
    generators.save_generators(path, trained, {"step": 0})
    return path


@pytest.fixture(scope="module")
def saved_model(run_dir, tmp_path_factory):
    output = tmp_path_factory.mktemp("exports")
    return serving.export_saved_model(generators.load_generators(run_dir), output)


@pytest.mark.parametrize("direction", ["a_to_b", "b_to_a"])
def test_saved_model_equals_keras(run_dir, saved_model, direction):
    images = np.stack([random_pixels(24, 32, seed) for seed in range(2)])
    signature = tf.saved_model.load(str(saved_model)).signatures[direction]
    translated = signature(images=tf.constant(images))["translated"].numpy()
    expected = translate(generators.load_generators(run_dir)[direction], images)
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
    (tmp_path / "config.json").touch()
    done = run_script("export.py", "--run-dir", tmp_path, "--output", tmp_path / "out")
    assert_one_line_error(done, tmp_path, "no trained model yet")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "name, problem", [("none", "no such run"), (".", "not the directory of a run")]
)
def test_foreign_directory_is_refused(tmp_path, name, problem):
    with pytest.raises(InputError, match=problem):
        generators.load_generators(tmp_path / name)


def test_damaged_model_is_named(run_dir, tmp_path):
    shutil.copytree(run_dir / "model", tmp_path / "model")
    path = tmp_path / "model" / "gen_ba.keras"
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    done = run_script("export.py", "--run-dir", tmp_path, "--output", tmp_path / "out")
    assert_one_line_error(done, path)


def test_run_with_one_direction_loads_that_one(run_dir, tmp_path):
    loaded = generators.load_generators(run_dir)
    generators.save_generators(tmp_path, {"b_to_a": loaded["b_to_a"]}, {})
    assert list(generators.load_generators(tmp_path)) == ["b_to_a"]

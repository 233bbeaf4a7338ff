import io
import json
import re
import shutil
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from cyclegan_tf.common.errors import InputError
from cyclegan_tf.config import ExportConfig
from cyclegan_tf.data.images import encode_png
from cyclegan_tf.export import exporter, portable, saved_model, verify
from cyclegan_tf.inference.pixels import translate_all
from cyclegan_tf.runs import checkpoint, generators
from cyclegan_tf.runs import directory as run_directory
from tests.helpers import (
    assert_one_line_error,
    command,
    random_pixels,
    run_script,
    tiny_config,
    tiny_model,
)

DIRECTIONS = ("a_to_b", "b_to_a")


def save_run(path, tiny_data_dir, directions=DIRECTIONS):
    """A run directory with options and models, as far as an export needs it."""
    model = tiny_model()
    trained = {"a_to_b": model.gen_ab, "b_to_a": model.gen_ba}
    trained = {direction: trained[direction] for direction in directions}
    config = tiny_config(path, data_dir=str(tiny_data_dir))
    run_id = run_directory.write_config(path, config, "fingerprint")
    generators.save_generators(path, trained, {"step": 0}, run_id)
    return path


@pytest.fixture(scope="module")
def run_dir(tmp_path_factory, tiny_data_dir):
    return save_run(tmp_path_factory.mktemp("exported") / "run", tiny_data_dir)


@pytest.fixture(scope="module")
def exports(run_dir, tmp_path_factory):
    """What the script printed for all three formats, and the directory it wrote."""
    output = tmp_path_factory.mktemp("exports") / "named"
    done = run_script(
        *("export.py", "--run-dir", run_dir, "--output", output),
        *("--format", "savedmodel,onnx,litert"),
    )
    assert done.returncode == 0, done.stderr
    return done, output


@pytest.fixture(scope="module")
def signatures(exports):
    return tf.saved_model.load(str(exports[1] / "1")).signatures


def saved_model_cli(*arguments):
    cli = re.sub(r"python[\d.]*$", "saved_model_cli", sys.executable)
    return subprocess.run(
        [cli, *map(str, arguments)], capture_output=True, text=True, timeout=300
    )


@pytest.mark.parametrize("direction", DIRECTIONS)
def test_saved_model_equals_keras(run_dir, signatures, direction):
    images = np.stack([random_pixels(24, 32, seed) for seed in range(2)])
    translated = signatures[direction](images=tf.constant(images))["translated"]
    expected = translate_all(generators.load_generators(run_dir)[direction], images)
    assert translated.dtype == tf.uint8
    assert np.abs(translated.numpy().astype(int) - expected).max() <= 1


@pytest.mark.parametrize("direction", DIRECTIONS)
def test_bytes_of_different_sizes_equal_their_pixels(signatures, direction):
    pictures = [random_pixels(24, 32), random_pixels(17, 50), random_pixels(64, 16)]
    encoded = tf.constant([encode_png(picture).encoded for picture in pictures])
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


def test_padding_mirrors_without_the_border():
    images = np.arange(2 * 5 * 6 * 3, dtype=np.uint8).reshape(2, 5, 6, 3)
    padded = saved_model._mirrored(saved_model._mirrored(tf.constant(images), 1), 2)
    expected = np.pad(images, ((0, 0), (0, 3), (0, 2), (0, 0)), mode="reflect")
    np.testing.assert_array_equal(padded, expected)


def test_script_prints_the_differences_and_commands(exports):
    stdout = exports[0].stdout
    for signature in (*DIRECTIONS, "a_to_b_bytes", "b_to_a_bytes"):
        assert re.search(rf"{signature} +[01] +0\.\d+ +\d+", stdout)
    assert "saved_model_cli show --dir" in stdout
    assert "saved_model_cli run --dir" in stdout
    assert "test images of synthetic/horse2zebra" in exports[0].stderr


def test_saved_model_has_a_card_and_warm_up_requests(exports):
    from tensorflow_serving.apis import prediction_log_pb2

    extra = exports[1] / "1" / "assets.extra"
    card = (extra / "MODEL_CARD.md").read_text(encoding="utf-8")
    assert "synthetic/horse2zebra" in card and "MIT licence" in card
    options = json.loads((extra / "options.json").read_text(encoding="utf-8"))
    assert options["filters"] == 2
    assert "run_dir" not in options and "data_dir" not in options
    path = str(extra / "tf_serving_warmup_requests")
    requests = [
        prediction_log_pb2.PredictionLog.FromString(record.numpy()).predict_log.request
        for record in tf.data.TFRecordDataset(path)
    ]
    named = {request.model_spec.signature_name: request for request in requests}
    assert set(named) == {*DIRECTIONS, "a_to_b_bytes", "b_to_a_bytes"}
    images = tf.make_ndarray(named["a_to_b"].inputs["images"])
    assert images.shape == (1, 32, 32, 3) and images.dtype == np.uint8


def test_second_export_is_the_next_version(run_dir, exports, tmp_path):
    for number in (1, 2):
        config = ExportConfig(run_dir=str(run_dir), output=str(tmp_path / "out"))
        (exported,) = exporter.export(config)
        assert exported.directory == tmp_path / "out" / str(number)
    assert {p.name for p in (tmp_path / "out").iterdir()} == {"1", "2", ".lock"}


def test_two_exports_at_once_are_two_versions(run_dir, exports, tmp_path):
    arguments = ("--run-dir", run_dir, "--output", tmp_path / "out")
    with subprocess.Popen(command("export.py", *arguments)) as other:
        exporting_here = ExportConfig(str(run_dir), str(tmp_path / "out"))
        list(exporter.export(exporting_here))
        assert other.wait(120) == 0
    assert {p.name for p in (tmp_path / "out").iterdir()} == {"1", "2", ".lock"}
    for version in "12":
        loaded = tf.saved_model.load(str(tmp_path / "out" / version))
        assert set(DIRECTIONS) < set(loaded.signatures)


def test_remains_of_a_killed_export_are_removed(run_dir, tmp_path):
    (tmp_path / "out" / ".partial-1" / "half").mkdir(parents=True)
    (exported,) = exporter.export(ExportConfig(str(run_dir), str(tmp_path / "out")))
    assert not (exported.directory / "half").exists()
    assert {p.name for p in (tmp_path / "out").iterdir()} == {"1", ".lock"}


@pytest.mark.parametrize("file_format", ["onnx", "litert"])
def test_portable_files_lie_in_versions_of_their_own(exports, file_format):
    suffix = {"onnx": "onnx", "litert": "tflite"}[file_format]
    names = {path.name for path in (exports[1] / file_format / "1").iterdir()}
    assert {f"a_to_b.{suffix}", f"b_to_a.{suffix}", "MODEL_CARD.md"} <= names


@pytest.mark.parametrize(
    "file_format, precision",
    [("savedmodel", "bfloat16"), ("savedmodel", "float16"), ("onnx", "float16")],
)
def test_half_precision_computes_otherwise_and_is_verified(
    run_dir, exports, tmp_path, monkeypatch, file_format, precision
):
    # Random weights amplify a rounding a little more than trained ones do.
    monkeypatch.setitem(verify.BOUNDS, "bfloat16", (24, 2.0))
    config = ExportConfig(
        str(run_dir), str(tmp_path), format=file_format, precision=precision
    )
    (exported,) = exporter.export(config)
    assert max(row.max_difference for row in exported.comparisons) > 0


def test_half_precision_beyond_the_bound_is_refused(run_dir, tmp_path, monkeypatch):
    monkeypatch.setitem(verify.BOUNDS, "bfloat16", (0, 0.0))
    output = tmp_path / "new" / "out"
    config = ExportConfig(str(run_dir), str(output), precision="bfloat16")
    with pytest.raises(InputError, match="bfloat16 differs from the Keras model"):
        list(exporter.export(config))
    assert not output.parent.exists()


def test_wrong_model_is_not_kept(run_dir, tmp_path, monkeypatch):
    def swap(models, directory, max_pixels):
        swapped = dict(zip(models, reversed(models.values()), strict=True))
        write(swapped, directory, max_pixels)

    write = saved_model.write_saved_model
    monkeypatch.setattr(saved_model, "write_saved_model", swap)
    config = ExportConfig(str(run_dir), str(tmp_path / "out"))
    with pytest.raises(InputError, match="a_to_b in float32 differs"):
        list(exporter.export(config))
    assert not (tmp_path / "out").exists()


def test_missing_library_is_named(monkeypatch):
    monkeypatch.setitem(portable.NEEDED, "onnx", (("no_such_module", "its-package"),))
    with pytest.raises(InputError, match="--format onnx needs its-package"):
        portable.require_libraries("onnx")


def test_run_with_one_direction_exports_that_one(tmp_path, tiny_data_dir):
    run_dir = save_run(tmp_path / "run", tiny_data_dir, ["b_to_a"])
    (exported,) = exporter.export(ExportConfig(str(run_dir), str(tmp_path / "out")))
    signatures = tf.saved_model.load(str(exported.directory)).signatures
    assert set(signatures) == {"b_to_a", "b_to_a_bytes", "serving_default"}


def test_saved_model_cli_shows_the_signatures(exports):
    done = saved_model_cli("show", "--dir", exports[1] / "1", "--all")
    assert done.returncode == 0, done.stderr
    for name in ("serving_default", *DIRECTIONS, "a_to_b_bytes", "b_to_a_bytes"):
        assert f"signature_def['{name}']" in done.stdout
    assert "DT_UINT8" in done.stdout and "DT_STRING" in done.stdout


@pytest.mark.parametrize("direction", DIRECTIONS)
def test_saved_model_cli_runs_pixels_and_bytes(exports, tmp_path, direction):
    picture = random_pixels(20, 24)
    np.save(tmp_path / "images.npy", picture[None])
    np.save(tmp_path / "bytes.npy", np.array([encode_png(picture).encoded]))
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


def test_best_checkpoint_is_exported_with_its_score(run_dir, tmp_path):
    path = shutil.copytree(run_dir, tmp_path / "run")
    model = tiny_model(seed=1)
    about = {"step": 7, "best_by": "swd", "value": 123.25}
    run_id = run_directory.run_id_of(path)
    checkpoint.save_best(model, path / "checkpoints", about, run_id)
    config = ExportConfig(str(path), str(tmp_path / "out"), checkpoint="best")
    (exported,) = exporter.export(config)
    images = random_pixels(24, 32)[None]
    function = tf.saved_model.load(str(exported.directory)).signatures["a_to_b"]
    translated = function(images=tf.constant(images))["translated"].numpy()
    expected = translate_all(model.gen_ab, images)
    assert np.abs(translated.astype(int) - expected).max() <= 1
    card = (exported.directory / "assets.extra" / "MODEL_CARD.md").read_text()
    assert "trained for\n7 steps" in card and "123.25" in card


def test_checkpoint_that_is_not_there_is_not_exported(run_dir, tmp_path):
    config = ExportConfig(str(run_dir), str(tmp_path / "out"), checkpoint="best")
    with pytest.raises(InputError, match="--checkpoint best: .* no such checkpoint"):
        list(exporter.export(config))
    assert not (tmp_path / "out").exists()


def test_damaged_scores_are_named(run_dir, tmp_path):
    shutil.copytree(run_dir, tmp_path / "run")
    (tmp_path / "run" / "scores.json").write_text("{")
    config = ExportConfig(str(tmp_path / "run"), str(tmp_path / "out"))
    with pytest.raises(InputError, match=r"scores\.json is damaged"):
        list(exporter.export(config))
    assert not (tmp_path / "out").exists()


def test_damaged_model_is_named(run_dir, tmp_path):
    shutil.copytree(run_dir, tmp_path, dirs_exist_ok=True)
    path = tmp_path / "model" / "gen_ba.keras"
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    done = run_script("export.py", "--run-dir", tmp_path, "--output", tmp_path / "out")
    assert_one_line_error(done, path)


def test_run_with_one_direction_loads_that_one(run_dir, tmp_path):
    loaded = generators.load_generators(run_dir)
    generators.save_generators(tmp_path, {"b_to_a": loaded["b_to_a"]}, {})
    assert list(generators.load_generators(tmp_path)) == ["b_to_a"]

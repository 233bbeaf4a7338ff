import dataclasses
import importlib.util
import re
import shutil
import subprocess

import numpy as np
import pytest
import tensorflow as tf

from cyclegan_tf.common.errors import InputError
from cyclegan_tf.config import ExportConfig
from cyclegan_tf.data.domain import Domains
from cyclegan_tf.exporting import exporter, graph_decoding, run_images, verify
from cyclegan_tf.exporting.formats import saved_model
from cyclegan_tf.inference.pixels import translate_all
from cyclegan_tf.runs import checkpoint, generators
from cyclegan_tf.runs import directory as run_directory
from cyclegan_tf.runs.run_dir import RunDir
from tests.helpers import (
    assert_one_line_error,
    command,
    random_pixels,
    run_here,
    tiny_config,
    tiny_model,
)

DIRECTIONS = ("a_to_b", "b_to_a")


def test_script_prints_the_differences_and_commands(exports):
    stdout = exports[0].stdout
    for signature in (*DIRECTIONS, "a_to_b_bytes", "b_to_a_bytes"):
        assert re.search(rf"{signature} +[01] +0\.\d+", stdout)
    assert "saved_model_cli show --dir" in stdout
    assert "saved_model_cli run --dir" in stdout
    assert "test images of synthetic/horse2zebra" in exports[0].stderr


def test_saved_model_has_a_card_checksums_and_warm_up_requests(exports):
    from tensorflow_serving.apis import prediction_log_pb2

    extra = exports[1] / "1" / "assets.extra"
    card = (extra / "MODEL_CARD.md").read_text(encoding="utf-8")
    assert "synthetic/horse2zebra" in card and "MIT licence" in card
    assert "| filters | 2 |" in card
    sums = (extra / "SHA256SUMS").read_text()
    assert "saved_model.pb" in sums and "assets.extra/MODEL_CARD.md" in sums
    path = str(extra / "tf_serving_warmup_requests")
    requests = [
        prediction_log_pb2.PredictionLog.FromString(record.numpy()).predict_log.request
        for record in tf.data.TFRecordDataset(path)
    ]
    named = {request.model_spec.signature_name: request for request in requests}
    assert set(named) == {*DIRECTIONS, "a_to_b_bytes", "b_to_a_bytes"}
    images = tf.make_ndarray(named["a_to_b"].inputs["images"])
    assert images.shape == (1, 32, 32, 3) and images.dtype == np.uint8


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


@pytest.mark.parametrize("flags, has_amx", [("amx_bf16 amx_tile", 1), ("avx2", 0)])
def test_bfloat16_is_named_where_there_are_units_for_it(
    tmp_path, monkeypatch, flags, has_amx
):
    (tmp_path / "cpuinfo").write_text(f"flags: sse2 {flags}")
    monkeypatch.setattr(exporter, "CPU_INFO", tmp_path / "cpuinfo")
    assert exporter._has_amx() == has_amx


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
    half, whole = exported.compared[precision], exported.compared["float32"]
    assert half.milliseconds > 0 and half.megabytes != whole.megabytes
    assert half.scores.keys() == whole.scores.keys() > {"swd_a_to_b"}


def test_half_precision_beyond_the_bound_is_refused(run_dir, tmp_path, monkeypatch):
    monkeypatch.setitem(verify.BOUNDS, "bfloat16", (0, 0.0))
    output = tmp_path / "new" / "out"
    config = ExportConfig(str(run_dir), str(output), precision="bfloat16")
    with pytest.raises(InputError, match="bfloat16 differs from the Keras model"):
        list(exporter.export(config))
    assert not output.parent.exists()


def test_wrong_model_is_not_kept(run_dir, tmp_path, monkeypatch):
    def swap(models, *arguments):
        swapped = dict(zip(models, reversed(models.values()), strict=True))
        saved_model.write(swapped, *arguments)

    swapping = dataclasses.replace(saved_model.FORMAT, write=swap)
    monkeypatch.setattr(exporter, "FORMATS", [swapping])
    config = ExportConfig(str(run_dir), str(tmp_path / "out"))
    with pytest.raises(InputError, match="a_to_b in float32 differs"):
        list(exporter.export(config))
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "arguments, problem",
    [
        (["--format", "onnx,pytorch"], "takes savedmodel, onnx, litert, got 'pytorch'"),
        (["--format", "onnx", "--precision", "bfloat16"], "take float32 or float16"),
    ],
)
def test_impossible_format_is_named_before_anything_else(
    tmp_path, capsys, arguments, problem
):
    done = run_here(capsys, "export", "--run-dir", tmp_path / "none", *arguments)
    assert_one_line_error(done, problem)


def test_missing_library_is_named(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(InputError, match="--format onnx needs tf2onnx; .*export"):
        ExportConfig(format="onnx")


def test_run_with_one_direction_exports_that_one(tmp_path, save_run):
    run_dir = save_run(tmp_path / "run", ["b_to_a"])
    (exported,) = exporter.export(ExportConfig(str(run_dir), str(tmp_path / "out")))
    signatures = tf.saved_model.load(str(exported.directory)).signatures
    assert set(signatures) == {"b_to_a", "b_to_a_bytes", "serving_default"}


def test_export_is_verified_on_noise_where_the_dataset_is_gone(run_dir, tmp_path):
    path = shutil.copytree(run_dir, tmp_path / "run")
    recorded = run_directory.read_config(path)
    gone = dataclasses.replace(recorded.options, data_dir=str(tmp_path / "gone"))
    run_directory.write_config(path, recorded._replace(options=gone))
    images, origin = run_images.held_out_images(RunDir.open(path), DIRECTIONS)
    assert "noise" in origin and str(tmp_path / "gone") in origin
    assert images["a_to_b"].shape == (4, 32, 32, 3) and images["a_to_b"].std() > 20
    (exported,) = exporter.export(ExportConfig(str(path), str(tmp_path / "out")))
    assert len(exported.comparisons) == 4


def test_run_without_a_model_is_refused(tmp_path, capsys):
    recorded = run_directory.Recorded(tiny_config(tmp_path), None)
    run_directory.write_config(tmp_path, recorded)
    arguments = ("--run-dir", tmp_path, "--output", tmp_path / "out")
    done = run_here(capsys, "export", *arguments)
    assert_one_line_error(done, tmp_path, "no trained model yet")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "name, problem", [("none", "no such run"), (".", "not the directory of a run")]
)
def test_foreign_directory_is_refused(tmp_path, name, problem):
    with pytest.raises(InputError, match=problem):
        generators.load_generators(tmp_path / name)


def test_best_checkpoint_is_exported(run_dir, tmp_path):
    path = shutil.copytree(run_dir, tmp_path / "run")
    model = tiny_model(seed=1)
    about = {"step": 7, "best_by": "swd", "value": 123.25, "scores": []}
    checkpoint.save_best(model, path / "checkpoints", about)
    config = ExportConfig(str(path), str(tmp_path / "out"), checkpoint="best")
    (exported,) = exporter.export(config)
    images = random_pixels(24, 32)[None]
    function = tf.saved_model.load(str(exported.directory)).signatures["a_to_b"]
    translated = function(images=tf.constant(images))["translated"].numpy()
    expected = translate_all(model.gen_ab, images, *Domains())
    assert np.abs(translated.astype(int) - expected).max() <= 1
    card = (exported.directory / "assets.extra" / "MODEL_CARD.md").read_text()
    assert "trained for\n7 steps" in card


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


def test_damaged_model_is_named(run_dir, tmp_path, capsys):
    shutil.copytree(run_dir, tmp_path, dirs_exist_ok=True)
    path = max((tmp_path / "model").iterdir(), key=lambda path: path.stat().st_size)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    arguments = ("--run-dir", tmp_path, "--output", tmp_path / "out")
    done = run_here(capsys, "export", *arguments)
    assert_one_line_error(done, path)


def test_export_that_reads_one_kind_of_file_otherwise_is_not_kept(
    run_dir, tmp_path, monkeypatch
):
    monkeypatch.setattr(graph_decoding, "TRANSPARENCY", "never there")
    config = ExportConfig(str(run_dir), str(tmp_path / "out"))
    with pytest.raises(InputError, match="a_to_b_bytes reads a .* with transparency"):
        list(exporter.export(config))
    assert not (tmp_path / "out").exists()

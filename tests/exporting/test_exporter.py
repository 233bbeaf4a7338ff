import dataclasses
import importlib.util
import re
import shutil
import threading
import time

import numpy as np
import pytest

from cyclegan_tf.common import kernels
from cyclegan_tf.common.errors import InputError
from cyclegan_tf.common.locks import locked_folder
from cyclegan_tf.config import ExportConfig
from cyclegan_tf.data.domain import Domains
from cyclegan_tf.exporting import exporter, graph_decoding, subject, verify
from cyclegan_tf.exporting.formats import WRITERS
from cyclegan_tf.inference import run_exported
from cyclegan_tf.inference.pixels import translate_all
from cyclegan_tf.runs import checkpoint
from cyclegan_tf.runs import directory as run_directory
from cyclegan_tf.runs.run_dir import RunDir
from tests.helpers import assert_one_line_error, random_pixels, run_here, tiny_model

DIRECTIONS = ("a_to_b", "b_to_a")
SIGNATURES = (*DIRECTIONS, "a_to_b_bytes", "b_to_a_bytes")


def export(run_dir, output, format="onnx", **options):
    config = ExportConfig(str(run_dir), str(output), format=format, **options)
    return list(exporter.export(config))


def test_command_prints_the_differences_and_what_to_try(exports):
    stdout = exports[0].stdout
    for signature in SIGNATURES:
        assert re.search(rf"{signature} +[01] +0\.\d+", stdout)
    assert "saved_model_cli show --dir" in stdout
    assert "saved_model_cli run --dir" in stdout
    assert "test images of synthetic/horse2zebra" in exports[0].stderr


def test_saved_model_has_a_card_and_checksums(exports):
    extra = exports[1] / "1" / "assets.extra"
    card = (extra / "MODEL_CARD.md").read_text(encoding="utf-8")
    assert "synthetic/horse2zebra" in card and "MIT licence" in card
    assert "| filters | 2 |" in card
    sums = (extra / "SHA256SUMS").read_text()
    assert "saved_model.pb" in sums and "assets.extra/MODEL_CARD.md" in sums


@pytest.mark.parametrize("form, suffix", [("onnx", "onnx"), ("litert", "tflite")])
def test_portable_files_lie_in_versions_of_their_own(exports, form, suffix):
    names = {path.name for path in (exports[1] / form / "1").iterdir()}
    files = {f"a_to_b.{suffix}", f"b_to_a.{suffix}"}
    assert names == files | {"MODEL_CARD.md", "SHA256SUMS", "form.json"}


def test_two_exports_at_once_are_two_versions(one_way, tmp_path, capsys):
    kept, folder = [], tmp_path / "out" / "onnx"
    other = threading.Thread(target=lambda: kept.extend(export(one_way, folder.parent)))
    with locked_folder(folder):
        other.start()
        while "waiting for another process" not in capsys.readouterr().err:
            time.sleep(0.05)
        (folder / "1").mkdir()
    other.join()
    assert [exported.directory for exported in kept] == [folder / "2"]


@pytest.mark.parametrize("flags, has_amx", [("amx_bf16 amx_tile", 1), ("avx2", 0)])
def test_bfloat16_is_named_where_there_are_units_for_it(
    tmp_path, monkeypatch, flags, has_amx
):
    (tmp_path / "cpuinfo").write_text(f"flags: sse2 {flags}")
    monkeypatch.setattr(kernels, "CPUINFO", tmp_path / "cpuinfo")
    assert exporter._has_amx() == has_amx


@pytest.mark.parametrize(
    "form, precision", [("savedmodel", "bfloat16"), ("onnx", "float16")]
)
def test_half_precision_computes_otherwise_and_is_verified(
    one_way, tmp_path, monkeypatch, form, precision
):
    # Random weights amplify a rounding a little more than trained ones do.
    monkeypatch.setitem(verify.BOUNDS, "bfloat16", (24, 2.0))
    (exported,) = export(one_way, tmp_path, form, precision=precision)
    assert max(row.max_difference for row in exported.comparisons) > 0
    half, whole = exported.compared[precision], exported.compared["float32"]
    assert half.milliseconds > 0 and half.megabytes != whole.megabytes
    assert half.scores.keys() == whole.scores.keys() > {"swd_a_to_b"}


def test_half_precision_beyond_the_bound_is_refused(one_way, tmp_path, monkeypatch):
    monkeypatch.setitem(verify.BOUNDS, "float16", (0, 0.0))
    with pytest.raises(InputError, match="a_to_b in float16 differs from the Keras"):
        export(one_way, tmp_path / "new" / "out", precision="float16")
    assert not (tmp_path / "new").exists()


def test_wrong_model_is_not_kept(one_way, tmp_path, monkeypatch):
    write = WRITERS["onnx"]
    others = {"a_to_b": tiny_model(seed=1).gen_ab}
    monkeypatch.setitem(
        WRITERS, "onnx", lambda _, *others_of: write(others, *others_of)
    )
    with pytest.raises(InputError, match="a_to_b in float32 differs"):
        export(one_way, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_export_that_reads_one_kind_of_file_otherwise_is_not_kept(
    one_way, tmp_path, monkeypatch
):
    monkeypatch.setattr(graph_decoding, "TRANSPARENCY", "never there")
    with pytest.raises(InputError, match="a_to_b_bytes reads a .* with transparency"):
        export(one_way, tmp_path / "out", "savedmodel")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "arguments, problem",
    [
        (["--format", "onnx", "--precision", "bfloat16"], "take float32 or float16 or"),
        (["--size", "32"], "--size is for onnx and litert; --format savedmodel takes"),
        (["--format", "onnx", "--size", "30"], "--size must be multiples of 4"),
        (["--format", "onnx", "--size", "8x64"], "--size must be multiples of 4"),
        (["--format", "onnx", "--size", "32x"], "--size: expected pixels"),
    ],
)
def test_what_cannot_be_exported_is_named_before_anything_else(
    tmp_path, capsys, arguments, problem
):
    done = run_here(capsys, "export", "--run-dir", tmp_path / "none", *arguments)
    assert_one_line_error(done, problem)


def test_missing_library_is_named(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(InputError, match="--format onnx needs tf2onnx; .*export"):
        ExportConfig(format="savedmodel,onnx")


def without_images(run, folder):
    """A copy of a run whose images are gone."""
    path = shutil.copytree(run, folder / "run")
    recorded = run_directory.read_config(path)
    gone = dataclasses.replace(recorded.options, data_dir=str(folder / "gone"))
    run_directory.write_config(path, recorded._replace(options=gone))
    return path


def test_run_without_its_images_is_verified_on_noise_beside_remains(one_way, tmp_path):
    path = without_images(one_way, tmp_path)
    run = RunDir.open(path)
    images, origin = subject.held_out_images(run, DIRECTIONS, run.options.frame)
    assert "noise" in origin and str(tmp_path / "gone") in origin
    assert images["a_to_b"].shape == (4, 32, 32, 3) and images["a_to_b"].std() > 20
    # What a killed export has left is removed.
    (tmp_path / "out" / "onnx" / ".partial-1" / "half").mkdir(parents=True)
    (exported,) = export(path, tmp_path / "out")
    assert [row.signature for row in exported.comparisons] == ["a_to_b"]
    names = {path.name for path in (tmp_path / "out" / "onnx").iterdir()}
    assert names == {"1", ".lock"} and not (exported.directory / "half").exists()


def test_size_of_an_export_may_be_one_that_no_discriminator_takes(tmp_path, save_run):
    models = {"a_to_b": tiny_model().gen_ab}
    run = RunDir.open(save_run(tmp_path / "run", models, discriminator="patch70"))
    opened = subject.open_subject(run, ExportConfig(format="onnx", size="16x20"))
    assert opened.images["a_to_b"].shape[1:] == (16, 20, 3)


def test_saved_model_is_tried_by_calls_that_it_accepts(one_way, tmp_path):
    path = without_images(one_way, tmp_path)  # then there are four, of 32x32 pixels
    three = {"max_megapixels": 3 * 32 * 32 / 1e6}
    (exported,) = export(path, tmp_path / "out", "savedmodel", **three)
    assert {x.signature for x in exported.comparisons} == {"a_to_b", "a_to_b_bytes"}
    with pytest.raises(InputError, match="--max-megapixels 0.001: .* have 0.001024;"):
        export(path, tmp_path / "new", "savedmodel", max_megapixels=0.001)
    assert not (tmp_path / "new").exists()


def test_assertion_of_an_export_is_what_is_said_of_its_end(exports):
    (form,) = ExportConfig(format="savedmodel").formats
    large = {"a_to_b/large": (np.zeros((1, 2001, 2000, 3), np.uint8), "")}
    with pytest.raises(InputError, match=r"run \(assertion failed: .*at most 4000000"):
        verify.verify(form, exports[1] / "1", large, Domains(), "float32")


def test_default_folder_of_a_run_on_other_images_is_refused(
    one_way, tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    other = shutil.copytree(one_way, tmp_path / "other" / one_way.name)
    recorded = run_directory.read_config(other)
    options = dataclasses.replace(recorded.options, dataset="cycle_gan/horse2zebra")
    run_directory.write_config(other, recorded._replace(options=options))
    command = ("export", "--format", "onnx", "--run-dir")
    assert run_here(capsys, *command, one_way).returncode == 0
    done = run_here(capsys, *command, other)
    assert_one_line_error(done, "on synthetic/horse2zebra", other, "--output")
    (folder,) = (tmp_path / "exports").iterdir()
    assert {path.name for path in (folder / "onnx").iterdir()} == {"1", ".lock"}


def test_best_checkpoint_is_exported(one_way, tmp_path):
    path = shutil.copytree(one_way, tmp_path / "run")
    model = tiny_model(seed=1)
    about = {"step": 7, "best_by": "swd", "value": 123.25, "scores": []}
    checkpoint.save_best(model, path / "checkpoints", about)
    (exported,) = export(path, tmp_path / "out", checkpoint="best")
    images = random_pixels(24, 32)[None]
    translated = run_exported.onnx(exported.directory).run("a_to_b", images)
    expected = translate_all(model.gen_ab, images, *Domains())
    assert np.abs(translated.astype(int) - expected).max() <= 1
    card = (exported.directory / "MODEL_CARD.md").read_text()
    assert "trained for\n7 steps" in card

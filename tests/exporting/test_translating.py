"""Exports translate as the run does that they come from, each with what it needs."""

import shutil
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

import cyclegan_tf
from cyclegan_tf.common.errors import InputError
from cyclegan_tf.data.arrays import UnreadableImage
from cyclegan_tf.inference import run_exported
from tests.helpers import (
    ROOT,
    assert_one_line_error,
    random_pixels,
    run_here,
    write_images,
)

PLACES = {
    "": "a_to_b",
    "1": "a_to_b",
    "onnx": "a_to_b",
    "onnx/1": "b_to_a",
    "onnx/1/a_to_b.onnx": "a_to_b",
    "litert": "b_to_a",
    "litert/1/b_to_a.tflite": "b_to_a",
}
ALONE = """
import sys
sys.modules["tensorflow"] = sys.modules["keras"] = None
from cyclegan_tf.cli import main
main(sys.argv[1:])
"""


def translate_alone(*arguments):
    """Runs `cyclegan translate` where neither TensorFlow nor Keras can be imported."""
    return subprocess.run(
        [sys.executable, "-c", ALONE, "translate", *map(str, arguments)],
        capture_output=True,
        text=True,
        cwd=ROOT,
    )


@pytest.mark.parametrize("place, direction", PLACES.items(), ids=PLACES)
def test_what_lies_at_a_place_translates_as_the_run(run_dir, exports, place, direction):
    pictures = np.stack([random_pixels(22, 33, seed) for seed in range(2)])
    expected = cyclegan_tf.load(run_dir, direction)(pictures).astype(int)
    translate = cyclegan_tf.load(exports[1] / place, direction)
    assert translate.source == translate.target == cyclegan_tf.load(run_dir).source
    assert np.abs(translate(pictures) - expected).max() <= 1
    assert translate.megabytes > 0


@pytest.mark.parametrize("place", ["onnx", "litert/1"])
def test_files_translate_a_folder_without_tensorflow(exports, tmp_path, place):
    write_images(tmp_path / "in", 3)
    model = exports[1] / place
    done = translate_alone("--model", model, tmp_path / "in", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    assert "3 translated, 0 there before, 0 failed" in done.stdout
    translate = cyclegan_tf.load(model)
    for path in (tmp_path / "in").iterdir():
        expected = translate(np.asarray(Image.open(path))).astype(int)
        got = np.asarray(Image.open(tmp_path / "out" / path.name))
        assert np.abs(got - expected).max() <= 1
    again = translate_alone("--model", model, tmp_path / "in", tmp_path / "out")
    assert "0 translated, 3 there before, 0 failed; --overwrite" in again.stdout
    wrong = translate_alone("--model", tmp_path / "none", tmp_path / "in", "out")
    assert_one_line_error(wrong, f"{tmp_path / 'none'}: no such run or export")


def test_file_of_one_direction_needs_no_flag_and_has_no_other(exports, tmp_path):
    path = exports[1] / "onnx" / "1" / "b_to_a.onnx"
    assert cyclegan_tf.load(path)(random_pixels(20, 20)).shape == (20, 20, 3)
    for model, direction in ((path, "a_to_b"), (exports[1], "a_to_b_bytes")):
        with pytest.raises(InputError, match=f"has no direction {direction}"):
            cyclegan_tf.load(model, direction)
    renamed = shutil.copy(path, tmp_path / "horses.onnx")
    assert list(cyclegan_tf.inference.translator.load_all(renamed)) == ["a_to_b"]


def test_damaged_and_foreign_files_are_named(exports, tmp_path, capsys):
    folder = shutil.copytree(exports[1] / "onnx" / "1", tmp_path / "1")
    content = (folder / "a_to_b.onnx").read_bytes()
    (folder / "a_to_b.onnx").write_bytes(content[:-9] + b"changed!!")
    with pytest.raises(InputError, match=r"a_to_b\.onnx is damaged"):
        cyclegan_tf.load(tmp_path)
    (folder / "a_to_b.onnx").unlink()
    with pytest.raises(InputError, match=r"a_to_b\.onnx is missing; export it again"):
        cyclegan_tf.load(tmp_path)
    for name in ("half.onnx", "half.tflite"):
        (tmp_path / name).write_bytes(content[: len(content) // 2])
        write_images(tmp_path / "in", 1)
        arguments = ("--model", tmp_path / name, tmp_path / "in", tmp_path / "out")
        done = run_here(capsys, "translate", *arguments)
        assert_one_line_error(done, f"{name} cannot be loaded")
    with pytest.raises(InputError, match=r"000\.png is no model: neither"):
        cyclegan_tf.load(tmp_path / "in" / "000.png")


def test_missing_package_is_named(exports, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(InputError, match=r"onnxruntime; .*pip install '\.\[export\]'"):
        cyclegan_tf.load(exports[1] / "onnx")


def test_model_of_one_size_takes_pictures_of_that_size_one_by_one(
    tmp_path, monkeypatch
):
    def run(name, images):
        assert images.shape == (1, 24, 32, 3)
        return 255 - images

    forms = [([1, 24, 32, 3], "uint8"), ([1, 24, 32, 3], "uint8")]
    runner = run_exported.Runner(["a_to_b"], run, lambda name: forms, {})
    monkeypatch.setitem(run_exported.RUNNERS, "onnx", lambda place: runner)
    (tmp_path / "a_to_b.onnx").touch()
    translate = cyclegan_tf.load(tmp_path)
    images = np.stack([random_pixels(24, 32, seed) for seed in range(3)])
    assert np.array_equal(translate(images), 255 - images)
    with pytest.raises(UnreadableImage, match="24x40 pixels .* takes 24x32 only"):
        translate(random_pixels(24, 40))


def test_evaluated_beside_the_run(run_dir, exports, tmp_path, monkeypatch, capsys):
    # A run of the name that untranslated images have is no less a model.
    shutil.copytree(run_dir, tmp_path / "nothing")
    monkeypatch.chdir(tmp_path)
    models = ("nothing", exports[1] / "onnx", exports[1] / "litert" / "1")
    done = run_here(capsys, "evaluate", *models, "--limit", 2)
    assert done.returncode == 0, done.stderr
    rows = {
        line.split()[0]: line.split()[1:] for line in done.stdout.splitlines() if line
    }
    assert len(rows["megabytes"]) == len(rows["milliseconds"]) == 3
    assert len(rows["multiply_adds"]) == 1  # not known of exports
    nothing, *scores = map(float, rows["swd_a_to_b"])
    assert scores[1:] == pytest.approx([scores[0]] * 2, rel=0.02)
    assert nothing != pytest.approx(scores[0], rel=0.02)

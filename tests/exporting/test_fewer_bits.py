import pytest

from cyclegan_tf.common.errors import InputError
from cyclegan_tf.config import ExportConfig
from cyclegan_tf.evaluation import comparison
from cyclegan_tf.exporting import exporter, run_images, verify
from cyclegan_tf.runs.run_dir import RunDir
from tests.helpers import assert_one_line_error, run_here

DIRECTIONS = ("a_to_b", "b_to_a")
# Random weights amplify a rounding more than trained ones do.
RANDOM_BOUNDS = (128, 12.0)


def export(run_dir, output, precision, file_format):
    config = ExportConfig(
        str(run_dir), str(output), format=file_format, precision=precision
    )
    return list(exporter.export(config))


@pytest.mark.parametrize("file_format", ["onnx", "litert"])
@pytest.mark.parametrize("precision", ["int8", "int8-weights"])
def test_int8_is_verified_and_measured_beside_float32(
    run_dir, tmp_path, monkeypatch, file_format, precision
):
    monkeypatch.setitem(verify.BOUNDS, precision, RANDOM_BOUNDS)
    (exported,) = export(run_dir, tmp_path / "out", precision, file_format)
    largest, mean = verify.BOUNDS[precision]
    for row in exported.comparisons:
        assert 0 < row.mean_difference <= mean and row.max_difference <= largest
    beside, figures = exported.compared["float32"], exported.compared[precision]
    suffix = {"onnx": "onnx", "litert": "tflite"}[file_format]
    sizes = [x.stat().st_size for x in exported.directory.glob(f"*.{suffix}")]
    assert figures.megabytes == pytest.approx(sum(sizes) / 1e6)
    assert min(figures.milliseconds, beside.milliseconds) > 0
    assert figures.scores.keys() == beside.scores.keys()
    # LiteRT's converter leaves kernels as small as these alone.
    is_same = (file_format, precision) == ("litert", "int8-weights")
    assert (figures.scores == beside.scores) == is_same
    # The same function: scores hardly move.
    for name in ("truth_mae_a_to_b", "truth_mae_b_to_a"):
        expected = pytest.approx(beside.scores[name], abs=2 * mean)
        assert figures.scores[name] == expected
    card = (exported.directory / "MODEL_CARD.md").read_text().replace("\\", "")
    report = exporter.report(exported)
    for line in comparison.table(exported.compared)[1:]:
        assert all(cell in report for cell in line)
        assert f"| {' | '.join(line)} |" in card


def test_int8_beyond_the_bound_is_refused(run_dir, tmp_path, monkeypatch):
    monkeypatch.setitem(verify.BOUNDS, "int8", (128, 0.0))
    with pytest.raises(InputError, match="in int8 differs from the Keras model"):
        export(run_dir, tmp_path / "new" / "out", "int8", "onnx")
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("precision", ["int8", "int8-weights"])
def test_saved_model_in_int8_is_refused(tmp_path, capsys, precision):
    arguments = ("--run-dir", tmp_path / "none", "--precision", precision)
    done = run_here(capsys, "export", *arguments)
    assert_one_line_error(done, "int8 is for onnx and litert")


def test_int8_without_training_images_is_refused(run_dir, tmp_path):
    run = RunDir.open(run_dir)
    images = run_images.calibration_images(run, DIRECTIONS)
    assert images["b_to_a"].shape[1:] == (32, 32, 3)
    assert 1 < len(images["b_to_a"]) <= run_images.NUM_CALIBRATION
    gone = RunDir.open(run_dir, data_dir=tmp_path / "gone")
    with pytest.raises(InputError, match="calibrated on training images of the run"):
        run_images.calibration_images(gone, DIRECTIONS)

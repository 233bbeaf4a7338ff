import keras
import onnx
import onnxruntime
import pytest

from cyclegan_tf.common.errors import InputError
from cyclegan_tf.config import ExportConfig
from cyclegan_tf.evaluation import comparison
from cyclegan_tf.exporting import exporter, subject, verify
from cyclegan_tf.model.networks import build_generator
from cyclegan_tf.runs.run_dir import RunDir

SUFFIX = {"onnx": "onnx", "litert": "tflite"}
# Random weights amplify a rounding more than trained ones do.
RANDOM_BOUNDS = (128, 12.0)


@pytest.fixture(scope="module")
def wide_run(tmp_path_factory, save_run):
    """A run with kernels of 1024 weights and more; LiteRT leaves smaller ones alone."""
    keras.utils.set_random_seed(0)
    models = {"a_to_b": build_generator(16, 1)}
    return save_run(tmp_path_factory.mktemp("wide") / "run", models, filters=16)


@pytest.fixture(scope="module", params=["int8", "int8-weights"])
def exported(request, wide_run, tmp_path_factory):
    """The exports in as few bits, by format."""
    output, form = tmp_path_factory.mktemp("exports"), ",".join(SUFFIX)
    config = ExportConfig(
        str(wide_run), str(output), format=form, precision=request.param
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(verify.BOUNDS, request.param, RANDOM_BOUNDS)
        kept = list(exporter.export(config))
    return request.param, {each.form.name: each for each in kept}


@pytest.mark.parametrize("form", SUFFIX)
def test_figures_stand_beside_those_of_float32(exported, form):
    precision, by_format = exported
    kept = by_format[form]
    beside, figures = kept.compared["float32"], kept.compared[precision]
    (row,) = kept.comparisons
    assert 0 < row.mean_difference <= RANDOM_BOUNDS[1]
    (file,) = kept.directory.glob(f"*.{SUFFIX[form]}")
    assert figures.megabytes == pytest.approx(file.stat().st_size / 1e6)
    assert figures.megabytes < beside.megabytes / 2
    assert min(figures.milliseconds, beside.milliseconds) > 0
    # The same function: scores hardly move.
    assert figures.scores != beside.scores
    assert figures.scores.keys() == beside.scores.keys()
    expected = pytest.approx(beside.scores["truth_mae_a_to_b"], abs=row.mean_difference)
    assert figures.scores["truth_mae_a_to_b"] == expected
    card = (kept.directory / "MODEL_CARD.md").read_text().replace("\\", "")
    report = exporter.report(kept)
    for line in comparison.table(kept.compared)[1:]:
        assert all(cell in report for cell in line)
        assert f"| {' | '.join(line)} |" in card
    assert f"In {precision}, beside" in card


def test_onnx_computes_in_8_bits_where_that_is_faster(exported, tmp_path):
    precision, by_format = exported
    path = by_format["onnx"].directory / "a_to_b.onnx"
    options = onnxruntime.SessionOptions()
    options.optimized_model_filepath = str(tmp_path / "optimized.onnx")
    options.log_severity_level = 3  # it warns that the file is for this machine
    onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    operators = [n.op_type for n in onnx.load(tmp_path / "optimized.onnx").graph.node]
    # The stem, two that go down, and two of the one residual block.
    assert operators.count("QLinearConv") == (5 if precision == "int8" else 0)
    # The head and the two transposed ones are stored in as many bits.
    kernels = [k for k in onnx.load(path).graph.initializer if len(k.dims) == 4]
    stored = [k.data_type for k in kernels if k.dims[2] in (3, 7)]
    assert stored == [onnx.TensorProto.INT8] * 8


def test_int8_without_training_images_is_refused(run_dir, tmp_path):
    run, directions = RunDir.open(run_dir), ("a_to_b", "b_to_a")
    frame = run.options.frame
    images = subject.calibration_images(run, directions, frame)
    assert images["b_to_a"].shape[1:] == (32, 32, 3)
    assert 1 < len(images["b_to_a"]) <= subject.NUM_CALIBRATION
    gone = RunDir.open(run_dir, data_dir=tmp_path / "gone")
    with pytest.raises(InputError, match="calibrated on training images of the run"):
        subject.calibration_images(gone, directions, frame)

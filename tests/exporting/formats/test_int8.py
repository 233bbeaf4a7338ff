import keras
import numpy as np
import onnx
import onnxruntime
import pytest

from cyclegan_tf.config import ExportConfig
from cyclegan_tf.data.domain import Domains
from cyclegan_tf.exporting.formats import FORMATS
from cyclegan_tf.inference import run_exported
from cyclegan_tf.model.networks import build_generator
from tests.helpers import random_pixels

FORMS = {form.name: form for form in FORMATS}
SUFFIX = {"onnx": "onnx", "litert": "tflite"}


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """Writes a generator, whose kernels have 1024 weights or more, in a precision."""
    keras.utils.set_random_seed(0)
    generator = build_generator(16, 1)
    images = np.stack([random_pixels(32, 40, seed=i) for i in range(4)])

    def write(file_format, precision):
        folder = tmp_path_factory.mktemp(precision)
        config = ExportConfig(precision=precision)
        calibration = {"a_to_b": images}
        FORMS[file_format].write(
            {"a_to_b": generator}, Domains(), folder, config, calibration
        )
        return folder

    return write


@pytest.mark.parametrize("file_format", SUFFIX)
def test_int8_is_smaller_and_takes_any_size(written, file_format):
    sizes, outputs = [], []
    for precision in ("float32", "int8", "int8-weights"):
        folder = written(file_format, precision)
        sizes.append((folder / f"a_to_b.{SUFFIX[file_format]}").stat().st_size)
        run = run_exported.RUNNERS[file_format](folder).run
        for shape in ((2, 32, 40, 3), (1, 45, 30, 3)):
            pixels = np.resize(random_pixels(64, 64), shape)
            outputs.append(run("a_to_b", pixels).astype(float))
            assert outputs[-1].shape == shape
    float32, int8, weights = sizes
    assert int8 < float32 / 2 and weights < float32 / 2
    for output, expected in zip(outputs[2:], outputs[:2] * 2, strict=True):
        assert 0 < np.abs(output - expected).mean() < 8


def test_int8_computes_convolutions_in_8_bits(written, tmp_path):
    path = written("onnx", "int8") / "a_to_b.onnx"
    options = onnxruntime.SessionOptions()
    options.optimized_model_filepath = str(tmp_path / "optimized.onnx")
    options.log_severity_level = 3  # it warns that the file is for this machine
    onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    operators = [n.op_type for n in onnx.load(tmp_path / "optimized.onnx").graph.node]
    # The stem, two that go down, and two of the one residual block.
    assert operators.count("QLinearConv") == 5
    # The head and the two transposed ones are stored in as many bits.
    kernels = [k for k in onnx.load(path).graph.initializer if len(k.dims) == 4]
    stored = [k.data_type for k in kernels if k.dims[2] in (3, 7)]
    assert stored == [onnx.TensorProto.INT8] * 8

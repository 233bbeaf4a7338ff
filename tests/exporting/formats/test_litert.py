import keras
import numpy as np
import pytest
from ai_edge_litert.schema_py_generated import BuiltinOperator, Model

from cyclegan_tf.config import ExportConfig
from cyclegan_tf.data.domain import Domains
from cyclegan_tf.exporting.formats import litert
from cyclegan_tf.inference import run_exported
from cyclegan_tf.inference.pixels import translate_all
from cyclegan_tf.model.mobile import build_mobile_generator
from cyclegan_tf.model.networks import build_generator
from tests.helpers import random_pixels


@pytest.mark.parametrize("padding", [1, 2, 3])
def test_padding_of_slices_is_numpys_reflection(padding):
    images = np.random.default_rng(0).normal(size=(2, 5, 4, 3)).astype("float32")
    border = (padding, padding)
    expected = np.pad(images, ((0, 0), border, border, (0, 0)), mode="reflect")
    padded = litert.SlicedReflectionPadding2D(padding)(images)
    np.testing.assert_array_equal(padded, expected)


@pytest.mark.parametrize(
    "build",
    [
        lambda: build_mobile_generator(8, 1),
        lambda: build_generator(4, 1, has_attention=True),
        lambda: build_generator(4, 1, upsampling="resize"),
    ],
)
def test_file_has_no_mirroring_operator_and_translates_alike(tmp_path, build):
    keras.utils.set_random_seed(0)
    generator = build()
    litert.write({"a_to_b": generator}, Domains(), tmp_path, ExportConfig())
    model = Model.GetRootAsModel((tmp_path / "a_to_b.tflite").read_bytes())
    codes = range(model.OperatorCodesLength())
    operators = {model.OperatorCodes(i).BuiltinCode() for i in codes}
    assert BuiltinOperator.CONV_2D in operators
    assert BuiltinOperator.MIRROR_PAD not in operators
    run = run_exported.litert(tmp_path).run
    images = random_pixels(30, 45)[None]
    expected = translate_all(generator, images, *Domains().of("a_to_b"))
    difference = np.abs(run("a_to_b", images).astype(int) - expected)
    assert difference.max() <= 1 and difference.mean() < 0.01

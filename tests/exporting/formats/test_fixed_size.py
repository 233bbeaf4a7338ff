import numpy as np
import onnx
import pytest
from ai_edge_litert.compiled_model import CompiledModel
from ai_edge_litert.interpreter import Interpreter

from cyclegan_tf.config import ExportConfig
from cyclegan_tf.exporting import exporter, verify
from cyclegan_tf.inference import run_exported
from tests.helpers import random_pixels

SUFFIX = {"onnx": "onnx", "litert": "tflite"}


def shapes_of(path):
    """Of the input and the output of a file."""
    if path.suffix == ".onnx":
        graph = onnx.load(path).graph
        values = [
            value.type.tensor_type.shape for value in (*graph.input, *graph.output)
        ]
        return [[dim.dim_param or dim.dim_value for dim in x.dim] for x in values]
    interpreter = Interpreter(str(path))
    details = *interpreter.get_input_details(), *interpreter.get_output_details()
    return [[*map(int, detail["shape_signature"])] for detail in details]


@pytest.mark.parametrize("form, precision", [("litert", "float32"), ("onnx", "int8")])
def test_file_of_a_fixed_size_is_verified_at_that_size(
    one_way, tmp_path, monkeypatch, form, precision
):
    # Random weights amplify a rounding more than trained ones do.
    monkeypatch.setitem(verify.BOUNDS, "int8", (255, 20.0))
    how = {"format": form, "size": "24x40", "precision": precision}
    (exported,) = exporter.export(ExportConfig(str(one_way), str(tmp_path), **how))
    path = exported.directory / f"a_to_b.{SUFFIX[form]}"
    assert shapes_of(path) == [[1, 24, 40, 3]] * 2
    card = (exported.directory / "MODEL_CARD.md").read_text()
    assert "uint8 [1, 24, 40, 3], RGB" in card
    assert "Pictures of 24x40 px (height x width), and no others" in card
    if form == "litert":
        images = random_pixels(24, 40)[None]
        expected = run_exported.litert(path).run("a_to_b", images)
        assert np.abs(compiled(path, images).astype(int) - expected).max() <= 1


def compiled(path, images):
    """What LiteRT's newer interface, which takes a fixed size only, makes of images."""
    model = CompiledModel.from_file(str(path))
    (given,), (got,) = model.create_input_buffers(0), model.create_output_buffers(0)
    given.write(images)
    model.run_by_index(0, [given], [got])
    return got.read(images.size, images.dtype).reshape(images.shape)


def test_files_of_any_size_name_their_dimensions(exports):
    for form, suffix in SUFFIX.items():
        path = exports[1] / form / "1" / f"a_to_b.{suffix}"
        any_size = ["N", "H", "W"] if form == "onnx" else [-1, -1, -1]
        assert shapes_of(path)[0] == [*any_size, 3]

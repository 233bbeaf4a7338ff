import onnx
import pytest
from ai_edge_litert.compiled_model import CompiledModel
from ai_edge_litert.interpreter import Interpreter

from cyclegan_tf.exporting import verify
from tests.helpers import assert_one_line_error, random_pixels, run_here

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


@pytest.mark.parametrize("precision", ["float32", "int8"])
def test_files_of_a_fixed_size_are_verified_at_that_size(
    run_dir, tmp_path, capsys, monkeypatch, precision
):
    # Random weights amplify a rounding more than trained ones do.
    monkeypatch.setitem(verify.BOUNDS, "int8", (255, 20.0))
    done = run_here(
        *(capsys, "export", "--run-dir", run_dir, "--output", tmp_path / "out"),
        *("--format", "onnx,litert", "--size", "24x40", "--precision", precision),
    )
    assert done.returncode == 0, done.stderr
    for form, suffix in SUFFIX.items():
        folder = tmp_path / "out" / form / "1"
        for direction in ("a_to_b", "b_to_a"):
            shapes = shapes_of(folder / f"{direction}.{suffix}")
            assert shapes == [[1, 24, 40, 3]] * 2
        assert "uint8 [1, 24, 40, 3], RGB" in (folder / "MODEL_CARD.md").read_text()


def test_files_of_any_size_name_their_dimensions(exports):
    for form, suffix in SUFFIX.items():
        path = exports[1] / form / "1" / f"a_to_b.{suffix}"
        any_size = ["N", "H", "W"] if form == "onnx" else [-1, -1, -1]
        assert shapes_of(path)[0] == [*any_size, 3]


def test_compiled_model_runs_a_file_of_a_fixed_size(run_dir, tmp_path, capsys):
    arguments = ("--format", "litert", "--size", "32", "--output", tmp_path)
    done = run_here(capsys, "export", "--run-dir", run_dir, *arguments)
    assert done.returncode == 0, done.stderr
    path = str(tmp_path / "litert" / "1" / "a_to_b.tflite")
    images = random_pixels(32, 32)[None]
    interpreter = Interpreter(path)
    interpreter.allocate_tensors()
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], images)
    interpreter.invoke()
    expected = interpreter.get_tensor(interpreter.get_output_details()[0]["index"])
    model = CompiledModel.from_file(path)
    (given,), (translated,) = (
        model.create_input_buffers(0),
        model.create_output_buffers(0),
    )
    given.write(images)
    model.run_by_index(0, [given], [translated])
    output = translated.read(expected.size, expected.dtype).reshape(expected.shape)
    assert abs(output.astype(int) - expected).max() <= 1


@pytest.mark.parametrize(
    "arguments, problem",
    [
        (["--size", "32"], "--size is for onnx and litert; --format savedmodel takes"),
        (["--format", "onnx", "--size", "30"], "--size must be multiples of 4"),
        (["--format", "onnx", "--size", "8x64"], "--size must be multiples of 4"),
        (["--format", "onnx", "--size", "32x"], "--size: expected pixels"),
    ],
)
def test_impossible_size_is_refused(run_dir, tmp_path, capsys, arguments, problem):
    output = tmp_path / "out"
    arguments = ("--run-dir", run_dir, "--output", output, *arguments)
    done = run_here(capsys, "export", *arguments)
    assert_one_line_error(done, problem)
    assert not output.exists()

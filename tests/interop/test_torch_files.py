import numpy as np
import pytest

from cyclegan_tf.interop.torch_files import read_tensors, write_tensors
from tests import parity
from tests.interop.pickles import archive, tensor_code, tensor_file


@pytest.mark.parametrize("path", parity.STATE_DICTS)
def test_files_that_pytorch_wrote_are_read(path):
    tensors = read_tensors(path)
    expected = parity.generator_weights(**parity.STATE_DICT_OPTIONS)
    assert list(tensors) == list(expected)
    for name, array in expected.items():
        np.testing.assert_array_equal(tensors[name], array)
        assert tensors[name].dtype == np.float32


def test_what_is_written_is_read(tmp_path):
    tensors = {
        "a": np.arange(6, dtype=np.float32).reshape(2, 3),
        "b.ä": np.float32([1]),
    }
    write_tensors(tmp_path / "x.pth", tensors)
    read = read_tensors(tmp_path / "x.pth")
    assert list(read) == list(tensors)
    for name, array in tensors.items():
        np.testing.assert_array_equal(read[name], array)


def test_same_tensors_make_the_same_file(tmp_path):
    for folder in ("first", "second"):
        write_tensors(tmp_path / folder / "x.pth", {"a": np.ones(3)})
    contents = [path.read_bytes() for path in tmp_path.glob("*/x.pth")]
    assert contents[0] == contents[1]


def test_view_of_a_storage_is_read(tmp_path):
    path = tmp_path / "x.pth"
    path.write_bytes(tensor_file(offset=1, shape=(2, 2), strides=(1, 2)))
    np.testing.assert_array_equal(read_tensors(path)["a"], [[1, 3], [2, 4]])


def test_numbers_that_were_on_a_gpu_are_read(tmp_path):
    path = tmp_path / "x.pth"
    path.write_bytes(tensor_file(kind=b"ctorch.cuda\nFloatStorage\n"))
    np.testing.assert_array_equal(read_tensors(path)["a"], [[0, 1, 2], [3, 4, 5]])


def test_dictionary_of_python_2_is_read(tmp_path):
    # Made of a list of pairs, with texts as bytes and the layout as an attribute.
    pairs = b"]](U\x01a" + tensor_code() + b"ea"
    pickled = b"\x80\x02ccollections\nOrderedDict\n(" + pairs + b"tR"
    pickled += b"}U\x09_metadata}sb."
    path = tmp_path / "x.pth"
    path.write_bytes(archive({"x/data.pkl": pickled, "x/data/0": bytes(24)}))
    np.testing.assert_array_equal(read_tensors(path)["a"], np.zeros((2, 3)))

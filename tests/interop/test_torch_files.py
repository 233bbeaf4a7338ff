import os
import pickle
import struct
import zipfile

import numpy as np
import pytest

from cyclegan_tf.common.errors import InputError
from cyclegan_tf.interop.torch_files import read_tensors, write_tensors
from tests import parity
from tests.stress.damaged_files import archive, calling, entries_of, read_damaged

SINCE_1_6, BEFORE_1_6 = parity.STATE_DICTS


def refusal(path, content=None):
    """The message with which a file is refused."""
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InputError) as caught:
        read_tensors(path)
    assert str(path) in str(caught.value)
    return str(caught.value)


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


# A pickle of one tensor, piece by piece, in an archive with its numbers.

FLOATS = b"ctorch\nFloatStorage\n"


def text(value):
    return b"X" + struct.pack("<I", len(value)) + value.encode()


def number(value):
    return b"J" + struct.pack("<i", value)


def numbers(*values):
    return b"(" + b"".join(map(number, values)) + b"t"


def tensor_pickle(name="a", **options):
    return b"\x80\x02}(" + text(name) + tensor_code(**options) + b"u."


def tensor_code(kind=FLOATS, count=6, offset=0, shape=(2, 3), strides=(3, 1), key="0"):
    storage = b"(" + text("storage") + kind + text(key) + text("cpu")
    storage += number(count) + b"tQ"
    tensor = b"ctorch._utils\n_rebuild_tensor_v2\n(" + storage + number(offset)
    tensor += numbers(*shape) + numbers(*strides) + b"\x89"
    return tensor + b"ccollections\nOrderedDict\n)RtR"


def tensor_file(data=None, names=("x/data.pkl", "x/data/0"), **options):
    data = np.arange(6, dtype="<f4").tobytes() if data is None else data
    return archive(dict(zip(names, (tensor_pickle(**options), data), strict=True)))


def test_view_of_a_storage_is_read(tmp_path):
    path = tmp_path / "x.pth"
    path.write_bytes(tensor_file(offset=1, shape=(2, 2), strides=(1, 2)))
    np.testing.assert_array_equal(read_tensors(path)["a"], [[1, 3], [2, 4]])


def test_dictionary_of_python_2_is_read(tmp_path):
    # Made of a list of pairs, with texts as bytes and the layout as an attribute.
    pairs = b"]](U\x01a" + tensor_code() + b"ea"
    pickled = b"\x80\x02ccollections\nOrderedDict\n(" + pairs + b"tR"
    pickled += b"}U\x09_metadata}sb."
    path = tmp_path / "x.pth"
    path.write_bytes(archive({"x/data.pkl": pickled, "x/data/0": bytes(24)}))
    np.testing.assert_array_equal(read_tensors(path)["a"], np.zeros((2, 3)))


@pytest.mark.parametrize(
    "options, problem",
    [
        ({"strides": (-3, 1)}, "a negative size"),
        ({"shape": (-2, 3)}, "a negative size"),
        ({"offset": -1}, "a negative size"),
        ({"offset": 1}, "beyond its numbers"),
        ({"shape": (2, 4)}, "beyond its numbers"),
        ({"strides": (2**31 - 1, 2**31 - 1)}, "beyond its numbers"),
        ({"shape": (2**31 - 1, 2**31 - 1), "strides": (0, 0)}, "beyond its numbers"),
        ({"shape": (7, 1), "strides": (0, 0)}, "beyond its numbers"),
        ({"shape": (0, 3)}, "beyond its numbers"),
        ({"shape": (1,) * 9, "strides": (1,) * 9}, "sizes are odd"),
        ({"shape": (6,)}, "sizes are odd"),
        ({"count": 7}, "x/data/0 is cut"),
        ({"count": 2**31 - 1}, "x/data/0 is cut"),
        ({"count": -1}, "no valid size"),
        ({"data": b"1234"}, "x/data/0 is cut"),
        ({"key": "1"}, "do not match"),
        ({"key": "../../etc/passwd"}, "do not match"),
        ({"kind": b"ctorch\nHalfStorage\n"}, "HalfStorage; expected 32-bit floats"),
        ({"kind": b"ctorch\nDoubleStorage\n"}, "DoubleStorage"),
        ({"kind": text("FloatStorage")}, "names no storage"),
        ({"names": ("x/data.pkl", "../x/data/0")}, "entry is called '../x/data/0'"),
        ({"names": ("x/data.pkl", "/x/data/0")}, "entry is called"),
        ({"names": ("x/data.pkl", "x/../data/0")}, "entry is called"),
        ({"names": ("x/data.pkl", "x/data\\0")}, "entry is called"),
        ({"names": ("x/data.pkl", "y/data/0")}, "entry is called"),
        ({"names": ("x/data.pickle", "x/data/0")}, "no data.pkl"),
    ],
)
def test_impossible_tensor_is_refused(tmp_path, options, problem):
    assert problem in refusal(tmp_path / "x.pth", tensor_file(**options))


@pytest.mark.parametrize(
    "function", ["os system", "posix system", "builtins eval", "subprocess Popen"]
)
@pytest.mark.parametrize("is_new", [True, False])
def test_pickle_that_calls_something_is_refused(tmp_path, function, is_new):
    witness = tmp_path / "witness"
    content = calling(function, f"touch {witness}")
    if is_new:
        content = archive({"x/data.pkl": content})
    message = refusal(tmp_path / "x.pth", content)
    assert f"its pickle would call {function.replace(' ', '.')}" in message
    assert os.listdir(tmp_path) == ["x.pth"]


class Malicious:
    def __init__(self, witness):
        self.witness = witness

    def __reduce__(self):
        return os.system, (f"touch {self.witness}",)


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_pickled_object_that_calls_something_is_refused(tmp_path, protocol):
    witness = tmp_path / "witness"
    content = pickle.dumps({"a": Malicious(witness)}, protocol)
    pickle.loads(content)
    assert witness.exists()  # it does work
    witness.unlink()
    refusal(tmp_path / "plain.pth", content)
    refusal(tmp_path / "zip.pth", archive({"x/data.pkl": content, "x/data/0": b""}))
    magic, version = (pickle.dumps(n, 2) for n in (0x1950A86A20F9469CFC6C, 1001))
    refusal(tmp_path / "legacy.pth", magic + version + content)
    assert not witness.exists()


def nested_tuples(depth):
    """Each holds the one before twice: 2^depth when walked through."""
    pieces = (b"q%ch%c\x86" % (i, i) for i in range(depth))
    return b")" + b"".join(pieces)


@pytest.mark.parametrize(
    "pickled",
    [
        b"\x80\x02" + nested_tuples(200) + b".",
        b"\x80\x02}" + nested_tuples(200) + b"K\x01s.",  # as a key: must not be hashed
        b"\x80\x02" + nested_tuples(200) + b"Q.",
        b"\x80\x02r\xff\xff\xff\xff.",  # a place in the memory far away
        b"\x80\x02]r\xff\xff\xff\xff.",
        b"\x80\x02X\xff\xff\xff\xff.",  # a text of 4 GB
        b"\x80\x04\x8e\xff\xff\xff\xff\xff\xff\xff\x7f.",  # bytes of 2^63
        b"\x80\x02\x8b\xff\xff\xff\x7f.",  # an integer of 2 GB
        b"\x80\x02I" + b"9" * 100_000 + b"\n.",
        b"\x80\x02" + b"(" * 100_000 + b".",
        b"\x80\x02" + b"]" * 100_000 + b"a" * 99_999 + b".",  # deep nesting
        b"\x80\x02]q\x00h\x00a.",  # a list that holds itself
        b"\x80\x02}X\x01\x00\x00\x00aK\x01s.",
        b"\x80\x02}.",
        b"\x80\x02.",
        b"\x80\x02t.",
        b"\x80\x02\x87.",
        b"\x80\x02a.",
        b"",
    ],
    ids=range(19),
)
def test_pickle_that_grows_or_makes_no_sense_is_refused(tmp_path, pickled):
    refusal(tmp_path / "zip.pth", archive({"x/data.pkl": pickled}))
    refusal(tmp_path / "legacy.pth", b"\x80\x02" + pickled[2:])


def test_compressed_archive_is_refused(tmp_path):
    # 100 MB of zeros in 100 kB.
    bomb = {"x/data.pkl": tensor_pickle(), "x/data/0": bytes(10**8)}
    content = archive(bomb, zipfile.ZIP_DEFLATED)
    assert len(content) < 10**6
    message = refusal(tmp_path / "x.pth", content)
    assert "larger than the file" in message
    small = archive({"x/data.pkl": tensor_pickle()}, zipfile.ZIP_DEFLATED)
    assert "is compressed" in refusal(tmp_path / "x.pth", small)


def test_large_pickle_is_refused(tmp_path):
    content = archive({"x/data.pkl": b"\x80\x02" + b"N0" * 2**20})
    assert "data.pkl is too large" in refusal(tmp_path / "x.pth", content)


def test_entry_that_two_have_is_refused(tmp_path):
    with pytest.warns(UserWarning, match="Duplicate"):
        with zipfile.ZipFile(tmp_path / "x.pth", "w") as file:
            for _ in range(2):
                file.writestr("x/data.pkl", tensor_pickle())
    assert "two entries have one name" in refusal(tmp_path / "x.pth")


def test_foreign_byte_order_is_refused(tmp_path):
    entries = entries_of(SINCE_1_6.read_bytes())
    entries["since_1_6/byteorder"] = b"big"
    assert "not little-endian" in refusal(tmp_path / "x.pth", archive(entries))


def test_something_after_the_end_is_refused(tmp_path):
    content = BEFORE_1_6.read_bytes() + b"\x00"
    assert "something follows" in refusal(tmp_path / "x.pth", content)


@pytest.mark.parametrize("content", [b"", b"hello", b"PK\x03\x04", b"\x80\x02"])
def test_other_file_is_refused(tmp_path, content):
    assert "no PyTorch file of tensors" in refusal(tmp_path / "x.pth", content)


def test_file_that_is_not_there_is_named(tmp_path):
    assert "no such file" in refusal(tmp_path / "none.pth")
    assert "no such file" in refusal(tmp_path)


def test_whole_pickled_network_is_refused(tmp_path):
    # What `torch.save(network, path)` writes names the network's class.
    content = archive({"x/data.pkl": calling("models.networks ResnetGenerator", "")})
    message = refusal(tmp_path / "x.pth", content)
    assert "would call models.networks.ResnetGenerator" in message


@pytest.mark.filterwarnings("ignore:invalid escape:DeprecationWarning")
def test_damaged_files_are_refused_or_harmless(tmp_path):
    outcomes, slowest = read_damaged(1000, seed=1, folder=tmp_path)
    refused = outcomes.total() - outcomes["read"]
    # Of some changes, as in the numbers of the old format, nothing can tell.
    assert refused > 850
    assert slowest < 1

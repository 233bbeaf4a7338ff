"""Files that are damaged, made to do harm, or no state dict: one line, and no code."""

import os
import pickle
import zipfile

import pytest

from cyclegan_tf.common.errors import InputError
from cyclegan_tf.interop.torch_files import read_tensors
from tests import parity
from tests.interop.pickles import (
    archive,
    calling,
    entries_of,
    storage_code,
    tensor_code,
    tensor_file,
    tensor_pickle,
    text,
)

SINCE_1_6, BEFORE_1_6 = parity.STATE_DICTS


def refusal(path, content=None):
    """The message with which a file is refused."""
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InputError) as caught:
        read_tensors(path)
    assert str(path) in str(caught.value)
    return str(caught.value)


# Code.


@pytest.mark.parametrize(
    "function", ["os system", "builtins eval", "torch._utils os.system", "torch load"]
)
@pytest.mark.parametrize("is_new", [True, False])
def test_pickle_that_calls_something_is_refused(tmp_path, function, is_new):
    content = calling(function, f"touch {tmp_path / 'witness'}")
    if is_new:
        content = archive({"x/data.pkl": content})
    else:
        content = pickle.dumps(0x1950A86A20F9469CFC6C, 2) + content
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


def test_nothing_of_ours_is_changed_by_a_pickle(tmp_path):
    # Attributes of the function that makes tensors, and of the class of dictionaries.
    attributes = b"}" + text("__defaults__") + b")s"
    for target in (b"ctorch._utils\n_rebuild_tensor\n", b"ccollections\nOrderedDict\n"):
        for state in (attributes, b"N" + attributes + b"\x86"):
            content = archive({"x/data.pkl": b"\x80\x02" + target + state + b"b."})
            refusal(tmp_path / "x.pth", content)
    refusal(tmp_path / "x.pth", tensor_file(offset=9))
    assert len(read_tensors(SINCE_1_6)) == 20


def test_whole_pickled_network_is_refused(tmp_path):
    # What `torch.save(network, path)` writes names the network's class.
    content = archive({"x/data.pkl": calling("models.networks ResnetGenerator", "")})
    message = refusal(tmp_path / "x.pth", content)
    assert "would call models.networks.ResnetGenerator" in message


# Memory, also of others.


@pytest.mark.parametrize(
    "options, problem",
    [
        ({"strides": (-3, 1)}, "a size is negative"),
        ({"shape": (-2, 3)}, "a size is negative"),
        ({"offset": -1}, "a size is negative"),
        ({"offset": 1}, "beyond its numbers"),
        ({"shape": (2, 4)}, "beyond its numbers"),
        ({"strides": (2**31 - 1, 2**31 - 1)}, "beyond its numbers"),
        ({"shape": (2**31 - 1, 2**31 - 1), "strides": (0, 0)}, "beyond its numbers"),
        ({"shape": (7, 1), "strides": (0, 0)}, "beyond its numbers"),
        ({"shape": (0, 3)}, "beyond its numbers"),
        ({"shape": (1,) * 99, "strides": (1,) * 99}, "no PyTorch file"),
        ({"shape": (6,)}, "no PyTorch file"),
        ({"storage": tensor_code(), "offset": 1, "shape": (2, 2)}, "has no storage"),
        ({"count": 7}, "are cut"),
        ({"count": 2**31 - 1}, "are cut"),
        ({"count": -1}, "are cut"),
        ({"data": b"1234"}, "are cut"),
        ({"key": "1"}, "damaged"),
        ({"key": "../../etc/passwd"}, "damaged"),
        ({"kind": b"ctorch\nHalfStorage\n"}, "HalfStorage; expected 32-bit floats"),
        ({"kind": b"ctorch\nDoubleStorage\n"}, "DoubleStorage"),
        ({"kind": text("FloatStorage")}, "names no storage"),
        ({"names": ("x/data.pkl", "../x/data/0")}, "damaged"),
        ({"names": ("x/data.pickle", "x/data/0")}, "damaged"),
    ],
)
def test_impossible_tensor_is_refused(tmp_path, options, problem):
    assert problem in refusal(tmp_path / "x.pth", tensor_file(**options))


def nested_tuples(depth):
    """Each holds the one before twice: 2^depth when walked through."""
    pieces = (b"q%ch%c\x86" % (i, i) for i in range(depth))
    return b")" + b"".join(pieces)


@pytest.mark.parametrize(
    "pickled",
    [
        nested_tuples(200),
        b"}" + nested_tuples(200) + b"K\x01s",  # as a key: must not be hashed
        b"})" + b"\x85" * 100_000 + b"K\x01s",  # Python's stack would not hold it
        b"ccollections\nOrderedDict\n(]](" + nested_tuples(200) + b"K\x01eatR",
        nested_tuples(200) + b"Q",
        b"]r\xff\xff\xff\xff",  # a place in the memory far away
        b"X\xff\xff\xff\xff",  # a text of 4 GB
        b"\x8e\xff\xff\xff\xff\xff\xff\xff\x7f",  # bytes of 2^63
        b"\x8b\xff\xff\xff\x7f",  # an integer of 2 GB
        b"I" + b"9" * 100_000 + b"\n",
        b"(" * 100_000,
        b"]" * 100_000 + b"a" * 99_999,  # deep nesting
        b"}" * 50_000,
        b"]q\x00h\x00a",  # a list that holds itself
        b"}" + text("a") + b"K\x01s",
        b"}(" + text("a") + storage_code(count=10**9) + b"u",
        b"}",
        b"t",
        b"\x87",
        b"a",
        b"",
        b"N0" * 2**17,  # longer than any
    ],
    ids=range(22),
)
def test_pickle_that_grows_or_makes_no_sense_is_refused(tmp_path, pickled):
    pickled = b"\x80\x02" + pickled + b"."
    refusal(tmp_path / "zip.pth", archive({"x/data.pkl": pickled}))
    magic, version = (pickle.dumps(n, 2) for n in (0x1950A86A20F9469CFC6C, 1001))
    refusal(tmp_path / "legacy.pth", magic + version + pickled)


def test_compressed_archive_is_refused(tmp_path):
    # 100 MB of zeros in 100 kB.
    bomb = {"x/data.pkl": tensor_pickle(), "x/data/0": bytes(10**8)}
    content = archive(bomb, zipfile.ZIP_DEFLATED)
    assert len(content) < 10**6
    assert "is compressed" in refusal(tmp_path / "x.pth", content)


# Damage, and other files.


def test_changed_number_is_noticed(tmp_path):
    content = bytearray(SINCE_1_6.read_bytes())
    content[len(content) // 2] ^= 1
    refusal(tmp_path / "x.pth", bytes(content))


@pytest.mark.parametrize("path", parity.STATE_DICTS)
@pytest.mark.parametrize("share", [0.01, 0.1, 0.5, 0.99])
def test_file_that_is_cut_off_is_refused(tmp_path, path, share):
    content = path.read_bytes()
    refusal(tmp_path / "x.pth", content[: int(share * len(content))])


def test_foreign_byte_order_is_refused(tmp_path):
    entries = entries_of(SINCE_1_6.read_bytes())
    entries["since_1_6/byteorder"] = b"big"
    assert "not little-endian" in refusal(tmp_path / "x.pth", archive(entries))


def test_something_after_the_end_is_refused(tmp_path):
    content = BEFORE_1_6.read_bytes() + b"\x00"
    assert "do not match" in refusal(tmp_path / "x.pth", content)


@pytest.mark.parametrize("content", [b"", b"hello", b"PK\x03\x04", b"\x80\x02"])
def test_other_file_is_refused(tmp_path, content):
    assert "no PyTorch file of tensors" in refusal(tmp_path / "x.pth", content)


def test_file_that_is_not_there_is_named(tmp_path):
    assert "no such file" in refusal(tmp_path / "none.pth")
    assert "no such file" in refusal(tmp_path)

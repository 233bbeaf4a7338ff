import os
import sys

import pytest

from cyclegan_tf.common import kernels
from cyclegan_tf.common.kernels import VARIABLE, choose_kernels, uses_onednn


@pytest.fixture(autouse=True)
def before_tensorflow(monkeypatch):
    """An x86 processor, nothing chosen yet, TensorFlow not imported."""
    monkeypatch.delitem(sys.modules, "tensorflow", raising=False)
    monkeypatch.setattr(kernels, "IS_X86", True)
    monkeypatch.setattr(kernels, "IS_USERS", False)
    monkeypatch.setenv(VARIABLE, "")  # to be put back
    monkeypatch.delenv(VARIABLE)


def test_onednn_is_chosen_before_tensorflow_is_imported():
    assert uses_onednn() is None
    choose_kernels()
    assert os.environ[VARIABLE] == "1"
    assert uses_onednn()


def test_run_keeps_the_kernels_that_it_began_with():
    choose_kernels()
    choose_kernels(False)
    assert os.environ[VARIABLE] == "0"
    assert uses_onednn() is False
    choose_kernels(None)
    assert VARIABLE not in os.environ


def test_choice_of_the_user_goes_before(monkeypatch):
    monkeypatch.setenv(VARIABLE, "0")
    monkeypatch.setattr(kernels, "IS_USERS", True)
    choose_kernels()
    assert uses_onednn() is False


@pytest.mark.parametrize("reason", ["imported", "other processor"])
def test_nothing_is_set_where_it_would_do_nothing(monkeypatch, reason):
    if reason == "imported":
        monkeypatch.setitem(sys.modules, "tensorflow", object())
    else:
        monkeypatch.setattr(kernels, "IS_X86", False)
    choose_kernels()
    assert VARIABLE not in os.environ


@pytest.mark.parametrize(
    "flags, expected",
    [("fma avx avx2 sse4_2", True), ("avx avx2 avx512f", False), ("sse4_2", False)],
)
def test_avx2_alone_is_read_from_the_flags_of_the_processor(
    tmp_path, monkeypatch, flags, expected
):
    path = tmp_path / "cpuinfo"
    path.write_text(f"processor\t: 0\nflags\t\t: {flags}\nprocessor\t: 1\n")
    monkeypatch.setattr(kernels, "CPUINFO", path)
    assert kernels.has_avx2_alone() == expected


def test_processor_of_which_nothing_is_known_has_not_avx2_alone(tmp_path, monkeypatch):
    monkeypatch.setattr(kernels, "CPUINFO", tmp_path / "none")
    assert not kernels.has_avx2_alone()

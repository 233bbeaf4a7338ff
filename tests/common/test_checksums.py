import hashlib

import pytest

from cyclegan_tf.common import checksums
from cyclegan_tf.common.errors import Damaged, InputError


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "below").mkdir()
    (tmp_path / "below" / "a").write_bytes(b"abc")
    (tmp_path / "b").write_bytes(b"")
    checksums.write_sums(tmp_path)
    return tmp_path


def check(folder):
    checksums.check_sums(folder, checksums.SUMS, "make it again")


def test_sums_are_those_of_sha256sum(folder):
    # FIPS 180-2, B.1: the SHA-256 of "abc".
    abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    empty = hashlib.sha256().hexdigest()
    assert (folder / "SHA256SUMS").read_text() == f"{empty}  b\n{abc}  below/a\n"
    check(folder)


def test_digest_of_a_large_file_is_of_all_of_it(tmp_path):
    content = bytes(range(256)) * 10_000
    (tmp_path / "large").write_bytes(content)
    digest = checksums.file_digest(tmp_path / "large")
    assert digest == hashlib.sha256(content).hexdigest()


@pytest.mark.parametrize(
    "damage, problem",
    [
        (lambda folder: (folder / "b").write_bytes(b"x"), "b is damaged"),
        (lambda folder: (folder / "below" / "a").unlink(), "below/a is missing"),
        (lambda folder: (folder / "c").touch(), "does not list c"),
        (lambda folder: (folder / "SHA256SUMS").unlink(), "SHA256SUMS is missing"),
        (lambda folder: (folder / "SHA256SUMS").write_text("x"), "is damaged"),
    ],
)
def test_damage_is_named_with_the_way_out(folder, damage, problem):
    damage(folder)
    with pytest.raises(Damaged, match=f"{problem}.*make it again"):
        check(folder)


def test_hidden_file_need_not_be_listed(folder):
    (folder / ".DS_Store").touch()
    check(folder)


@pytest.mark.parametrize("target", ["b", "below", "nowhere"])
def test_link_is_refused(folder, target):
    (folder / "below" / "link").symlink_to(folder / target)
    with pytest.raises(InputError, match="below/link is a symbolic link"):
        check(folder)

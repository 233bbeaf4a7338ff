import subprocess

import pytest

from cyclegan_tf.common import checksums
from cyclegan_tf.common.errors import InputError


@pytest.fixture
def folder(tmp_path):
    """A folder with files, and their checksums below it."""
    for name in ("variables", "assets.extra"):
        (tmp_path / name).mkdir()
    (tmp_path / "saved_model.pb").write_bytes(b"graph")
    (tmp_path / "variables" / "variables.index").write_bytes(b"index")
    checksums.write_sums(tmp_path, "assets.extra/SHA256SUMS")
    return tmp_path


def check(folder):
    checksums.check_sums(folder, "assets.extra/SHA256SUMS", "make it anew")


def test_checksums_are_read_by_sha256sum(folder):
    check(folder)
    command = ["sha256sum", "--check", "--strict", "assets.extra/SHA256SUMS"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0 and done.stdout.count(": OK") == 2


def test_changed_file_is_named(folder):
    (folder / "saved_model.pb").write_bytes(b"graqh")
    with pytest.raises(InputError, match="saved_model.pb is damaged.*make it anew"):
        check(folder)


def test_missing_file_is_named(folder):
    (folder / "saved_model.pb").unlink()
    with pytest.raises(InputError, match="saved_model.pb is missing"):
        check(folder)


def test_further_file_is_named(folder):
    (folder / "variables" / "variables.data").write_bytes(b"more")
    with pytest.raises(InputError, match="does not list variables/variables.data"):
        check(folder)

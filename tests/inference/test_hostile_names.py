"""What cannot be served is named, and the rest goes on."""

import pytest

from cyclegan_tf.common.errors import InputError
from cyclegan_tf.inference import files


@pytest.mark.parametrize("pattern", ["a**/*.png", "nothing/**/*.png"])
def test_bad_glob_is_named(tmp_path, pattern):
    with pytest.raises(InputError, match="\\*\\*"):
        files.find(f"{tmp_path}/{pattern}", str(tmp_path / "out"))


def test_glob_follows_no_circles_and_no_hidden_folders(tmp_path):
    for name in ("folder", ".hidden"):
        (tmp_path / "in" / name).mkdir(parents=True)
        (tmp_path / "in" / name / "within.png").touch()
    (tmp_path / "in" / "circle").symlink_to(".")
    (tmp_path / "in" / "up").symlink_to("..")
    for pattern, folder in (("**", "folder"), (".hid*", ".hidden")):
        found = files.find(f"{tmp_path}/in/{pattern}/*.png", "out")
        assert [path.parent.name for path in found.pictures] == [folder]

"""What cannot be served is named, and the rest goes on."""

import numpy as np
import pytest

from cyclegan_tf.common.errors import InputError
from cyclegan_tf.data import images
from cyclegan_tf.data.domain import Domain
from cyclegan_tf.inference import files as picture_files
from cyclegan_tf.inference import translator
from cyclegan_tf.model.networks import build_generator

RGB = Domain()


@pytest.mark.parametrize("pattern", ["a**/*.png", "nothing/**/*.png"])
def test_bad_glob_is_named(tmp_path, pattern):
    with pytest.raises(InputError, match="\\*\\*"):
        picture_files.find(f"{tmp_path}/{pattern}", str(tmp_path / "out"))


def test_glob_follows_no_circles_and_no_hidden_folders(tmp_path):
    for name in ("folder", ".hidden"):
        (tmp_path / "in" / name).mkdir(parents=True)
        (tmp_path / "in" / name / "within.png").touch()
    (tmp_path / "in" / "circle").symlink_to(".")
    (tmp_path / "in" / "up").symlink_to("..")
    for pattern, folder in (("**", "folder"), (".hid*", ".hidden")):
        found = picture_files.find(f"{tmp_path}/in/{pattern}/*.png", "out")
        assert [path.parent.name for path in found.files] == [folder]


def test_picture_that_the_memory_cannot_hold_is_refused():
    translate = translator._function(build_generator(64, 1), RGB, RGB, None)
    with pytest.raises(images.UnreadableImage, match="GB of memory.*--tile"):
        translate(np.zeros((1, 30_000, 30_000, 3), np.uint8))

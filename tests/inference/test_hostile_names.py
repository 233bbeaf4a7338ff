"""What cannot be served is named, and the rest goes on."""

import numpy as np
import pytest

from cyclegan_tf.common.errors import InputError
from cyclegan_tf.data import images
from cyclegan_tf.inference import files as picture_files
from cyclegan_tf.inference import translator
from cyclegan_tf.model.networks import build_generator


@pytest.mark.parametrize("pattern", ["a**/*.png", "nothing/**/*.png"])
def test_bad_glob_is_named(tmp_path, pattern):
    with pytest.raises(InputError, match="\\*\\*"):
        picture_files.plan(f"{tmp_path}/{pattern}", str(tmp_path / "out"), "png")


def test_glob_follows_no_circles_and_no_hidden_folders(tmp_path):
    for name in ("folder", ".hidden"):
        (tmp_path / "in" / name).mkdir(parents=True)
        (tmp_path / "in" / name / "within.png").touch()
    (tmp_path / "in" / "circle").symlink_to(".")
    (tmp_path / "in" / "up").symlink_to("..")
    jobs = picture_files.plan(f"{tmp_path}/in/**/*.png", str(tmp_path / "o"), "png")
    assert [job.source.parent.name for job in jobs] == ["folder"]
    jobs = picture_files.plan(f"{tmp_path}/in/.hid*/*.png", str(tmp_path / "o"), "png")
    assert [job.source.parent.name for job in jobs] == [".hidden"]


def test_picture_that_the_memory_cannot_hold_is_refused():
    translate = translator._function(build_generator(64, 1), None)
    with pytest.raises(images.UnreadableImage, match="GB of memory.*--tile"):
        translate(np.zeros((1, 30_000, 30_000, 3), np.uint8))

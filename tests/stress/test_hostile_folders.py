import os
import shutil

import pytest

from cyclegan_tf.common.errors import InputError
from cyclegan_tf.inference.jobs import find
from tests.helpers import run_script, write_images
from tests.stress import hostile_folders

pytestmark = pytest.mark.skipif(os.name != "posix", reason="links, pipes and devices")


@pytest.fixture
def folder(tmp_path):
    """An empty folder that may become too deep for pytest to remove."""
    path = tmp_path / "hostile"
    path.mkdir()
    yield path
    hostile_folders.remove(path)


def test_hostile_folder_gives_images_and_refusals(folder):
    outcomes = hostile_folders.feed(1000, 0, folder, ["run", "export"])
    assert all(min(numbers) > 100 for numbers in outcomes.values())
    made = {path.name for path in (folder / "translated-run").rglob("*.png")}
    assert {"linked.png", "dots.png", "hard-1.png", "hard-2.png", "within.png"} <= made


def test_commands_name_traps_in_one_line_each_and_do_the_rest(folder):
    bad = hostile_folders.make_traps(folder / "in" / "trainA")
    write_images(folder / "in" / "trainA", 1)
    for i in range(20 * len(bad)):
        os.link(folder / "in/trainA/000.png", folder / f"in/trainA/copy-{i}.png")
    shutil.copytree(folder / "in/trainA/folder.png", folder / "in/trainB")
    done = run_script(
        *("tfrecords/build.py", folder / "in", "--data-dir", folder / "tfrecords"),
    )
    assert done.returncode == 0, done.stderr
    lines = done.stderr.replace("\r", "\n").split("\n")
    for path in bad:
        assert sum(f"skipped trainA/{path.name}: " in line for line in lines) == 1
    assert sum("links to folders are not followed" in line for line in lines) == 4


def test_glob_follows_no_circles(folder):
    hostile_folders.make_traps(folder / "in")
    for name in ("deep", "long"):  # one line, whichever error it is
        with pytest.raises((InputError, OSError)):
            find(f"{folder}/in/{name}/**/*.png", "o")
        hostile_folders.remove(folder / "in" / name)
    files = find(f"{folder}/in/**/*.png", "o").pictures
    names = [path.name for path in files]
    assert "within.png" in names and names.count("linked.png") == 1

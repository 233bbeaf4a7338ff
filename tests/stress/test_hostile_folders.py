import os
import shutil
import subprocess
import sys

import numpy as np
import pytest

from cyclegan_tf.common.errors import InputError
from cyclegan_tf.common.files import write_text
from cyclegan_tf.data import images
from cyclegan_tf.inference import files as picture_files
from cyclegan_tf.inference import translator
from cyclegan_tf.model.networks import build_generator
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
    outcomes, _, wrong = hostile_folders.feed(90, 0, folder, ["run"])
    assert not wrong
    for reader, good in (("converter", "read"), ("run", "translated")):
        assert outcomes[reader, good] > 20 and outcomes[reader, "refused"] > 30
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
    hidden = folder / "in" / ".hidden"
    hidden.mkdir()
    (hidden / "x.png").touch()
    jobs = picture_files.plan(f"{folder}/in/f*/*.png", str(folder / "o"), "png")
    assert [job.source.name for job in jobs] == ["within.png"]
    for name in ("deep", "long"):  # one line, whichever error it is
        with pytest.raises((InputError, OSError)):
            picture_files.plan(f"{folder}/in/{name}/**/*.png", "o", "png")
        hostile_folders.remove(folder / "in" / name)
    jobs = picture_files.plan(f"{folder}/in/**/*.png", str(folder / "o"), "png")
    names = [job.source.name for job in jobs]
    assert "within.png" in names and names.count("linked.png") == 1
    assert "x.png" not in names
    jobs = picture_files.plan(f"{folder}/in/.hid*/*.png", str(folder / "o"), "png")
    assert [job.source.name for job in jobs] == ["x.png"]


def test_bad_globs_are_named(folder):
    for pattern in ("a**/*.png", "nothing/**/*.png"):
        with pytest.raises(InputError, match="\\*\\*"):
            picture_files.plan(f"{folder}/{pattern}", str(folder / "out"), "png")


def test_pipe_and_folder_in_the_place_of_a_file_are_refused_at_once(tmp_path):
    os.mkfifo(tmp_path / "pipe.png")
    for path in (tmp_path / "pipe.png", tmp_path):
        with pytest.raises(images.UnreadableImage, match="not a regular file"):
            images.read_file(path)


def test_file_that_grows_while_it_is_read_is_bounded(monkeypatch):
    endless = "/proc/self/smaps"  # it has no size, and more content than this
    if not os.path.exists(endless):
        pytest.skip("needs Linux")
    monkeypatch.setattr(images, "MAX_BYTES", 1000)
    with pytest.raises(images.UnreadableImage, match="more than"):
        images.read_file(endless)


def test_unreadable_file_and_folder_are_named(tmp_path):
    if os.geteuid() == 0 and not shutil.which("setpriv"):
        pytest.skip("root can read everything")
    write_images(tmp_path / "in", 1)
    write_images(tmp_path / "in" / "closed", 1)
    (tmp_path / "in" / "000.png").chmod(0)
    (tmp_path / "in" / "closed").chmod(0)
    script = (
        "import sys, pathlib; from cyclegan_tf.data import images\n"
        "from cyclegan_tf.data.sources import folder\n"
        "for path in folder.image_files(pathlib.Path(sys.argv[1])):\n"
        "    try: images.read_file(path)\n"
        "    except images.UnreadableImage as error: print(path.name, error)\n"
    )
    # Root may read everything unless it drops that right.
    drop = ["setpriv", "--bounding-set=-all", "--inh-caps=-all"]
    done = subprocess.run(
        [
            *(drop if os.geteuid() == 0 else ()),
            *(sys.executable, "-c", script, tmp_path / "in"),
        ],
        capture_output=True,
        text=True,
    )
    (tmp_path / "in" / "closed").chmod(0o700)
    assert done.stdout == "000.png Permission denied\n", done.stderr
    assert f"skipped the folder {tmp_path}/in/closed: Permission denied" in done.stderr


def test_longest_names_are_written(tmp_path):
    path = tmp_path / ("馬" * 83 + ".json")
    write_text(path, "{}")
    assert [each.name for each in tmp_path.iterdir()] == [path.name]


def test_picture_that_the_memory_cannot_hold_is_refused():
    translate = translator._function(build_generator(64, 1), None)
    with pytest.raises(images.UnreadableImage, match="GB of memory.*--tile"):
        translate(np.zeros((1, 30_000, 30_000, 3), np.uint8))

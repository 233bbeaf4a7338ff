"""Files that are damaged or made to do harm: each an image, or refused in one line."""

import os
import shutil
import subprocess
import sys

import pytest
import tensorflow as tf

from cyclegan_tf.data import images, records
from cyclegan_tf.data.domain import Domain
from tests.data import hostile_files
from tests.helpers import ROOT, write_images

needs_posix = pytest.mark.skipif(os.name != "posix", reason="links, pipes and devices")


def read(data):
    """What becomes of a file in the converter: the size of the picture, or None."""
    try:
        image = images.normalize(data)
    except images.UnreadableImage as error:
        assert str(error) and str(error).isprintable(), error
        return None
    example = records.parse(records.serialize(image, "name"))
    try:
        pixels = records.decode(example, Domain(image.channels, image.dtype))
    except tf.errors.InvalidArgumentError:  # which the conversion asks, too
        return None
    assert pixels.shape == (image.height, image.width, image.channels)
    return image.height, image.width


def test_good_files_of_every_kind_are_read():
    for data in hostile_files.good_files():
        assert min(read(data)) >= 40


def test_traps_are_images_or_refusals():
    sizes = [read(data) for data in hostile_files.traps()]
    assert sizes.count(None) > 10
    assert max(max(size) for size in sizes if size) <= 5000


@pytest.mark.parametrize("share", [0.05, 0.3, 0.9])
def test_file_that_is_cut_off_is_an_image_or_refused(share):
    for data in hostile_files.good_files():
        read(data[: int(share * len(data))])


@pytest.mark.parametrize(
    "name, reason",
    [("scans", "more than 200 scans"), ("comment", "[Tt]oo large|memory|exceed")],
)
def test_few_bytes_that_become_many_are_refused_before_they_do(name, reason):
    bomb = hostile_files.bombs()[name]
    assert len(bomb) < 100_000
    with pytest.raises(images.UnreadableImage, match=reason):
        images.normalize(bomb)


def test_jpeg_of_many_scans_is_read():
    assert read(hostile_files.progressive(150)) == (1000, 1000)


@pytest.mark.parametrize("entry", hostile_files.BROKEN_EXIF)
def test_damaged_exif_does_not_cost_the_picture(entry):
    segment = hostile_files.exif_segment(*entry)
    assert sorted(read(hostile_files.with_segment(segment))) == [40, 48]


@needs_posix
def test_pipe_and_folder_in_the_place_of_a_file_are_refused_at_once(tmp_path):
    os.mkfifo(tmp_path / "pipe.png")
    for path in (tmp_path / "pipe.png", tmp_path):
        with pytest.raises(images.UnreadableImage, match="not a regular file"):
            images.read_file(path)


def test_of_a_file_that_is_too_large_only_a_part_is_read(tmp_path, monkeypatch):
    (tmp_path / "large.png").write_bytes(hostile_files.png((64, 64, 8, 2, 0)) * 99)
    monkeypatch.setattr(images, "MAX_BYTES", 1000)
    data = images.read_file(tmp_path / "large.png")
    assert len(data) == 1001
    with pytest.raises(images.UnreadableImage, match="more than"):
        images.normalize(data)


@needs_posix
def test_unreadable_file_and_folder_are_named(tmp_path):
    if os.geteuid() == 0 and not shutil.which("setpriv"):
        pytest.skip("root can read everything")
    folder = tmp_path / "in"
    for domain in ("trainA", "trainB"):
        write_images(folder / domain, 3)
    write_images(folder / "trainA" / "closed", 1)
    (folder / "trainA" / "000.png").chmod(0)
    (folder / "trainA" / "closed").chmod(0)
    script = (
        "import sys; from cyclegan_tf.config import DatasetConfig\n"
        "from cyclegan_tf.data import images, sources\n"
        "sources.find_source(DatasetConfig(dataset=sys.argv[1]))\n"
        "try: images.read_file(sys.argv[1] + '/trainA/000.png')\n"
        "except images.UnreadableImage as error: print(error)\n"
    )
    # Root may read everything unless it drops that right.
    drop = ["setpriv", "--bounding-set=-all", "--inh-caps=-all"]
    done = subprocess.run(
        [*(drop if os.geteuid() == 0 else ()), sys.executable, "-c", script, folder],
        capture_output=True,
        text=True,
        cwd=ROOT,
    )
    (folder / "trainA" / "closed").chmod(0o700)
    assert done.stdout == "Permission denied\n", done.stderr
    assert f"skipped the folder {folder}/trainA/closed: Permission de" in done.stderr

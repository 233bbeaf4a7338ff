import errno
import os

import pytest

from cyclegan_tf.common.errors import InputError
from cyclegan_tf.config import DatasetConfig
from cyclegan_tf.data.sources import folder
from cyclegan_tf.data.sources.files import image_files
from tests.helpers import write_images


def test_files_that_are_not_read_are_counted_by_suffix(tmp_path, capsys):
    write_images(tmp_path, 2)
    (tmp_path / "within").mkdir()
    for name in ("a.nrrd", "b.NRRD", "within/c.nrrd", "d.exr", "README", ".hidden"):
        (tmp_path / name).touch()
    assert len(image_files(tmp_path)) == 2
    errors = capsys.readouterr().err
    assert errors == f"{tmp_path}: not used: 3 .nrrd, 1 .exr, 1 suffixless files\n"
    for i in range(100):
        (tmp_path / f"file.x{i}").touch()
    image_files(tmp_path)
    # Every suffix but the last few of very many.
    assert capsys.readouterr().err.endswith(", 4 other files\n")


def test_tiff_and_arrays_are_images(tmp_path):
    for name in ("a.tif", "b.TIFF", "c.npy", "d.Npy"):
        (tmp_path / name).touch()
    assert image_files(tmp_path) == ["a.tif", "b.TIFF", "c.npy", "d.Npy"]


def test_links_to_folders_are_named_and_not_followed(tmp_path, capsys):
    write_images(tmp_path / "in", 1)
    write_images(tmp_path / "outside", 1)
    (tmp_path / "in" / "link").symlink_to(tmp_path / "outside")
    (tmp_path / "in" / "link.png").symlink_to(tmp_path / "outside" / "000.png")
    found = image_files(tmp_path / "in")
    assert found == ["000.png", "link.png"]
    assert "in/link: links to folders are not followed" in capsys.readouterr().err


@pytest.mark.parametrize("layout, missing", [("trainA", "trainB"), ("B", "A")])
def test_missing_domain_is_named(tmp_path, layout, missing):
    write_images(tmp_path / layout, 1)
    with pytest.raises(InputError, match=f"/{missing} is missing"):
        folder.find(DatasetConfig(dataset=str(tmp_path)))
    (tmp_path / missing).mkdir()
    (tmp_path / missing / "a.nrrd").touch()
    with pytest.raises(InputError, match=f"/{missing} has no images.* TIFF, DICOM"):
        folder.find(DatasetConfig(dataset=str(tmp_path)))


def test_folder_that_cannot_be_read_is_named(tmp_path, monkeypatch):
    for split in ("trainA", "trainB"):
        write_images(tmp_path / split, 1)

    def refused(path):
        raise PermissionError(errno.EACCES, "Permission denied", path)

    monkeypatch.setattr(os, "scandir", refused)
    with pytest.raises(PermissionError, match="trainA"):
        folder.find(DatasetConfig(dataset=str(tmp_path)))


def test_file_in_the_place_of_a_folder_is_named(tmp_path):
    (tmp_path / "photos").touch()
    with pytest.raises(InputError, match="photos is a file"):
        folder.find(DatasetConfig(dataset=str(tmp_path / "photos")))


def test_identity_follows_the_files_and_not_the_place(tmp_path):
    write_images(tmp_path / "a" / "trainA", 2)
    write_images(tmp_path / "a" / "trainB", 1)
    config = DatasetConfig(dataset=str(tmp_path / "a"))
    before = folder.find(config).identity
    (tmp_path / "a").rename(tmp_path / "b")
    config = DatasetConfig(dataset=str(tmp_path / "b"))
    assert folder.find(config).identity == before
    first = tmp_path / "b" / "trainA" / "000.png"
    first.rename(first.with_name("001x.png"))
    assert folder.find(config).identity != before

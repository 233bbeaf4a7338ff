import os

import pytest

from cyclegan_tf.common.errors import InputError
from cyclegan_tf.config import DatasetConfig
from cyclegan_tf.data.sources import find_source, lists
from tests.helpers import write_images


@pytest.fixture
def pictures(tmp_path):
    """A list that is empty yet, beside pictures in two folders."""
    write_images(tmp_path / "some", 3)
    for name in ("IM0001", "IM0002"):  # as those of DICOM
        (tmp_path / "some" / name).touch()
    write_images(tmp_path / "more" / "él, one", 2)
    return tmp_path / "some"


def names(path):
    root = path.parent.resolve()
    return [str(file.relative_to(root)) for file in lists.files_in(path)]


@pytest.mark.parametrize(
    "name, text, found",
    [
        ("a.txt", "some/002.png\n\n  some/000.png\r\n", [2, 0]),
        ("a.txt", "./some/../some/001.png", [1]),
        ("a.csv", "some/001.png,cat\nsome/000.png,dog\n", [1, 0]),
        ("a.csv", "label,Path\ncat,some/001.png\n\ndog,some/000.png\n", [1, 0]),
        ("a.csv", "picture,label\nsome/002.png,cat\n", [2]),
        ("a.csv", "image,path\n7,some/001.png\n", [1]),
        ("a.csv", "file_name\nsome/002.png\n", [2]),
        ("a.csv", "label;path\r\ncat;some/001.png\r\n", [1]),
        ("a.csv", "\n \nlabel;path\n\ncat;some/001.png\n", [1]),
        ("a.csv", "some/001.png\tcat\nsome/000.png\tdog\n", [1, 0]),
        ("a.csv", "some/IM0001\nsome/IM0002\n", ["some/IM0001", "some/IM0002"]),
        ("a.txt", "", []),
        ("a.csv", "", []),
    ],
)
def test_list_names_files_beside_it_in_its_order(pictures, name, text, found):
    path = pictures.parent / name
    for encoding in ("utf-8", "utf-8-sig", "utf-16"):
        path.write_bytes(text.encode(encoding))
        found = [f"some/{i:03d}.png" if isinstance(i, int) else i for i in found]
        assert names(path) == found


def test_names_may_be_absolute_quoted_and_no_unicode(pictures):
    path = pictures.parent / "a.csv"
    path.write_text(f'"more/él, one/000.png"\n{pictures}/001.png\n', encoding="utf-8")
    assert names(path) == ["more/él, one/000.png", "some/001.png"]
    other = os.fsencode(pictures) + b"/\xff.png"
    os.rename(pictures / "000.png", other)
    (pictures.parent / "b.txt").write_bytes(other + b"\n")
    assert os.fsencode(lists.files_in(pictures.parent / "b.txt")[0]) == other


def test_missing_file_of_a_list_is_named_with_its_row(pictures):
    path = pictures.parent / "a.csv"
    path.write_text("path\nsome/000.png\nsome/009.png\n")
    with pytest.raises(InputError, match=r"a\.csv, row 3: .*some/009\.png is no such"):
        lists.files_in(path)


def test_domains_may_be_lists(pictures):
    place = pictures.parent
    (place / "cats.txt").write_text("some/002.png\nmore/él, one/001.png\n")
    (place / "dogs.csv").write_text("label,image\n0,some/000.png\n1,some/001.png\n")
    config = DatasetConfig(
        domain_a=str(place / "cats.txt"),
        domain_b=str(place / "dogs.csv"),
        test_a=str(place / "cats.txt"),
        test_b=str(place / "more"),
    )
    assert config.dataset_name == "cats2dogs"
    source = find_source(config)
    found = {name: list(split.jobs) for name, split in source.open().items()}
    assert [len(jobs) for jobs in found.values()] == [2, 2, 2, 2]
    [job, _] = found["trainA"]
    assert job.name.endswith("some/002.png")
    assert job.content == str(pictures / "002.png")


def test_empty_list_is_refused(pictures):
    for name in ("a.txt", "b.txt"):
        (pictures.parent / name).touch()
    config = DatasetConfig(
        domain_a=str(pictures.parent / "a.txt"), domain_b=str(pictures.parent / "b.txt")
    )
    with pytest.raises(InputError, match=r"a\.txt: it names no files"):
        find_source(config)

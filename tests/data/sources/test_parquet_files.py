import errno

import pyarrow
import pytest
from pyarrow import parquet

from cyclegan_tf.common.errors import InputError
from cyclegan_tf.config import DatasetConfig
from cyclegan_tf.data.convert import ensure_dataset
from cyclegan_tf.data.images import encode
from cyclegan_tf.data.sources import find_source
from tests.helpers import random_pixels

STRUCT = pyarrow.struct({"bytes": pyarrow.binary(), "path": pyarrow.string()})


def png(seed):
    return encode(random_pixels(20, 24, seed)).encoded


def rows(count, seed=0, path="{}.png"):
    return [{"bytes": png(seed + i), "path": path.format(i)} for i in range(count)]


def write(path, values, kind=STRUCT, column="image", **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    table = {"label": range(len(values)), column: pyarrow.array(values, kind)}
    parquet.write_table(pyarrow.table(table), path, **options)


def write_both(place, *arguments, **options):
    """Writes a file of the same to both domains; returns what names them."""
    for name in ("a", "b"):
        write(place / name / "x.parquet", *arguments, **options)
    return {"domain_a": f"{place}/a", "domain_b": f"{place}/b"}


def contents_of(**options):
    """What a source gives, by split and by name."""
    source = find_source(DatasetConfig(**options))
    return {
        name: {job.name: job.content for job in split.jobs}
        for name, split in source.open().items()
    }


def test_pictures_and_names_of_files_are_those_of_the_domains(tmp_path):
    write(tmp_path / "a/train-0.parquet", rows(5), row_group_size=2)
    write(tmp_path / "a/train-1.parquet", rows(6, 50))
    write(tmp_path / "a/test-0.parquet", rows(1, 70))
    write(tmp_path / "b/x.parquet", [png(80 + i) for i in range(4)], pyarrow.binary())
    places = {"domain_a": "a/train-*", "domain_b": "b/x", "test_a": "a/test-*"}
    places = {name: f"{tmp_path}/{x}.parquet" for name, x in places.items()}
    assert DatasetConfig(**places).dataset_name == "train-2x"
    images = contents_of(**places)
    assert [len(split) for split in images.values()] == [11, 3, 1, 1]
    found = {n: x for split in images.values() for n, x in split.items()}
    expected = {f"a/train-0.parquet/{i}.png": png(i) for i in range(5)}
    expected |= {f"a/train-1.parquet/{i}.png": png(50 + i) for i in range(6)}
    expected |= {"a/test-0.parquet/0.png": png(70)}
    expected |= {f"b/x.parquet/{i:06d}": png(80 + i) for i in range(4)}
    assert found == expected
    assert [*images["trainA"]] == list(expected)[:11]


@pytest.mark.parametrize("kind", [pyarrow.binary(), pyarrow.large_binary()])
@pytest.mark.parametrize("column", ["image", "img"])
def test_column_may_be_bytes_of_any_name(tmp_path, kind, column):
    images = contents_of(**write_both(tmp_path, [png(1), png(2)], kind, column))
    found = {*images["trainA"].values(), *images["testA"].values()}
    assert found == {png(1), png(2)}


def test_row_without_a_picture_is_skipped_with_its_name(tmp_path, capsys):
    values = rows(30)
    values[7] = None
    values[8]["path"] = None
    places = write_both(tmp_path, values)
    ensure_dataset(DatasetConfig(data_dir=f"{tmp_path}/tfrecords", **places))
    said = capsys.readouterr().err
    assert "skipped a/x.parquet/000007: it is empty" in said
    assert "2 of 60 images could not be used" in said


def test_file_without_pictures_names_its_columns(tmp_path):
    places = write_both(tmp_path, ["one.png"], pyarrow.string())
    problem = r"x\.parquet has no column image .*: label, im"
    with pytest.raises(InputError, match=problem):
        contents_of(**places)


@pytest.mark.parametrize("share", [0, 0.5])
def test_file_that_is_cut_off_is_named(tmp_path, share):
    places, path = write_both(tmp_path, rows(3)), tmp_path / "b" / "x.parquet"
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
    with pytest.raises(InputError, match=r"b/x\.parquet is no whole Parquet file"):
        contents_of(**places)


def test_file_that_is_damaged_within_is_named(tmp_path):
    places = write_both(tmp_path, rows(9), compression="gzip")
    path = tmp_path / "b" / "x.parquet"
    content = path.read_bytes()
    third = len(content) // 3
    path.write_bytes(content[:third] + bytes(third) + content[2 * third :])
    with pytest.raises(InputError, match=r"b/x\.parquet is damaged: "):
        contents_of(**places)


def test_disk_that_fails_is_told_apart_from_a_damaged_file(tmp_path, monkeypatch):
    places = write_both(tmp_path, rows(3))

    def failing(*_, **__):
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(parquet.ParquetFile, "iter_batches", failing)
    with pytest.raises(OSError, match="Input/output error: '.*a/x.parquet'"):
        contents_of(**places)

import errno
import io

import pyarrow
import pytest
from PIL import Image
from pyarrow import parquet

from cyclegan_tf.common.errors import InputError
from cyclegan_tf.config import DatasetConfig
from cyclegan_tf.data.convert import ensure_dataset
from cyclegan_tf.data.sources import find_source
from tests.helpers import random_pixels

STRUCT = pyarrow.struct({"bytes": pyarrow.binary(), "path": pyarrow.string()})


def png(seed):
    buffer = io.BytesIO()
    Image.fromarray(random_pixels(20, 24, seed=seed)).save(buffer, "PNG")
    return buffer.getvalue()


def rows(count, seed=0, path="{}.png"):
    return [{"bytes": png(seed + i), "path": path.format(i)} for i in range(count)]


def write(path, values, kind=STRUCT, column="image", **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    table = {"label": range(len(values)), column: pyarrow.array(values, kind)}
    parquet.write_table(pyarrow.table(table), path, **options)


def source_of(place, a="a", b="b"):
    return find_source(DatasetConfig(domain_a=str(place / a), domain_b=str(place / b)))


def contents(source):
    return {
        name: {job.name: job.content for job in split.jobs}
        for name, split in source.open().items()
    }


def test_pictures_and_names_of_files_are_those_of_the_domains(tmp_path):
    write(tmp_path / "a/train-0.parquet", rows(5), row_group_size=2)
    write(tmp_path / "a/train-1.parquet", rows(6, 50))
    write(tmp_path / "a/test-0.parquet", rows(1, 70))
    write(tmp_path / "b/x.parquet", [png(80 + i) for i in range(4)], pyarrow.binary())
    config = DatasetConfig(
        domain_a=str(tmp_path / "a" / "train-*.parquet"),
        domain_b=str(tmp_path / "b" / "x.parquet"),
        test_a=str(tmp_path / "a" / "test-*.parquet"),
    )
    assert config.dataset_name == "train-2x"
    images = contents(find_source(config))
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
    for name in ("a", "b"):
        write(tmp_path / name / "x.parquet", [png(1), png(2)], kind, column)
    images = contents(source_of(tmp_path))
    found = {*images["trainA"].values(), *images["testA"].values()}
    assert found == {png(1), png(2)}


def test_row_without_a_picture_is_skipped_with_its_name(tmp_path, capsys):
    values = rows(30)
    values[7] = None
    values[8]["path"] = None
    for name in ("a", "b"):
        write(tmp_path / name / "x.parquet", values)
    config = DatasetConfig(
        domain_a=str(tmp_path / "a"),
        domain_b=str(tmp_path / "b"),
        data_dir=str(tmp_path / "tfrecords"),
    )
    ensure_dataset(config)
    said = capsys.readouterr().err
    assert "skipped a/x.parquet/000007: it is empty" in said
    assert "2 of 60 images could not be used" in said


def test_file_without_pictures_names_its_columns(tmp_path):
    for name in ("a", "b"):
        write(tmp_path / name / "x.parquet", ["one.png"], pyarrow.string())
    with pytest.raises(
        InputError, match=r"x\.parquet has no column image .*: label, im"
    ):
        contents(source_of(tmp_path))


@pytest.mark.parametrize("share", [0, 0.5])
def test_file_that_is_cut_off_is_named(tmp_path, share):
    for name in ("a", "b"):
        write(tmp_path / name / "x.parquet", rows(3))
    path = tmp_path / "b" / "x.parquet"
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
    with pytest.raises(InputError, match=r"b/x\.parquet is no whole Parquet file"):
        contents(source_of(tmp_path))


def test_file_that_is_damaged_within_is_named(tmp_path):
    for name in ("a", "b"):
        write(tmp_path / name / "x.parquet", rows(9), compression="gzip")
    path = tmp_path / "b" / "x.parquet"
    content = path.read_bytes()
    third = len(content) // 3
    path.write_bytes(content[:third] + bytes(third) + content[2 * third :])
    with pytest.raises(InputError, match=r"b/x\.parquet is damaged: "):
        contents(source_of(tmp_path))


def test_disk_that_fails_is_told_apart_from_a_damaged_file(tmp_path, monkeypatch):
    for name in ("a", "b"):
        write(tmp_path / name / "x.parquet", rows(3))

    def failing(*_, **__):
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(parquet.ParquetFile, "iter_batches", failing)
    with pytest.raises(OSError, match="Input/output error: '.*a/x.parquet'"):
        contents(source_of(tmp_path))


def test_kinds_are_not_mixed(tmp_path):
    for name in ("a", "b"):
        write(tmp_path / name / "x.parquet", rows(3))
    Image.fromarray(random_pixels(20, 24)).save(tmp_path / "a" / "y.png")
    with pytest.raises(InputError, match="holds files of several kinds"):
        source_of(tmp_path)

import concurrent.futures
import errno
import json
import os
import pathlib
import shutil
import threading

import pytest
import tensorflow as tf
from PIL import Image

from cyclegan_tf.common import files, locks
from cyclegan_tf.common.errors import InputError
from cyclegan_tf.config import DatasetConfig
from cyclegan_tf.data import loading, records, sharding
from cyclegan_tf.data.convert import ensure_dataset
from cyclegan_tf.data.dataset import Dataset, read_manifest
from cyclegan_tf.data.parts import Part
from cyclegan_tf.data.shards import names_of, serialized_examples
from cyclegan_tf.data.sources.files import Files
from tests.helpers import dataset_config, random_pixels, write_images


@pytest.fixture
def photos(tmp_path):
    """A folder of both domains with test images."""
    for split, count in (("trainA", 5), ("trainB", 4), ("testA", 2), ("testB", 1)):
        write_images(tmp_path / "photos" / split, count)
    return tmp_path / "photos"


def names(directory, split):
    return names_of(Dataset.open(directory).split(split))


def content_of(directory):
    return {path.name: path.read_bytes() for path in directory.iterdir()}


def test_folder_becomes_shards_with_a_manifest_once(photos):
    directory = ensure_dataset(dataset_config(photos))
    manifest = read_manifest(directory)
    counts = {name: split["count"] for name, split in manifest["splits"].items()}
    assert counts == {"trainA": 5, "trainB": 4, "testA": 2, "testB": 1}
    assert manifest["source"]["kind"] == "folder"
    assert {path.name for path in directory.iterdir()} == {
        *("dataset.json", "index.npz", "check.json"),
        *(f"{name}-00000.tfrecord" for name in counts),
    }
    raw = next(iter(tf.data.TFRecordDataset(str(directory / "trainA-00000.tfrecord"))))
    example = {key: value.numpy() for key, value in records.parse(raw).items()}
    assert example["image/encoded"] == (photos / "trainA" / "000.png").read_bytes()
    assert example["image/format"] == b"png"
    assert (example["image/height"], example["image/width"]) == (40, 48)
    assert example["image/filename"] == b"trainA/000.png"
    # The second start finds it.
    written = (directory / "dataset.json").stat().st_mtime_ns
    assert ensure_dataset(dataset_config(photos)) == directory
    assert (directory / "dataset.json").stat().st_mtime_ns == written


def test_every_format_size_and_name_is_read(tmp_path):
    folder = tmp_path / "photos"
    write_images(folder / "trainB", 2)
    given = ["a.jpg", "b.JPEG", "c.png", "d.webp", "e.bmp", "f.gif", "деревня/馬 1.png"]
    for i, name in enumerate(given):
        path = folder / "trainA" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(random_pixels(20 + i, 60 - i)).save(path)
    (folder / "trainA" / "notes.txt").write_text("not an image")
    (folder / "trainA" / ".hidden.png").write_text("not an image")
    directory = ensure_dataset(dataset_config(folder))
    assert names(directory, "trainA") == [f"trainA/{name}" for name in given]


def test_large_split_is_sharded_in_order_and_the_index_finds_each(photos, monkeypatch):
    monkeypatch.setattr(sharding, "SHARD_BYTES", 5000)
    directory = ensure_dataset(dataset_config(photos))
    shards = read_manifest(directory)["splits"]["trainA"]["shards"]
    assert [(s["file"], s["count"]) for s in shards] == [
        ("trainA-00000.tfrecord", 2),
        ("trainA-00001.tfrecord", 2),
        ("trainA-00002.tfrecord", 1),
    ]
    sizes = [(directory / s["file"]).stat().st_size for s in shards]
    assert sizes == [s["bytes"] for s in shards]
    assert all(size >= 5000 for size in sizes[:-1])
    assert names(directory, "trainA") == [f"trainA/{i:03d}.png" for i in range(5)]
    split = Dataset.open(directory).split("trainA")
    expected = [raw.numpy() for raw in tf.data.TFRecordDataset(split.paths)]
    assert len(expected) == len(split) == 5
    for (shard, _, start, length), raw in zip(split.places, expected, strict=True):
        content = pathlib.Path(split.paths[shard]).read_bytes()
        assert content[start + 12 : start + 12 + length] == raw
    assert split.places[:, :2].tolist() == [[0, 0], [0, 1], [1, 0], [1, 1], [2, 0]]
    order = tf.data.Dataset.from_tensor_slices([4, 0, 3, 3])
    read = serialized_examples(split, order).as_numpy_iterator()
    assert list(read) == [expected[i] for i in (4, 0, 3, 3)]


def test_parallel_conversion_equals_the_serial_one(tmp_path, monkeypatch):
    options = {"synthetic_images": 6, "synthetic_size": 32}
    fingerprints = []
    for num_workers, chunk in ((1, 100), (3, 1)):
        monkeypatch.setattr(loading, "NUM_WORKERS", num_workers)
        monkeypatch.setattr(loading, "CHUNK", chunk)
        data_dir = str(tmp_path / str(num_workers))
        directory = ensure_dataset(DatasetConfig(data_dir=data_dir, **options))
        fingerprints.append(read_manifest(directory)["fingerprint"])
    assert fingerprints[0] == fingerprints[1]


def test_folders_a_and_b_give_a_seeded_hold_out(tmp_path):
    folder = tmp_path / "photos"
    write_images(folder / "A", 20)
    write_images(folder / "B", 5)
    directory = ensure_dataset(dataset_config(folder))
    train, test = names(directory, "trainA"), names(directory, "testA")
    assert (len(train), len(test)) == (18, 2)
    assert sorted(train + test) == [f"A/{i:03d}.png" for i in range(20)]
    assert len(names(directory, "testB")) == 1
    again = ensure_dataset(dataset_config(folder, data_dir=str(tmp_path / "again")))
    assert names(again, "testA") == test
    other = dataset_config(folder, data_dir=str(tmp_path / "other"), data_seed=1)
    assert names(ensure_dataset(other), "testA") != test


def test_unreadable_files_are_named_and_skipped_if_they_are_few(tmp_path, capsys):
    folder = tmp_path / "photos"
    write_images(folder / "trainA", 18)
    write_images(folder / "trainB", 1)
    (folder / "trainA" / "broken.jpg").write_text("no image")
    with pytest.raises(InputError, match="1 of 19 images of trainA.*broken.jpg"):
        ensure_dataset(dataset_config(folder))
    assert not list((tmp_path / "tfrecords").glob("*photos"))
    write_images(folder / "trainA", 30)
    directory = ensure_dataset(dataset_config(folder))
    assert read_manifest(directory)["splits"]["trainA"]["unreadable"] == 1
    assert len(names(directory, "trainA")) == 30
    errors = capsys.readouterr().err
    assert "skipped trainA/broken.jpg: not a JPEG" in errors
    assert "1 of 32 images could not be used" in errors


def test_changed_folder_is_converted_again_beside_the_earlier_shards(photos, capsys):
    first = ensure_dataset(dataset_config(photos))
    before = content_of(first)
    write_images(photos / "trainA", 6)
    second = ensure_dataset(dataset_config(photos))
    assert (first.name, second.name) == ("photos", "photos@2")
    said = capsys.readouterr().err
    assert f"{first}: its source or options have changed, converting again" in said
    assert len(names(second, "trainA")) == 6
    assert content_of(first) == before
    # Each is found again, and by name, without its source, the newest one.
    assert ensure_dataset(dataset_config(photos)) == second
    named = dataset_config(photos, dataset="photos")
    moved = photos.rename(photos.with_name("moved"))
    assert ensure_dataset(named) == second
    moved.rename(photos)
    (photos / "trainA" / "005.png").unlink()
    assert ensure_dataset(dataset_config(photos)) == first
    # A third one does not take the place of what was removed.
    write_images(photos / "trainB", 7)
    assert ensure_dataset(dataset_config(photos)).name == "photos@3"


def test_moved_folder_is_the_same_dataset(photos, tmp_path, monkeypatch):
    directory = ensure_dataset(dataset_config(photos))
    before = content_of(directory)
    moved = tmp_path / "elsewhere" / "photos"
    moved.parent.mkdir()
    photos.rename(moved)
    monkeypatch.chdir(moved.parent)
    for path in (str(moved), "photos", "../elsewhere/photos/"):
        config = dataset_config(
            moved, dataset=path, data_dir=str(tmp_path / "tfrecords")
        )
        assert ensure_dataset(config) == directory
    assert content_of(directory) == before
    # Where it lies does not even matter for what becomes of it.
    anew = ensure_dataset(dataset_config(moved, data_dir=str(tmp_path / "anew")))
    assert Dataset.open(anew).fingerprint == Dataset.open(directory).fingerprint


@pytest.mark.parametrize("above", ["", "cats and dogs"])
def test_other_folder_of_the_same_name_is_refused(photos, tmp_path, above):
    data_dir = str(tmp_path / "tfrecords")
    photos = pathlib.Path(shutil.move(photos, tmp_path / "here" / above / "photos"))
    directory = ensure_dataset(dataset_config(photos, data_dir=data_dir))
    other = tmp_path / "elsewhere" / "photos"
    shutil.copytree(photos, other)
    write_images(other / "trainA", 6)
    config = dataset_config(other, data_dir=data_dir)
    problem = f"other images .{photos}.*{other}.*--data-dir"
    with pytest.raises(InputError, match=problem):
        ensure_dataset(config)
    assert len(names(directory, "trainA")) == 5


def test_foreign_directory_is_refused_and_kept(photos, tmp_path):
    foreign = tmp_path / "tfrecords" / "photos"
    foreign.mkdir(parents=True)
    (foreign / "diary.txt").write_text("mine")
    with pytest.raises(InputError, match="no dataset.json"):
        ensure_dataset(dataset_config(photos))
    assert (foreign / "diary.txt").read_text() == "mine"


def test_damaged_manifest_is_named_and_cannot_name_files_elsewhere(photos):
    path = ensure_dataset(dataset_config(photos)) / "dataset.json"
    manifest = json.loads(path.read_text())
    manifest["splits"]["trainA"]["shards"][0]["file"] = "../secret"
    files.write_json(path, manifest)
    with pytest.raises(InputError, match="outside its directory"):
        read_manifest(path.parent)
    path.write_text('{"schema_version": 1, "spl')
    with pytest.raises(InputError, match="dataset.json is damaged"):
        ensure_dataset(dataset_config(photos))


def test_dataset_of_an_earlier_version_is_converted_anew(photos, capsys):
    path = ensure_dataset(dataset_config(photos)) / "dataset.json"
    before = json.loads(path.read_text()) | {"schema_version": 1}
    files.write_json(path, before)
    with pytest.raises(InputError, match="another schema version"):
        read_manifest(path.parent)
    gone = photos.rename(photos.with_name("gone"))
    with pytest.raises(InputError, match="is of an earlier version.*no such folder"):
        ensure_dataset(dataset_config(photos, dataset="photos"))
    # The images are the same, so their shards are.
    gone.rename(photos)
    assert ensure_dataset(dataset_config(photos)) == path.parent
    assert "photos: its format has changed, converting again" in capsys.readouterr().err
    assert json.loads(path.read_text()) != before
    assert len(Dataset.open(path.parent).split("trainA")) == 5


@pytest.mark.parametrize("length", [None, 0, -10, 1])
def test_shard_of_another_size_is_named_at_the_start(photos, length):
    dataset = Dataset.open(ensure_dataset(dataset_config(photos)))
    shard = dataset.directory / "trainB-00000.tfrecord"
    if length is None:
        shard.unlink()
    else:
        os.truncate(shard, length and shard.stat().st_size + length)
    with pytest.raises(InputError, match="trainB-00000.tfrecord"):
        dataset.split("trainB")


def test_damaged_index_is_named(photos):
    path = ensure_dataset(dataset_config(photos)) / "index.npz"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    for _ in range(2):
        with pytest.raises(InputError, match="index.npz is damaged or missing"):
            Dataset.open(path.parent)
        path.unlink(missing_ok=True)


class Killed(BaseException):
    """Leaves things as they are, as a signal would."""


def convert_until_killed(photos, monkeypatch, place, name, number):
    """Ends a conversion when it calls a function for the n-th time."""
    real, calls = getattr(place, name), []

    def killing(*arguments):
        calls.append(arguments)
        if len(calls) == number:
            raise Killed
        return real(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(place, name, killing)
        with pytest.raises(Killed):
            ensure_dataset(dataset_config(photos))


def test_killed_conversion_goes_on_to_the_same_bits(photos, tmp_path, monkeypatch):
    (photos / "trainA" / "002.png").write_text("no image")
    monkeypatch.setattr(sharding, "SHARD_BYTES", 5000)
    monkeypatch.setattr(sharding, "MAX_UNREADABLE_SHARE", 0.2)
    whole = ensure_dataset(dataset_config(photos, data_dir=str(tmp_path / "whole")))
    num_shards = len(list(whole.glob("*.tfrecord")))
    assert num_shards >= 6
    for _ in range(3):  # the second shard that each start finishes is its last
        convert_until_killed(photos, monkeypatch, Part, "save", 2)
    unfinished = tmp_path / "tfrecords" / ".unfinished-photos"
    (unfinished / "parts" / "testA-00000.tfrecord.npz").write_bytes(b"PK")  # cut off
    (unfinished / "trainB-00009.tfrecord").write_text("half")
    assert len(list(unfinished.glob("*.tfrecord"))) > 3
    convert_until_killed(photos, monkeypatch, sharding, "_write_manifest", 1)
    assert content_of(ensure_dataset(dataset_config(photos))) == content_of(whole)
    assert not unfinished.exists()


def test_unfinished_conversion_of_other_files_is_not_gone_on_with(photos, monkeypatch):
    convert_until_killed(photos, monkeypatch, sharding, "_write_manifest", 1)
    write_images(photos / "trainA", 6)
    assert len(names(ensure_dataset(dataset_config(photos)), "trainA")) == 6


def test_who_comes_second_waits_and_finds_the_dataset_done(photos, capsys):
    configs = [dataset_config(photos)] * 2
    with concurrent.futures.ThreadPoolExecutor(2) as threads:
        first, second = threads.map(ensure_dataset, configs)
    assert first == second and first.name == "photos"
    assert capsys.readouterr().err.count("width/height") == 1  # one was converted
    assert len(names(first, "trainA")) == 5


def test_without_locks_each_writes_for_itself(photos, monkeypatch, tmp_path, capsys):
    def without_locks(*_):
        raise OSError(errno.ENOSYS, "Function not implemented")

    together = threading.Barrier(2)

    def at_once(function):
        def call(*arguments, **options):
            together.wait(60)
            return function(*arguments, **options)

        return call

    whole = ensure_dataset(dataset_config(photos, data_dir=str(tmp_path / "whole")))
    monkeypatch.setattr(locks.fcntl, "flock", without_locks)
    monkeypatch.setattr(sharding, "finished_parts", at_once(sharding.finished_parts))
    # When neither has seen the other's.
    monkeypatch.setattr(os, "rename", at_once(os.rename))
    configs = [dataset_config(photos)] * 2
    with concurrent.futures.ThreadPoolExecutor(2) as threads:
        found = {*threads.map(ensure_dataset, configs)}
    assert {path.name for path in found} <= {"photos", "photos@2"}
    for path in found:
        assert content_of(path).items() >= content_of(whole).items()
    assert not list((tmp_path / "tfrecords").glob(".unfinished-*"))


def test_unfinished_conversions_of_long_names_are_told_apart(tmp_path, monkeypatch):
    for name in ("first", "other"):
        folder = tmp_path / f"{name}-{'x' * 70}"
        for split in ("trainA", "trainB"):
            write_images(folder / split, 1)
        convert_until_killed(folder, monkeypatch, sharding, "_write_manifest", 1)
    assert len(list((tmp_path / "tfrecords").glob(".unfinished-*"))) == 2


def test_copied_project_is_the_same_dataset(photos, tmp_path, capsys):
    Image.fromarray(random_pixels(40, 48)).save(photos / "trainB" / "x.bmp")
    directory = ensure_dataset(dataset_config(photos))
    before = content_of(directory)
    copied = shutil.copytree(photos, tmp_path / "elsewhere" / "photos")
    for number, path in enumerate(copied.rglob("*.png")):
        os.utime(path, (1_600_000_000, 1_600_000_000 + number))
    config = dataset_config(copied, data_dir=str(tmp_path / "tfrecords"))
    assert ensure_dataset(config) == directory
    assert "comparing what is in them" in capsys.readouterr().err
    # Which is remembered.
    assert ensure_dataset(config) == directory
    assert capsys.readouterr().err == ""
    manifest = before.pop("dataset.json")
    assert content_of(directory).items() >= before.items()
    assert (directory / "dataset.json").read_bytes() != manifest
    # One of another content is another one, whatever its size.
    Image.fromarray(random_pixels(40, 48, seed=99)).save(copied / "trainB" / "x.bmp")
    shutil.rmtree(photos)
    assert ensure_dataset(config).name == "photos@2"


def test_file_that_was_touched_is_found_to_be_the_same(photos, capsys):
    write_images(photos / "trainA", 24)
    (photos / "trainA" / "003.png").write_text("no image")
    directory = ensure_dataset(dataset_config(photos))
    for name in ("trainA/001.png", "trainA/003.png"):
        (photos / name).touch()
    assert ensure_dataset(dataset_config(photos)) == directory
    assert capsys.readouterr().err.count("comparing what is in them") == 1
    # Read once, and found to be another; but its shards are the same.
    (photos / "trainA" / "003.png").write_text("No image")
    assert ensure_dataset(dataset_config(photos)) == directory
    said = capsys.readouterr().err
    assert said.count("comparing what is in them") == 1
    assert "holds the same images" in said
    # As where a manifest of earlier versions has no digest of the content.
    path = directory / "dataset.json"
    manifest = json.loads(path.read_text())
    del manifest["content"]
    files.write_json(path, manifest)
    (photos / "trainA" / "001.png").touch()
    assert ensure_dataset(dataset_config(photos)) == directory
    assert "holds the same images" in capsys.readouterr().err
    assert ensure_dataset(dataset_config(photos)) == directory
    assert "1 of its files could not be used when it" in capsys.readouterr().err
    there = {path.name for path in directory.parent.iterdir()}
    assert there <= {"photos", ".photos.lock"}


def test_file_that_cannot_be_used_is_known_by_its_content_where_it_is_last(
    photos, capsys
):
    write_images(photos / "trainA", 24)
    (photos / "trainA" / "999.png").write_text("no image")
    directory = ensure_dataset(dataset_config(photos))
    (photos / "trainA" / "999.png").touch()
    assert ensure_dataset(dataset_config(photos)) == directory
    said = capsys.readouterr().err
    assert "comparing what is in them" in said and "holds the same images" not in said


def test_files_that_become_fewer_end_in_one_line(photos, monkeypatch):
    count = Files.count
    monkeypatch.setattr(Files, "count", lambda files: count(files) + 1)
    with pytest.raises(InputError, match="testA: its files have become fewer"):
        ensure_dataset(dataset_config(photos))


def test_dataset_of_a_name_like_that_of_a_version_is_none(photos, tmp_path):
    other = shutil.copytree(photos, tmp_path / "photos@2")
    write_images(other / "trainA", 6)
    ensure_dataset(dataset_config(photos))
    assert ensure_dataset(dataset_config(other)).name == "photos@2"
    write_images(photos / "trainA", 7)
    assert ensure_dataset(dataset_config(photos)).name == "photos@3"
    named = dataset_config(photos, dataset="photos")
    photos.rename(tmp_path / "moved")
    assert ensure_dataset(named).name == "photos@3"


def test_converted_dataset_is_used_where_nothing_can_be_written(photos):
    config = dataset_config(photos)
    directory = ensure_dataset(config)
    lock = directory.with_name(".photos.lock")
    lock.unlink(missing_ok=True)
    assert ensure_dataset(config) == directory
    assert not lock.exists()

import json
import os
import pathlib
import shutil
import subprocess

import pytest
import tensorflow as tf
from PIL import Image

from cyclegan_tf.common import files
from cyclegan_tf.common.errors import InputError
from cyclegan_tf.config import DatasetConfig
from cyclegan_tf.data import convert as conversion
from cyclegan_tf.data import journal, loading, pipeline, records, shards
from cyclegan_tf.data.convert import ensure_dataset
from cyclegan_tf.data.dataset import read_manifest
from tests.helpers import command, random_pixels, write_images


@pytest.fixture
def photos(tmp_path):
    """A folder of both domains with test images."""
    for split, count in (("trainA", 5), ("trainB", 4), ("testA", 2), ("testB", 1)):
        write_images(tmp_path / "photos" / split, count)
    return tmp_path / "photos"


def config_of(folder, **options):
    data_dir = str(folder.parent / "tfrecords")
    return DatasetConfig(**({"dataset": str(folder), "data_dir": data_dir} | options))


def examples(directory, split):
    manifest = read_manifest(directory)
    paths = [str(directory / s["file"]) for s in manifest["splits"][split]["shards"]]
    return [records.parse(raw) for raw in tf.data.TFRecordDataset(paths)]


def names(directory, split):
    found = [e["image/filename"].numpy() for e in examples(directory, split)]
    return [name.decode() for name in found]


def test_folder_becomes_shards_with_a_manifest(photos):
    directory = ensure_dataset(config_of(photos))
    manifest = read_manifest(directory)
    counts = {name: split["count"] for name, split in manifest["splits"].items()}
    assert counts == {"trainA": 5, "trainB": 4, "testA": 2, "testB": 1}
    assert manifest["source"]["kind"] == "folder"
    for split, entry in manifest["splits"].items():
        assert [shard["file"] for shard in entry["shards"]] == [
            f"{split}-00000.tfrecord"
        ]


def test_example_has_the_standard_keys_and_the_original_bytes(photos):
    directory = ensure_dataset(config_of(photos))
    example = examples(directory, "trainA")[0]
    original = (photos / "trainA" / "000.png").read_bytes()
    assert example["image/encoded"].numpy() == original
    assert example["image/format"].numpy() == b"png"
    assert (example["image/height"].numpy(), example["image/width"].numpy()) == (40, 48)
    assert example["image/filename"].numpy() == b"trainA/000.png"


def test_every_format_size_and_name_is_read(tmp_path):
    folder = tmp_path / "photos"
    write_images(folder / "trainB", 2)
    for i, name in enumerate(
        ["a.jpg", "b.JPEG", "c.png", "d.webp", "e.bmp", "f.gif", "деревня/馬 1.png"]
    ):
        path = folder / "trainA" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(random_pixels(20 + i, 60 - i)).save(path)
    (folder / "trainA" / "notes.txt").write_text("not an image")
    (folder / "trainA" / ".hidden.png").write_text("not an image")
    directory = ensure_dataset(config_of(folder))
    assert names(directory, "trainA") == [
        "trainA/a.jpg",
        "trainA/b.JPEG",
        "trainA/c.png",
        "trainA/d.webp",
        "trainA/e.bmp",
        "trainA/f.gif",
        "trainA/деревня/馬 1.png",
    ]


def test_large_split_is_sharded_in_order(photos, monkeypatch):
    monkeypatch.setattr(conversion, "SHARD_BYTES", 5000)
    directory = ensure_dataset(config_of(photos))
    entries = read_manifest(directory)["splits"]["trainA"]["shards"]
    assert [s["file"] for s in entries] == [
        f"trainA-{i:05d}.tfrecord" for i in range(3)
    ]
    assert [s["count"] for s in entries] == [2, 2, 1]
    sizes = [(directory / s["file"]).stat().st_size for s in entries]
    assert sizes == [s["bytes"] for s in entries]
    assert all(size >= 5000 for size in sizes[:-1])
    assert names(directory, "trainA") == [f"trainA/{i:03d}.png" for i in range(5)]
    assert len(pipeline.open_split(directory, "trainA")) == 5


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
    directory = ensure_dataset(config_of(folder))
    train, test = names(directory, "trainA"), names(directory, "testA")
    assert (len(train), len(test)) == (18, 2)
    assert sorted(train + test) == [f"A/{i:03d}.png" for i in range(20)]
    assert len(names(directory, "testB")) == 1
    again = ensure_dataset(config_of(folder, data_dir=str(tmp_path / "again")))
    assert names(again, "testA") == test
    other = config_of(folder, data_dir=str(tmp_path / "other"), data_seed=1)
    assert names(ensure_dataset(other), "testA") != test


def test_few_unreadable_files_are_named_and_skipped(tmp_path, capsys):
    folder = tmp_path / "photos"
    write_images(folder / "trainA", 30)
    write_images(folder / "trainB", 1)
    (folder / "trainA" / "broken.jpg").write_text("no image")
    directory = ensure_dataset(config_of(folder))
    assert read_manifest(directory)["splits"]["trainA"]["unreadable"] == 1
    assert len(names(directory, "trainA")) == 30
    errors = capsys.readouterr().err
    assert "skipped trainA/broken.jpg: not a JPEG" in errors
    assert "1 of 32 images could not be used" in errors


def test_more_than_five_percent_unreadable_stops(tmp_path):
    folder = tmp_path / "photos"
    write_images(folder / "trainA", 18)
    write_images(folder / "trainB", 1)
    (folder / "trainA" / "broken.jpg").write_text("no image")
    with pytest.raises(InputError, match="1 of 19 images of trainA.*broken.jpg"):
        ensure_dataset(config_of(folder))
    assert not (tmp_path / "tfrecords" / "photos").exists()


def test_second_start_reuses_the_shards(photos, capsys):
    directory = ensure_dataset(config_of(photos))
    written = (directory / "dataset.json").stat().st_mtime_ns
    assert ensure_dataset(config_of(photos)) == directory
    assert (directory / "dataset.json").stat().st_mtime_ns == written


def test_changed_folder_is_converted_again_beside_the_earlier_shards(photos, capsys):
    first = ensure_dataset(config_of(photos))
    before = content_of(first)
    write_images(photos / "trainA", 6)
    second = ensure_dataset(config_of(photos))
    assert (first.name, second.name) == ("photos", "photos@2")
    said = capsys.readouterr().err
    assert f"{first}: its source or options have changed, converting again" in said
    assert len(names(second, "trainA")) == 6
    assert content_of(first) == before
    # Each is found again, and by name the newest one.
    assert ensure_dataset(config_of(photos)) == second
    named = config_of(photos, dataset="photos")
    moved = photos.rename(photos.with_name("moved"))
    assert ensure_dataset(named) == second
    moved.rename(photos)
    (photos / "trainA" / "005.png").unlink()
    assert ensure_dataset(config_of(photos)) == first
    # A third one does not take the place of what was removed.
    write_images(photos / "trainB", 7)
    assert ensure_dataset(config_of(photos)).name == "photos@3"


def test_converted_dataset_is_used_by_name_without_its_source(photos, tmp_path):
    directory = ensure_dataset(config_of(photos))
    shutil.rmtree(photos)
    config = DatasetConfig(dataset="photos", data_dir=str(tmp_path / "tfrecords"))
    assert ensure_dataset(config) == directory


def test_moved_folder_is_the_same_dataset(photos, tmp_path, monkeypatch, capsys):
    directory = ensure_dataset(config_of(photos))
    written = (directory / "dataset.json").stat().st_mtime_ns
    moved = tmp_path / "elsewhere" / "photos"
    moved.parent.mkdir()
    photos.rename(moved)
    monkeypatch.chdir(moved.parent)
    for path in (str(moved), "photos", "../elsewhere/photos/"):
        config = config_of(moved, dataset=path, data_dir=str(tmp_path / "tfrecords"))
        assert ensure_dataset(config) == directory
    assert (directory / "dataset.json").stat().st_mtime_ns == written
    # Where it lies does not even matter for what becomes of it.
    anew = ensure_dataset(config_of(moved, data_dir=str(tmp_path / "anew")))
    fingerprints = [read_manifest(place)["fingerprint"] for place in (directory, anew)]
    assert fingerprints[0] == fingerprints[1]


def test_other_folder_of_the_same_name_is_refused(photos, tmp_path):
    directory = ensure_dataset(config_of(photos))
    other = tmp_path / "elsewhere" / "photos"
    shutil.copytree(photos, other)
    write_images(other / "trainA", 6)
    config = config_of(other, data_dir=str(tmp_path / "tfrecords"))
    with pytest.raises(
        InputError, match=f"other images .{photos}.*{other}.*--data-dir"
    ):
        ensure_dataset(config)
    assert len(names(directory, "trainA")) == 5


def test_foreign_directory_is_refused_and_kept(photos, tmp_path):
    foreign = tmp_path / "tfrecords" / "photos"
    foreign.mkdir(parents=True)
    (foreign / "diary.txt").write_text("mine")
    with pytest.raises(InputError, match="no dataset.json"):
        ensure_dataset(config_of(photos))
    assert (foreign / "diary.txt").read_text() == "mine"


def test_remains_of_a_killed_conversion_are_replaced(photos, tmp_path):
    partial = tmp_path / "tfrecords" / ".partial-photos"
    partial.mkdir(parents=True)
    (partial / "trainA-00000.tfrecord").write_text("half")
    directory = ensure_dataset(config_of(photos))
    assert len(names(directory, "trainA")) == 5
    assert not partial.exists()


def test_damaged_manifest_is_named(photos):
    directory = ensure_dataset(config_of(photos))
    (directory / "dataset.json").write_text('{"schema_version": 1, "spl')
    with pytest.raises(InputError, match="dataset.json is damaged"):
        ensure_dataset(config_of(photos))


@pytest.fixture
def of_earlier_version(photos):
    """A dataset whose manifest is of the version before."""
    path = ensure_dataset(config_of(photos)) / "dataset.json"
    files.write_json(path, json.loads(path.read_text()) | {"schema_version": 1})
    return path.parent


def test_dataset_of_an_earlier_version_is_converted_anew(
    of_earlier_version, photos, capsys
):
    with pytest.raises(InputError, match="another schema version"):
        read_manifest(of_earlier_version)
    with open(of_earlier_version / "dataset.json") as manifest:
        before = manifest.read()
    # The images are the same, so their shards are.
    assert ensure_dataset(config_of(photos)) == of_earlier_version
    assert "photos: its format has changed, converting again" in capsys.readouterr().err
    assert (of_earlier_version / "dataset.json").read_text() != before
    assert len(pipeline.open_split(of_earlier_version, "trainA")) == 5


def test_source_of_an_earlier_version_that_is_gone_is_named(of_earlier_version, photos):
    shutil.rmtree(photos)
    config = config_of(photos, dataset="photos")
    with pytest.raises(InputError, match="is of an earlier version.*no such folder"):
        ensure_dataset(config)


def test_manifest_cannot_name_files_elsewhere(photos):
    directory = ensure_dataset(config_of(photos))
    manifest = json.loads((directory / "dataset.json").read_text())
    manifest["splits"]["trainA"]["shards"][0]["file"] = "../secret"
    files.write_json(directory / "dataset.json", manifest)
    with pytest.raises(InputError, match="outside its directory"):
        read_manifest(directory)


@pytest.mark.parametrize("damage", ["longer", "cut", "empty", "missing"])
def test_shard_of_another_size_is_named_at_the_start(photos, damage):
    directory = ensure_dataset(config_of(photos))
    shard = directory / "trainB-00000.tfrecord"
    content = shard.read_bytes()
    if damage == "missing":
        os.unlink(shard)
    elif damage == "longer":
        shard.write_bytes(content + b"0")
    else:
        shard.write_bytes(content[: 0 if damage == "empty" else -10])
    with pytest.raises(InputError, match="trainB-00000.tfrecord"):
        pipeline.open_split(directory, "trainB")


@pytest.mark.parametrize("damage", ["flip", "missing"])
def test_damaged_index_is_named(photos, damage):
    directory = ensure_dataset(config_of(photos))
    content = bytearray((directory / "index.npz").read_bytes())
    content[len(content) // 2] ^= 1
    (directory / "index.npz").write_bytes(content)
    if damage == "missing":
        (directory / "index.npz").unlink()
    with pytest.raises(InputError, match="index.npz is damaged"):
        pipeline.open_split(directory, "trainB")


def test_index_finds_every_example(photos, monkeypatch):
    monkeypatch.setattr(conversion, "SHARD_BYTES", 5000)
    split = pipeline.open_split(ensure_dataset(config_of(photos)), "trainA")
    expected = [raw.numpy() for raw in tf.data.TFRecordDataset(split.paths)]
    assert len(expected) == len(split) == 5
    for (shard, _, start, length), raw in zip(split.places, expected, strict=True):
        content = pathlib.Path(split.paths[shard]).read_bytes()
        assert content[start + 12 : start + 12 + length] == raw
    assert split.places[:, :2].tolist() == [[0, 0], [0, 1], [1, 0], [1, 1], [2, 0]]
    order = tf.data.Dataset.from_tensor_slices([4, 0, 3, 3])
    read = shards.serialized_examples(split, order).as_numpy_iterator()
    assert list(read) == [expected[i] for i in (4, 0, 3, 3)]


class Killed(BaseException):
    """Leaves things as they are, as a signal would."""


def content_of(directory):
    return {path.name: path.read_bytes() for path in directory.iterdir()}


def test_killed_conversion_goes_on_to_the_same_bits(photos, tmp_path, monkeypatch):
    (photos / "trainA" / "002.png").write_text("no image")
    monkeypatch.setattr(conversion, "SHARD_BYTES", 5000)
    monkeypatch.setattr(conversion, "MAX_UNREADABLE_SHARE", 0.2)
    whole = ensure_dataset(config_of(photos, data_dir=str(tmp_path / "whole")))
    num_shards = len(list(whole.glob("*.tfrecord")))
    assert num_shards >= 6

    def killed_at(module, name, number):
        real, calls = getattr(module, name), []

        def killing(*arguments):
            calls.append(arguments)
            if len(calls) == number:
                raise Killed
            return real(*arguments)

        with monkeypatch.context() as patch:
            patch.setattr(module, name, killing)
            with pytest.raises(Killed):
                ensure_dataset(config_of(photos))

    for _ in range(3):  # the second shard that each start finishes is its last
        killed_at(journal, "add", 2)
    unfinished = tmp_path / "tfrecords" / ".unfinished-photos"
    with (unfinished / journal.NAME).open("a") as lines:
        lines.write('{"split": "trainB", "file"')  # a line that was cut off
    (unfinished / "trainB-00009.tfrecord").write_text("half")
    assert len(list(unfinished.glob("*.tfrecord"))) > 3
    killed_at(conversion, "_write_manifest", 1)
    assert content_of(ensure_dataset(config_of(photos))) == content_of(whole)
    assert not unfinished.exists()


def test_unfinished_conversion_of_other_files_is_not_gone_on_with(
    photos, tmp_path, monkeypatch
):
    def killing(*_):
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(conversion, "_write_manifest", killing)
        with pytest.raises(Killed):
            ensure_dataset(config_of(photos))
    write_images(photos / "trainA", 6)
    assert len(names(ensure_dataset(config_of(photos)), "trainA")) == 6


def test_second_process_waits_and_finds_the_dataset_done(photos):
    config = config_of(photos)
    arguments = [photos, "--data-dir", config.data_dir]
    processes = [
        subprocess.Popen(
            command("tfrecords/build.py", *arguments),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]
    outputs = [process.communicate(timeout=120) for process in processes]
    assert [process.returncode for process in processes] == [0, 0], outputs
    assert outputs[0][0] == outputs[1][0]
    assert len(names(ensure_dataset(config), "trainA")) == 5


def test_copied_project_is_the_same_dataset(photos, tmp_path, capsys):
    Image.fromarray(random_pixels(40, 48)).save(photos / "trainB" / "x.bmp")
    directory = ensure_dataset(config_of(photos))
    before = content_of(directory)
    copied = shutil.copytree(photos, tmp_path / "elsewhere" / "photos")
    for number, path in enumerate(copied.rglob("*.png")):
        os.utime(path, (1_600_000_000, 1_600_000_000 + number))
    config = config_of(copied, data_dir=str(tmp_path / "tfrecords"))
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
    directory = ensure_dataset(config_of(photos))
    for name in ("trainA/001.png", "trainA/003.png"):
        (photos / name).touch()
    assert ensure_dataset(config_of(photos)) == directory
    assert capsys.readouterr().err.count("comparing what is in them") == 1
    # Read once, and found to be another; but its shards are the same.
    (photos / "trainA" / "003.png").write_text("No image")
    assert ensure_dataset(config_of(photos)) == directory
    said = capsys.readouterr().err
    assert said.count("comparing what is in them") == 1
    assert "holds the same images" in said


def test_touched_files_of_a_dataset_without_their_digest_give_the_same_shards(
    photos, capsys
):
    directory = ensure_dataset(config_of(photos))
    path = directory / "dataset.json"
    manifest = json.loads(path.read_text())
    del manifest["content"]  # as of earlier versions
    files.write_json(path, manifest)
    assert ensure_dataset(config_of(photos)) == directory
    (photos / "trainA" / "001.png").touch()
    capsys.readouterr()
    assert ensure_dataset(config_of(photos)) == directory
    assert "holds the same images" in capsys.readouterr().err
    assert {path.name for path in directory.parent.iterdir()} <= {
        "photos",
        ".photos.lock",
    }
    assert ensure_dataset(config_of(photos)) == directory
    assert capsys.readouterr().err == ""


def test_dataset_of_a_name_like_that_of_a_version_is_none(photos, tmp_path):
    other = shutil.copytree(photos, tmp_path / "photos@2")
    write_images(other / "trainA", 6)
    ensure_dataset(config_of(photos))
    assert ensure_dataset(config_of(other)).name == "photos@2"
    write_images(photos / "trainA", 7)
    assert ensure_dataset(config_of(photos)).name == "photos@3"
    named = config_of(photos, dataset="photos")
    photos.rename(tmp_path / "moved")
    assert ensure_dataset(named).name == "photos@3"


def test_converted_dataset_is_used_where_nothing_can_be_written(photos):
    config = config_of(photos)
    directory = ensure_dataset(config)
    lock = directory.with_name(".photos.lock")
    lock.unlink(missing_ok=True)
    assert ensure_dataset(config) == directory
    assert not lock.exists()

import os
import shutil

import numpy as np
import pytest

from cyclegan_tf.common.errors import Damaged
from cyclegan_tf.config.sizes import Frame
from cyclegan_tf.data import pipeline
from cyclegan_tf.data.dataset import Dataset
from cyclegan_tf.data.shards import names_of
from tests.helpers import assert_one_line_error, run_here


@pytest.fixture
def dataset(tmp_path, tiny_data_dir):
    """A copy that may be damaged."""
    path = tmp_path / "tfrecords" / "synthetic" / "horse2zebra"
    return shutil.copytree(tiny_data_dir / "synthetic" / "horse2zebra", path)


def damage(split, number, at):
    """Flips a bit of a record: 0 to 7 are its length, 8 to 11 the length's checksum."""
    shard, _, start, length = split.places[number]
    with open(split.paths[shard], "r+b") as file:
        file.seek(start + (at if at >= 0 else 16 + length + at))
        byte = file.read(1)[0]
        file.seek(-1, 1)
        file.write(bytes([byte ^ 1]))


@pytest.mark.parametrize("at", [0, 8, 100, -1])
def test_damaged_records_are_named_and_the_others_read(dataset, capsys, at):
    split = Dataset.open(dataset).split("trainA")
    for number in (3, 7):
        damage(split, number, at)
    with pytest.raises(Damaged, match="1 of 4 shards are damaged"):
        Dataset.open(dataset).verify()
    path = split.paths[0]
    assert f"{path} is damaged: 2 of 12 records (3, 7)\n" in capsys.readouterr().err
    # The size is the same, so that only reading notices; the others are as they were.
    split = Dataset.open(dataset).split("trainA")
    images = pipeline.load_images(split.first(3), Frame(16, 16))
    assert images.shape == (3, 16, 16, 3)
    with pytest.raises(Damaged, match=f"{path}: record [37] is damaged"):
        pipeline.load_images(split, Frame(16, 16))


def test_names_of_a_few_are_those_of_all_and_cut_off_records_are_named(dataset):
    split = Dataset.open(dataset).split("trainB")
    every = names_of(split)
    assert len(set(every)) == 12
    assert names_of(split, np.array([7, 0])) == [every[7], every[0]]
    path, start = split.paths[0], split.places[5, 2]
    os.truncate(path, start + 40)
    with pytest.raises(Damaged, match=f"{path}: record 5 is damaged"):
        names_of(split, np.array([0, 5]))


def test_missing_shard_is_named(dataset, capsys):
    shard = next(dataset.glob("testB-*"))
    shard.unlink()
    with pytest.raises(Damaged, match="1 of 4"):
        Dataset.open(dataset).verify()
    assert f"{shard} is missing\n" in capsys.readouterr().err


def test_build_verifies_with_status_2_for_damage(dataset, tmp_path, capsys):
    options = ["build", "--data-dir", tmp_path / "tfrecords", "--verify"]
    options += ["--synthetic-images", 12, "--synthetic-size", 40, "--data-seed", 29]
    done = run_here(capsys, *options)
    assert done.returncode == 0 and "trainA 12" in done.stdout, done.stderr
    damage(Dataset.open(dataset).split("trainB"), 5, 50)
    done = run_here(capsys, *options)
    assert_one_line_error(done, "1 of 4 shards are damaged")
    assert "trainB-00000.tfrecord is damaged: 1 of 12 records (5)" in done.stderr

"""Opening a converted dataset, and finding the one that a run was trained on."""

import json
import shutil

import numpy as np
import pytest

from cyclegan_tf.common.errors import Damaged
from cyclegan_tf.config import DatasetConfig
from cyclegan_tf.data.dataset import Dataset, find_dataset
from cyclegan_tf.data.domain import Domain, Domains

NAME = "synthetic/horse2zebra"


@pytest.fixture
def data_dir(tmp_path, tiny_data_dir):
    """A copy that may be changed."""
    return shutil.copytree(tiny_data_dir, tmp_path / "tfrecords")


def find(data_dir, fingerprint):
    return find_dataset(DatasetConfig(data_dir=str(data_dir)), fingerprint)


def test_all_of_a_dataset_is_known_once_it_is_open(tiny_data_dir):
    dataset = Dataset.open(tiny_data_dir / NAME)
    assert dataset.is_paired
    assert dataset.domains == Domains()
    lengths = {name: len(split) for name, split in dataset.splits().items()}
    assert lengths == {"trainA": 12, "trainB": 12, "testA": 1, "testB": 1}
    grey = Domain(channels=1)
    assert dataset.split("trainA", grey).domain == grey
    np.testing.assert_array_equal(dataset.split("testB").sizes, [[40, 40]])


def test_run_finds_its_images_by_their_fingerprint_wherever_they_are(data_dir):
    fingerprint = Dataset.open(data_dir / NAME).fingerprint
    assert find(data_dir, fingerprint).directory == data_dir / NAME
    assert find(data_dir, None).directory == data_dir / NAME
    assert find(data_dir, "that of other images") is None
    assert find(data_dir / "elsewhere", fingerprint) is None
    moved = shutil.move(data_dir / NAME, data_dir / "moved")
    assert find(data_dir, fingerprint).directory == moved
    # What is just being written is not there yet.
    shutil.move(moved, data_dir / ".unfinished-moved")
    assert find(data_dir, fingerprint) is None


def test_images_of_a_name_are_not_those_of_another(data_dir):
    shutil.move(data_dir / NAME, data_dir / "other")
    assert find(data_dir, None) is None


def test_damage_is_told_unless_the_images_are_elsewhere_too(data_dir):
    fingerprint = Dataset.open(data_dir / NAME).fingerprint
    other = shutil.copytree(data_dir / NAME, data_dir / "other")
    (data_dir / NAME / "dataset.json").write_text("{")
    assert find(data_dir, fingerprint).directory == other
    with pytest.raises(Damaged, match="is damaged"):
        find(data_dir, "that of other images")
    (other / "index.npz").write_bytes(b"PK")
    with pytest.raises(Damaged, match=r"index\.npz is damaged"):
        find(data_dir, fingerprint)


def test_images_may_lack_values_where_an_earlier_version_did_not_count_them(data_dir):
    assert not Dataset.open(data_dir / NAME).split("trainA").has_nodata
    path = data_dir / NAME / "dataset.json"
    manifest = json.loads(path.read_text())
    del manifest["splits"]["trainA"]["shards"][0]["nodata"]
    path.write_text(json.dumps(manifest))
    splits = Dataset.open(data_dir / NAME).splits()
    assert [split.has_nodata for split in splits.values()] == [True, *[False] * 3]

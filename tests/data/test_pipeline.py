import dataclasses
import hashlib

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from cyclegan_tf.config.sizes import Frame
from cyclegan_tf.data import pipeline
from cyclegan_tf.data.dataset import Dataset
from cyclegan_tf.data.domain import Domain
from cyclegan_tf.data.shards import names_of
from tests.helpers import converted

OPTIONS = {
    "frame": Frame(32, 32),
    "load_frame": Frame(36, 36),
    "flip": "horizontal",
    "batch_size": 1,
    "seed": 0,
    "cache": "auto",
}


@pytest.fixture(scope="module")
def splits(tiny_data_dir):
    dataset = Dataset.open(tiny_data_dir / "synthetic" / "horse2zebra")
    return dataset.split("trainA"), dataset.split("trainB")


def batches(splits, count, first_step=0, **options):
    dataset = pipeline.training_input(*splits, **OPTIONS | options)(first_step)
    return [tuple(domain.numpy() for domain in pair) for pair in dataset.take(count)]


def test_batches_have_shape_type_and_range(splits):
    for pair in batches(splits, 2, batch_size=3):
        for images in pair:
            assert images.shape == (3, 32, 32, 3)
            assert images.dtype == np.float32
            assert -1 <= images.min() < -0.2 and 0.2 < images.max() <= 1


@pytest.mark.parametrize("cache", ["memory", "none"])
def test_batches_from_a_later_step_are_those_of_an_uncut_run(splits, cache):
    options = {"batch_size": 2, "cache": cache}
    whole = batches(splits, 12, **options)
    np.testing.assert_array_equal(batches(splits, 5, 7, **options), whole[7:])


def test_cache_does_not_change_the_batches(splits):
    kept = batches(splits, 15, cache="memory")
    np.testing.assert_array_equal(kept, batches(splits, 15, cache="none"))


@pytest.mark.parametrize("cache", ["memory", "none"])
def test_order_crops_and_flips_of_a_seed_are_the_same_for_ever(tmp_path, cache):
    # A run that is continued by a later version of this program must see the same.
    rng = np.random.default_rng(0)
    for name, count in (("trainA", 5), ("trainB", 3)):
        (tmp_path / "photos" / name).mkdir(parents=True)
        for i in range(count):
            pixels = rng.integers(0, 256, (20, 20, 3), np.uint8)
            Image.fromarray(pixels).save(tmp_path / "photos" / name / f"{i}.png")
    dataset = converted(tmp_path / "photos")
    splits = dataset.split("trainA"), dataset.split("trainB")
    # The images have the load size, so that no rounding of a resize matters.
    sizes = {"frame": Frame(16, 16), "load_frame": Frame(20, 20)}
    taken = batches(splits, 10, 3, **sizes, batch_size=2, seed=7, cache=cache)
    levels = np.rint((np.array(taken) + 1) * 127.5).astype(np.uint8)
    digest = hashlib.sha256(levels.tobytes()).hexdigest()
    assert digest.startswith("ca6e07ae0ae17b92b5251999f7d54a0c")


@pytest.mark.parametrize("num_workers, per_worker", [(1, 2), (2, 1), (2, 3)])
def test_workers_share_each_step(splits, num_workers, per_worker):
    num_replicas = num_workers * per_worker
    batches_from = pipeline.training_input(*splits, **OPTIONS | {"batch_size": 2})
    [(whole, _)] = batches(splits, 1, 3, batch_size=2 * num_replicas)
    shares = []
    for worker in range(num_workers):
        context = tf.distribute.InputContext(num_workers, worker, num_replicas)
        # A step takes one batch for each replica of the worker.
        taken = batches_from(3, context).take(per_worker)
        shares.append(np.concatenate([images for images, _ in taken]))
        np.testing.assert_array_equal(shares[-1], whole[worker::num_workers])
    assert sum(map(len, shares)) == len(whole)


def test_64_pipelines_give_every_image_once_in_a_pass():
    count, start = 6400, 6400 * 3
    shares = []
    for pipeline_id in range(64):
        context = tf.distribute.InputContext(64, pipeline_id, 64)
        positions = pipeline.positions_of(start, context).take(count // 64)
        indices = positions.map(lambda p: pipeline.index_at(p, count, order_seed=5))
        shares.append(list(indices.as_numpy_iterator()))
    assert sorted(sum(shares, [])) == list(range(count))
    alone = pipeline.positions_of(start, pipeline.ALONE).take(640)
    indices = alone.map(lambda p: pipeline.index_at(p, count, order_seed=5))
    taken = np.array(shares)[:, :10].T.ravel()  # what 10 steps of batch size 1 take
    np.testing.assert_array_equal(taken, list(indices.as_numpy_iterator()))


def test_sample_is_fixed_and_the_same_of_paired_splits(splits):
    first, second = (split.sample(5) for split in splits)
    assert splits[0].sample(12) is splits[0]
    assert first.name == "trainA, drawn from 12 by seed 0"
    np.testing.assert_array_equal(first.places, splits[0].sample(5).places)
    rows = [splits[0].places.tolist().index(row) for row in first.places.tolist()]
    assert rows == sorted(set(rows)) and rows != [0, 1, 2, 3, 4]
    assert second.places[:, 1].tolist() == first.places[:, 1].tolist()
    few, whole = (pipeline.load_images(x, Frame(32, 32)) for x in (first, splits[0]))
    np.testing.assert_array_equal(few, whole[rows])


def test_seed_changes_the_batches(splits):
    assert not np.array_equal(batches(splits, 3), batches(splits, 3, seed=1))


def sightings(splits, count):
    """Which image each crop of A and B comes from, and where it was cut."""
    seen = []
    for domain, split in enumerate(splits):
        sources = pipeline.load_images(split, Frame(36, 36))
        offsets = 36 - 32 + 1
        places = {}
        for i, source in enumerate(sources):
            for flip, picture in enumerate((source, source[:, ::-1])):
                for y in range(offsets):
                    for x in range(offsets):
                        crop = picture[y : y + 32, x : x + 32]
                        places[crop.tobytes()] = (i, flip, y, x)
        crops = [pair[domain][0] for pair in batches(splits, count)]
        levels = [np.rint((crop + 1) * 127.5).astype(np.uint8) for crop in crops]
        # A crop that is not exactly part of its source would be a KeyError.
        seen.append([places[level.tobytes()] for level in levels])
    return seen


def test_order_and_transform(splits):
    number = len(splits[0])
    seen_a, seen_b = sightings(splits, 8 * number)
    orders = []
    for seen in (seen_a, seen_b):
        images = [place[0] for place in seen]
        passes = [images[i : i + number] for i in range(0, len(images), number)]
        # Every pass sees every image once, in an order of its own.
        assert all(sorted(p) == list(range(number)) for p in passes)
        assert len({tuple(p) for p in passes}) == len(passes)
        orders.append(images)
    # The two domains are not paired.
    assert orders[0] != orders[1]
    # The augmentation of an image is drawn anew each time, in all its parts.
    for image in range(number):
        cuts = [place[1:] for place in seen_a if place[0] == image]
        assert len(set(cuts)) > 4
    flips, rows, columns = np.array([place[1:] for place in seen_a + seen_b]).T
    assert 0.35 < flips.mean() < 0.65
    assert set(rows) == set(columns) == set(range(5))


def test_smaller_domain_is_repeated(splits):
    sizes = splits[1].sizes[:5]
    small = dataclasses.replace(splits[1], places=splits[1].places[:5], sizes=sizes)
    assert pipeline.steps_per_epoch(splits[0], small, 1) == 12
    seen = sightings((splits[0], small), 15)[1]
    images = [place[0] for place in seen]
    assert all(sorted(images[i : i + 5]) == list(range(5)) for i in (0, 5, 10))


@pytest.mark.parametrize("batch_size, steps", [(1, 12), (5, 3), (12, 1), (100, 1)])
def test_steps_per_epoch_see_the_larger_domain_once(splits, batch_size, steps):
    assert pipeline.steps_per_epoch(*splits, batch_size) == steps


@pytest.mark.parametrize("spare, keeps", [(0, True), (-8, False)])
def test_auto_cache_compares_with_the_free_memory(splits, monkeypatch, spare, keeps):
    decoded = []
    monkeypatch.setattr(pipeline, "_all_in_memory", lambda *x: decoded.append(x))
    available = 4 * 24 * 36 * 36 * 3 + spare
    monkeypatch.setattr(pipeline, "available_memory", lambda: available)
    pipeline.training_input(*splits, **OPTIONS)
    assert len(decoded) == 2 * keeps


def test_split_without_images_is_empty(tiny_data_dir):
    places, sizes = np.zeros((0, 4), np.int64), np.zeros((0, 2), np.int64)
    empty = pipeline.Split("testA", [], places, sizes, Domain())
    assert len(empty) == len(names_of(empty)) == 0
    assert pipeline.load_images(empty, Frame(32, 32)).shape == (0, 32, 32, 3)
    assert pipeline.load_masks(empty, Frame(32, 32)) is None


def test_masks_belong_to_test_images_only(tiny_data_dir):
    dataset = Dataset.open(tiny_data_dir / "synthetic" / "horse2zebra")
    masks = pipeline.load_masks(dataset.split("testA"), Frame(32, 32))
    assert masks.shape == (1, 32, 32) and masks.dtype == bool
    assert pipeline.load_masks(dataset.split("trainA"), Frame(32, 32)) is None

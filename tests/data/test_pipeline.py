import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from cyclegan_tf.data import pipeline


@pytest.fixture(scope="module")
def splits(tiny_data_dir):
    directory = tiny_data_dir / "synthetic" / "horse2zebra"
    return pipeline.open_split(directory, "trainA"), pipeline.open_split(
        directory, "trainB"
    )


def batches(splits, config, count, first_step=0):
    dataset = pipeline.training_input(*splits, config)(first_step)
    return [tuple(domain.numpy() for domain in pair) for pair in dataset.take(count)]


def test_batches_have_shape_type_and_range(splits, tiny_run):
    config = tiny_run(batch_size=3)
    for pair in batches(splits, config, 2):
        for images in pair:
            assert images.shape == (3, 32, 32, 3)
            assert images.dtype == np.float32
            assert -1 <= images.min() < -0.2 and 0.2 < images.max() <= 1


@pytest.mark.parametrize("cache", ["memory", "none"])
def test_batches_from_a_later_step_are_those_of_an_uncut_run(splits, tiny_run, cache):
    config = tiny_run(batch_size=2, cache=cache)
    whole = batches(splits, config, 12)
    np.testing.assert_array_equal(batches(splits, config, 5, 7), whole[7:])


def test_cache_does_not_change_the_batches(splits, tiny_run):
    kept = batches(splits, tiny_run(cache="memory"), 15)
    np.testing.assert_array_equal(kept, batches(splits, tiny_run(cache="none"), 15))


@pytest.mark.parametrize("num_workers, per_worker", [(1, 2), (2, 1), (2, 3)])
def test_workers_share_each_step(splits, tiny_run, num_workers, per_worker):
    num_replicas = num_workers * per_worker
    batches_from = pipeline.training_input(*splits, tiny_run(batch_size=2))
    [(whole, _)] = batches(splits, tiny_run(batch_size=2 * num_replicas), 1, 3)
    shares = []
    for worker in range(num_workers):
        context = tf.distribute.InputContext(num_workers, worker, num_replicas)
        # A step takes one batch for each replica of the worker.
        taken = batches_from(3, context).take(per_worker)
        shares.append(np.concatenate([images for images, _ in taken]))
        np.testing.assert_array_equal(shares[-1], whole[worker::num_workers])
    assert sum(map(len, shares)) == len(whole)


def test_seed_changes_the_batches(splits, tiny_run):
    first = batches(splits, tiny_run(), 3)
    assert not np.array_equal(first, batches(splits, tiny_run(seed=1), 3))


def sightings(splits, config, count):
    """Which image each crop of A and B comes from, and where it was cut."""
    seen = []
    for domain, split in enumerate(splits):
        sources = pipeline.load_images(split, config.resolved_load_size)
        offsets = config.resolved_load_size - config.image_size + 1
        places = {}
        for i, source in enumerate(sources):
            for flip, picture in enumerate((source, source[:, ::-1])):
                for y in range(offsets):
                    for x in range(offsets):
                        crop = picture[y : y + 32, x : x + 32]
                        places[crop.tobytes()] = (i, flip, y, x)
        crops = [pair[domain][0] for pair in batches(splits, config, count)]
        levels = [np.rint((crop + 1) * 127.5).astype(np.uint8) for crop in crops]
        # A crop that is not exactly part of its source would be a KeyError.
        seen.append([places[level.tobytes()] for level in levels])
    return seen


def test_order_and_transform(splits, tiny_run):
    number = len(splits[0])
    seen_a, seen_b = sightings(splits, tiny_run(), 8 * number)
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


def test_smaller_domain_is_repeated(splits, tiny_run):
    small = dataclasses.replace(
        splits[1],
        offsets=splits[1].offsets[:5],
        lengths=splits[1].lengths[:5],
        shard=splits[1].shard[:5],
    )
    assert (
        pipeline.steps_per_epoch(splits[0], small, tiny_run(steps_per_epoch=None)) == 12
    )
    seen = sightings((splits[0], small), tiny_run(), 15)[1]
    images = [place[0] for place in seen]
    assert all(sorted(images[i : i + 5]) == list(range(5)) for i in (0, 5, 10))


@pytest.mark.parametrize("batch_size, steps", [(1, 12), (5, 3), (12, 1), (100, 1)])
def test_steps_per_epoch_see_the_larger_domain_once(
    splits, tiny_run, batch_size, steps
):
    config = tiny_run(batch_size=batch_size, steps_per_epoch=None)
    assert pipeline.steps_per_epoch(*splits, config) == steps


def test_waiting_time_is_added(splits, tiny_run):
    dataset = pipeline.training_input(*splits, tiny_run())(0)
    a, b, waited = next(iter(pipeline.with_waiting_time(dataset)))
    assert a.shape == b.shape == (1, 32, 32, 3)
    assert 0 <= float(waited) < 60


def test_slow_input_shows_in_the_waiting_time(splits, tiny_run):
    import time

    import tensorflow as tf

    def slowly(x):
        time.sleep(0.1)
        return x

    slow = tf.data.Dataset.range(3).map(lambda x: tf.py_function(slowly, [x], tf.int64))
    pairs = tf.data.Dataset.zip((slow, slow))
    waits = [float(wait) for _, _, wait in pipeline.with_waiting_time(pairs)]
    assert all(wait > 0.15 for wait in waits)


def test_auto_cache_compares_with_the_free_memory(splits, tiny_run, monkeypatch):
    needed = 24 * 36 * 36 * 3
    for available, keeps in ((needed * 4, True), (needed * 4 - 8, False)):
        monkeypatch.setattr(pipeline, "_available_memory", lambda a=available: a)
        assert pipeline._keeps_in_memory(*splits, tiny_run(cache="auto")) is keeps


def test_masks_belong_to_test_images_only(tiny_data_dir):
    directory = tiny_data_dir / "synthetic" / "horse2zebra"
    masks = pipeline.load_masks(pipeline.open_split(directory, "testA"), 32)
    assert masks.shape == (1, 32, 32) and masks.dtype == bool
    assert pipeline.load_masks(pipeline.open_split(directory, "trainA"), 32) is None

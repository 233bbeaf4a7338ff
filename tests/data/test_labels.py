"""Domains of labels, whose classes never mix on the way to the networks."""

import contextlib
import dataclasses

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from cyclegan_tf.data import pipeline
from cyclegan_tf.data.ranges import to_values
from cyclegan_tf.runs.run_dir import RunDir
from cyclegan_tf.training.devices import Devices
from cyclegan_tf.training.prepare import prepare
from tests.helpers import tiny_config, write_images

CLASSES = {0, 1, 3, 4}


@pytest.fixture
def labelled(tmp_path):
    """Photographs of A, and of B label maps in which no 2 is."""
    for name in ("trainA", "testA"):
        write_images(tmp_path / "photos" / name, 3)
    for name in ("trainB", "testB"):
        (tmp_path / "photos" / name).mkdir()
        for i in range(3):
            cells = np.random.default_rng(i).choice([*CLASSES], (6, 7))
            labels = np.kron(cells, np.ones((8, 9))).astype("u1")
            Image.fromarray(labels).save(tmp_path / "photos" / name / f"{i}.png")
    return tmp_path / "photos"


def crops_of(run, split, cache, resize):
    """The values of B's crops."""
    batches = pipeline.training_input(
        run.splits["trainA"],
        split,
        frame=run.config.frame,
        load_frame=run.config.load_frame._replace(resize=resize),
        flip="all",
        batch_size=1,
        seed=0,
        cache=cache,
    )(0)
    crops = np.stack([crop for _, crop in batches.take(9).as_numpy_iterator()])
    return {*np.unique(to_values(crops, split.domain)).tolist()}


def test_classes_stay_classes_in_crops_scores_and_samples(labelled, tmp_path, capsys):
    options = {"resize": "fit", "load_size": 39, "range_b": "0,4"}
    config = tiny_config(
        tmp_path, dataset=str(labelled), resample_b="nearest", **options
    )
    with contextlib.ExitStack() as stack:
        run, _ = prepare(config, Devices(tf.distribute.get_strategy()), stack)
    assert "--resample-b nearest" in capsys.readouterr().err
    assert run.splits["trainA"].domain.resample == "bicubic"
    labels = run.splits["trainB"]
    domain = dataclasses.replace(labels.domain, resample="bicubic")
    mixed = dataclasses.replace(labels, domain=domain)
    for way in (("memory", "stretch"), ("none", "fit")):
        assert crops_of(run, labels, *way) == CLASSES
        assert 2 in crops_of(run, mixed, *way)
    # A run that is opened again reads them the same way.
    opened = RunDir.open(config.resolved_run_dir).images("test")["b"]
    for split in (run.evaluator.splits["b"], opened):
        assert {*np.unique(pipeline.load_images(split, config.frame))} == CLASSES

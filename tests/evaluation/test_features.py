import hashlib
import time

import keras
import numpy as np
import pytest
import tensorflow as tf

from cyclegan_tf.common.errors import InputError
from cyclegan_tf.evaluation import features
from tests.helpers import random_pixels


@pytest.fixture(scope="module")
def weights(inception_weights):
    return inception_weights


@pytest.fixture(scope="module")
def network(weights):
    return features.load_inception(str(weights))


@pytest.mark.slow
def test_features_are_those_of_keras(network, weights):
    images = np.stack([random_pixels(299, 299, seed) for seed in range(2)])
    reference = keras.applications.InceptionV3(
        include_top=False, weights=None, pooling="avg"
    )
    reference.load_weights(weights)
    prepared = keras.applications.inception_v3.preprocess_input(np.float32(images))
    np.testing.assert_allclose(network(images), reference(prepared), atol=1e-4)


@pytest.mark.slow
def test_batches_do_not_change_the_features(network, monkeypatch):
    images = np.stack([random_pixels(40, 30, seed) for seed in range(3)])
    whole = network(images)
    assert whole.shape == (3, 2048) and whole.dtype == np.float32
    monkeypatch.setattr(features, "BATCH_SIZE", 2)
    np.testing.assert_allclose(network(images), whole, atol=1e-4)


@pytest.mark.slow
def test_protocol_says_which_weights(network, weights):
    assert network.protocol == {
        "features": "InceptionV3 of keras.applications, average pool",
        "sha256": hashlib.sha256(weights.read_bytes()).hexdigest(),
        "resize": "bicubic, antialiased, to 299x299",
    }


def test_graph_of_2015_is_run_by_its_names(tmp_path):
    # Stands for the file of the FID's authors: the same names of input and output,
    # features that are the mean colours.
    with tf.Graph().as_default() as graph:
        images = tf.compat.v1.placeholder(
            tf.float32, (1, None, None, 3), name="ExpandDims"
        )
        mean = tf.reduce_mean(images, axis=(1, 2), keepdims=True)
        tf.pad(mean, [[0, 0], [0, 0], [0, 0], [0, 2045]], name="pool_3")
    path = tmp_path / "classify_image_graph_def.pb"
    path.write_bytes(graph.as_graph_def().SerializeToString())
    network = features.load_inception(str(path))
    colours = np.array([[10, 20, 30], [200, 100, 50]], np.uint8)
    images = np.broadcast_to(colours[:, None, None], (2, 32, 40, 3))
    np.testing.assert_allclose(network(images)[:, :3], colours, rtol=1e-4)


def test_graph_that_does_more_than_compute_is_refused(tmp_path):
    secret, stolen = tmp_path / "secret", tmp_path / "stolen"
    with tf.Graph().as_default() as graph:
        images = tf.compat.v1.placeholder(tf.float32, name="ExpandDims")
        written = tf.raw_ops.WriteFile(filename=str(stolen), contents=str(secret))
        with tf.control_dependencies([written]):
            tf.identity(images, name="pool_3")
    path = tmp_path / "evil.pb"
    path.write_bytes(graph.as_graph_def().SerializeToString())
    with pytest.raises(InputError, match="operation WriteFile"):
        features.load_inception(str(path))
    assert not stolen.exists()


@pytest.mark.parametrize(
    "name, content, problem",
    [
        ("gone.h5", None, "no such file"),
        ("weights.pth", b"", "expected a file .h5 .* or .pb"),
        ("damaged.h5", b"nothing", "cannot be used"),
        ("damaged.pb", b"nothing", "cannot be used .*GraphDef"),
        ("other.pb", b"", "cannot be used"),
    ],
)
def test_unusable_file_is_named(tmp_path, name, content, problem):
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InputError, match=f"{name}.*{problem}"):
        features.load_inception(str(path))


def test_without_network_and_cache_it_says_so_within_seconds(tmp_path, monkeypatch):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("NO_PROXY", "")
    start = time.monotonic()
    with pytest.raises(InputError, match="neither in .* name a file with"):
        features.load_inception()
    assert time.monotonic() - start < 10


@pytest.mark.slow
def test_cached_weights_are_used(tmp_path, monkeypatch, weights):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    cached = tmp_path / "models" / features.WEIGHTS
    cached.parent.mkdir()
    cached.symlink_to(weights)
    assert features.load_inception().name.startswith("InceptionV3 of keras")

import hashlib
import time

import keras
import numpy as np
import pytest
import requests

from cyclegan_tf.common.errors import InputError
from cyclegan_tf.evaluation import features
from tests.helpers import random_pixels


@pytest.fixture(scope="module")
def network(inception_weights):
    return features.load_inception(str(inception_weights))


@pytest.mark.slow
def test_features_are_those_of_keras(network, inception_weights):
    images = np.stack([random_pixels(299, 299, seed) for seed in range(2)])
    reference = keras.applications.InceptionV3(
        include_top=False, weights=None, pooling="avg"
    )
    reference.load_weights(inception_weights)
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
def test_protocol_says_which_weights(network, inception_weights):
    assert network.protocol == {
        "features": "InceptionV3 of keras.applications, average pool",
        "sha256": hashlib.sha256(inception_weights.read_bytes()).hexdigest(),
        "resize": "bicubic, antialiased, to 299x299",
    }


@pytest.mark.parametrize(
    "name, content, problem",
    [
        ("gone.h5", None, "no such file"),
        ("weights.pth", b"", "expected a file .h5"),
        ("damaged.h5", b"nothing", "cannot be used"),
        ("classify_image_graph_def.pb", b"", "expected a file .h5"),
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


def test_weights_are_taken_from_where_keras_has_saved_them(tmp_path, monkeypatch):
    def save(name, *_, cache_subdir, **__):
        (tmp_path / "elsewhere" / cache_subdir).mkdir(parents=True)
        (tmp_path / "elsewhere" / cache_subdir / name).write_text("damaged")
        return str(tmp_path / "elsewhere" / cache_subdir / name)

    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "not to be written"))
    answer = requests.Response()
    answer.status_code = 200
    monkeypatch.setattr(requests, "head", lambda *_, **__: answer)
    monkeypatch.setattr(keras.utils, "get_file", save)
    with pytest.raises(InputError, match=f"{tmp_path}/elsewhere/models/.* cannot be"):
        features.load_inception()


@pytest.mark.slow
def test_cached_weights_are_used(tmp_path, monkeypatch, inception_weights):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    cached = tmp_path / "models" / features.INCEPTION_FILE
    cached.parent.mkdir()
    cached.symlink_to(inception_weights)
    assert features.load_inception().protocol["features"].startswith("InceptionV3")

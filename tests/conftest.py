import contextlib
import io
import os
import signal
import types

# Of what a shell starts in the background, and all that it starts, SIGINT is ignored.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import pytest

from cyclegan_tf.common.errors import InputError
from cyclegan_tf.data.convert import ensure_dataset
from cyclegan_tf.evaluation import features
from tests.helpers import tiny_config, tiny_model, write_run


@pytest.fixture(scope="session")
def tiny_data_dir(tmp_path_factory):
    """A data directory with the embedded dataset, 12 small images per domain."""
    path = tmp_path_factory.mktemp("shared")
    ensure_dataset(tiny_config(path))
    return path / "tfrecords"


@pytest.fixture
def tiny_run(tmp_path, tiny_data_dir):
    """Makes configs of tiny runs that share the converted dataset."""

    def make(name="run", **options):
        places = {"data_dir": str(tiny_data_dir), "run_dir": str(tmp_path / name)}
        return tiny_config(tmp_path, **(places | options))

    return make


@pytest.fixture(scope="session")
def save_run(tiny_data_dir):
    """Makes run directories with options and models, which is what is used of a run."""

    def save(path, models, **options):
        places = {"data_dir": str(tiny_data_dir), "run_dir": str(path)}
        return write_run(tiny_config(path, **places, **options), models, step=0)

    return save


@pytest.fixture(scope="session")
def run_dir(tmp_path_factory, save_run):
    """A run of both directions, with random weights; not to be changed."""
    return save_run(tmp_path_factory.mktemp("both") / "run", tiny_model().generators)


@pytest.fixture(scope="session")
def scored(tmp_path_factory, tiny_data_dir):
    """A finished run of three epochs, each scored: its directory, and what was said."""
    from cyclegan_tf.training.run import train

    config = tiny_config(
        tmp_path_factory.mktemp("scored"),
        data_dir=str(tiny_data_dir),
        epochs=3,
        evaluate_every=1,
    )
    with contextlib.redirect_stderr(io.StringIO()) as err:
        train(config)
    return types.SimpleNamespace(path=config.resolved_run_dir, err=err.getvalue())


@pytest.fixture(scope="session")
def scored_run(scored):
    """The directory of that run; not to be changed."""
    return scored.path


@pytest.fixture
def no_weights(monkeypatch):
    """As on a machine without a network and without Keras' weights."""

    def missing():
        raise InputError("no weights are at hand")

    monkeypatch.setattr(features, "_default_weights", missing)


@pytest.fixture(scope="session")
def inception_weights(tmp_path_factory):
    """A file as that of keras.applications, with random weights in it."""
    import h5py
    import keras
    from keras.src.legacy.saving import legacy_h5_format

    keras.utils.set_random_seed(0)
    network = keras.applications.InceptionV3(include_top=False, weights=None)
    path = tmp_path_factory.mktemp("inception") / "inception.h5"
    with h5py.File(path, "w") as file:
        legacy_h5_format.save_weights_to_hdf5_group(file, network)
    return path

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import pytest

from cyclegan_tf.conversion import ensure_dataset
from tests.helpers import tiny_config


@pytest.fixture(scope="session")
def tiny_data_dir(tmp_path_factory):
    """A data directory with the embedded dataset, 12 small images per domain."""
    directory = tmp_path_factory.mktemp("shared")
    config = tiny_config(directory)
    ensure_dataset(config)
    return directory / "tfrecords"


@pytest.fixture
def tiny_run(tmp_path, tiny_data_dir):
    """Makes configs of tiny runs that share the converted dataset."""

    def make(name="run", **options):
        places = {"data_dir": str(tiny_data_dir), "run_dir": str(tmp_path / name)}
        return tiny_config(tmp_path, **(places | options))

    return make

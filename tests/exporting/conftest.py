import contextlib
import io
import types

import pytest
import tensorflow as tf

from cyclegan_tf import cli
from cyclegan_tf.data.dataset import Dataset
from cyclegan_tf.runs import directory as run_directory
from cyclegan_tf.runs import generators
from cyclegan_tf.runs.directory import Recorded
from tests.helpers import tiny_config, tiny_model


@pytest.fixture(scope="session")
def save_run(tiny_data_dir):
    """Makes run directories with options and models, as far as an export needs them."""

    def save(path, models, **options):
        config = tiny_config(path, data_dir=str(tiny_data_dir), **options)
        dataset = Dataset.open(tiny_data_dir / config.dataset_name)
        run_directory.write_config(path, Recorded(config, dataset.fingerprint))
        generators.save_generators(path, models, {"step": 0})
        return path

    return save


@pytest.fixture(scope="session")
def run_dir(tmp_path_factory, save_run):
    """A run of both directions; not to be changed."""
    return save_run(tmp_path_factory.mktemp("both") / "run", tiny_model().generators)


@pytest.fixture(scope="session")
def one_way(tmp_path_factory, save_run):
    """A run from A to B alone, which is exported twice as fast; not to be changed."""
    models = {"a_to_b": tiny_model().gen_ab}
    return save_run(tmp_path_factory.mktemp("one-way") / "run", models)


@pytest.fixture(scope="session")
def exports(run_dir, tmp_path_factory):
    """What the command printed for all three formats, and the directory it wrote."""
    output = tmp_path_factory.mktemp("exports") / "named"
    out, err = io.StringIO(), io.StringIO()
    command = ["export", "--run-dir", run_dir, "--output", output]
    command += ["--format", "savedmodel,onnx,litert"]
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        cli.main([*map(str, command)])
    done = types.SimpleNamespace(stdout=out.getvalue(), stderr=err.getvalue())
    return done, output


@pytest.fixture(scope="session")
def signatures(exports):
    return tf.saved_model.load(str(exports[1] / "1")).signatures

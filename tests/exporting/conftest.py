import pytest
import tensorflow as tf

from cyclegan_tf.data.dataset import Dataset
from cyclegan_tf.runs import directory as run_directory
from cyclegan_tf.runs import generators
from cyclegan_tf.runs.directory import Recorded
from tests.helpers import run_script, tiny_config, tiny_model


@pytest.fixture(scope="session")
def save_run(tiny_data_dir):
    """Makes run directories with options and models, as far as an export needs them."""

    def save(path, directions=("a_to_b", "b_to_a")):
        model = tiny_model()
        trained = {"a_to_b": model.gen_ab, "b_to_a": model.gen_ba}
        trained = {direction: trained[direction] for direction in directions}
        config = tiny_config(path, data_dir=str(tiny_data_dir))
        dataset = Dataset.open(tiny_data_dir / config.dataset_name)
        run_directory.write_config(path, Recorded(config, dataset.fingerprint))
        generators.save_generators(path, trained, {"step": 0})
        return path

    return save


@pytest.fixture(scope="session")
def run_dir(tmp_path_factory, save_run):
    return save_run(tmp_path_factory.mktemp("exported") / "run")


@pytest.fixture(scope="session")
def exports(run_dir, tmp_path_factory):
    """What the script printed for all three formats, and the directory it wrote."""
    output = tmp_path_factory.mktemp("exports") / "named"
    done = run_script(
        *("export.py", "--run-dir", run_dir, "--output", output),
        *("--format", "savedmodel,onnx,litert"),
    )
    assert done.returncode == 0, done.stderr
    return done, output


@pytest.fixture(scope="session")
def signatures(exports):
    return tf.saved_model.load(str(exports[1] / "1")).signatures

import contextlib
import io
import types

import pytest
import tensorflow as tf

from cyclegan_tf import cli
from tests.helpers import tiny_model


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

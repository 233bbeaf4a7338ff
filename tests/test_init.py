"""The package as somebody imports it; without TensorFlow, see `cli`'s first answers."""

import pytest

import cyclegan_tf
from cyclegan_tf.common.errors import InputError


def test_functions_are_there_by_their_names():
    for name in cyclegan_tf.__all__:
        assert hasattr(cyclegan_tf, name)
    assert callable(cyclegan_tf.train) and callable(cyclegan_tf.load)
    assert cyclegan_tf.TrainConfig().image_size == 256


def test_other_names_are_no_attributes():
    with pytest.raises(AttributeError, match="'cyclegan_tf' has no attribute 'nothin"):
        cyclegan_tf.nothing  # noqa: B018


@pytest.mark.parametrize("command", ["Evaluate", "Export"])
def test_calling_a_function_is_enough_to_run_it(tmp_path, command):
    config = getattr(cyclegan_tf, f"{command}Config")(run_dir=str(tmp_path / "none"))
    with pytest.raises(InputError, match="none: no such run directory"):
        getattr(cyclegan_tf, command.lower())(config)

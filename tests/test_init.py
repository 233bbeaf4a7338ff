"""The package as somebody imports it; without TensorFlow, see `cli`'s first answers."""

import pytest

import cyclegan_tf


def test_functions_are_there_by_their_names():
    for name in cyclegan_tf.__all__:
        assert hasattr(cyclegan_tf, name)
    assert callable(cyclegan_tf.train) and callable(cyclegan_tf.load)
    assert cyclegan_tf.TrainConfig().image_size == 256


def test_other_names_are_no_attributes():
    with pytest.raises(AttributeError, match="'cyclegan_tf' has no attribute 'nothin"):
        cyclegan_tf.nothing  # noqa: B018

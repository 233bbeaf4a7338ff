import pytest

from cyclegan_tf.config import TrainConfig
from cyclegan_tf.training.fit import is_low_rate


@pytest.mark.parametrize(
    "options, num_steps, expected",
    [
        ({}, 3000, True),
        ({}, 200_000, False),
        ({"learning_rate": 1e-3}, 3000, False),
        ({"recipe": "paper"}, 3000, False),
    ],
)
def test_rate_that_is_low_for_so_few_steps(options, num_steps, expected):
    assert is_low_rate(TrainConfig(**options), num_steps) == expected

import numpy as np
import pytest

from cyclegan_tf.model.losses import (
    absolute_error,
    adversarial_loss,
    discriminator_loss,
    teacher_losses,
)


def test_adversarial_loss_is_mean_squared_distance_to_one():
    scores = np.array([[0.0, 1.0], [3.0, -1.0]], np.float32)
    assert float(adversarial_loss(scores)) == (1 + 0 + 4 + 4) / 4


def test_discriminator_loss_is_half_of_both_errors():
    real, fake = np.array([1.0, 3.0]), np.array([2.0, 0.0, 2.0])
    expected = ((0 + 4) / 2 + (4 + 0 + 4) / 3) / 2
    assert float(discriminator_loss(real, fake)) == pytest.approx(expected)


def test_absolute_error_of_full_range_is_two():
    assert float(absolute_error(np.ones((1, 2, 2, 3)), -np.ones((1, 2, 2, 3)))) == 2.0


@pytest.mark.parametrize("dtype", ["float16", "float32"])
def test_losses_are_float32_whatever_comes_in(dtype):
    values = np.ones((1, 2, 2, 1), dtype)
    assert adversarial_loss(values).dtype == "float32"
    assert discriminator_loss(values, values).dtype == "float32"
    assert absolute_error(values, values).dtype == "float32"


def test_teachers_are_compared_with_in_their_direction():
    teachers = {"a_to_b": lambda x: x + 1, "b_to_a": lambda x: x - 3}
    stages = {"a_to_b": lambda x: [x], "b_to_a": lambda x: [x, 5 * x[:, :1]]}
    reals, translated = np.zeros((2, 1, 4)), (np.full((1, 4), 0.5), np.ones((1, 4)))
    losses = teacher_losses(teachers, stages, reals, translated)
    assert {name: float(x) for name, x in losses.items()} == {
        "teacher_A": 0.5,
        "teacher_B": 4.0,
        "feature_A": 0.5,
        "feature_B": (4 + 5 * 4) / 2,
    }
    assert teacher_losses({}, {}, reals, translated) == {}

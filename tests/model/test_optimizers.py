import keras
import numpy as np
import pytest

from cyclegan_tf.model.optimizers import Adam, LinearDecay

OPTIONS = {"beta_1": 0.5, "beta_2": 0.999, "epsilon": 1e-8}
# From far above to below epsilon, which is felt from about 1e-6 down.
SIZES = [1.0, 1e-3, 1e-5, 1e-6, 1e-7, 1e-8, 1e-9]


def gradients(num_steps):
    random = np.random.RandomState(0)
    return [random.normal(size=len(SIZES)) * SIZES for _ in range(num_steps)]


def longhand(num_steps, learning_rate):
    """Algorithm 1 of Kingma and Ba 2015."""
    weights, m, v = (np.zeros(len(SIZES)) for _ in range(3))
    for t, gradient in enumerate(gradients(num_steps), start=1):
        m = 0.5 * m + 0.5 * gradient
        v = 0.999 * v + 0.001 * gradient**2
        m_hat, v_hat = m / (1 - 0.5**t), v / (1 - 0.999**t)
        weights = weights - learning_rate * m_hat / (np.sqrt(v_hat) + 1e-8)
    return weights


def trained(optimizer, num_steps):
    variable = keras.Variable(np.zeros(len(SIZES), np.float32))
    optimizer.build([variable])
    for gradient in gradients(num_steps):
        optimizer.apply([keras.ops.convert_to_tensor(gradient, "float32")], [variable])
    return variable.numpy()


@pytest.mark.parametrize("num_steps", [1, 5, 30])
def test_adam_equals_longhand(num_steps):
    weights = trained(Adam(0.01, **OPTIONS), num_steps)
    np.testing.assert_allclose(weights, longhand(num_steps, 0.01), rtol=1e-4)


def test_adam_of_keras_does_not():
    weights = trained(keras.optimizers.Adam(0.01, **OPTIONS), 1)
    ratios = weights / longhand(1, 0.01)
    assert ratios[0] == pytest.approx(1, rel=1e-4)
    assert ratios[-1] < 0.1  # of a weight whose gradient is small


def rates(schedule, epochs, steps_per_epoch):
    steps = np.arange(epochs * steps_per_epoch)
    return np.array([float(schedule(step)) for step in steps])


def test_schedule_equals_the_formula_at_every_step():
    schedule = LinearDecay(0.1, constant_epochs=3, decay_epochs=4, steps_per_epoch=2)
    expected = [
        0.1 * (1 - max(0, epoch + 1 - 3) / (4 + 1)) for epoch in range(7) for _ in "ab"
    ]
    np.testing.assert_allclose(rates(schedule, 7, 2), expected, rtol=1e-6)


@pytest.mark.parametrize(
    "epoch, share", [(0, 1.0), (98, 1.0), (99, 1.0), (100, 100 / 101), (199, 1 / 101)]
)
def test_corners_of_the_papers_schedule(epoch, share):
    schedule = LinearDecay(2e-4, 100, 100, steps_per_epoch=1334)
    for step in (epoch * 1334, epoch * 1334 + 1333):
        assert float(schedule(step)) == pytest.approx(2e-4 * share, rel=1e-5)


def test_rate_is_constant_without_decay_and_never_negative():
    np.testing.assert_allclose(rates(LinearDecay(0.1, 5, 0, 1), 5, 1), 0.1)
    assert float(LinearDecay(0.1, 1, 1, steps_per_epoch=1)(100)) == 0.0

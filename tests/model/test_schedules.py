import numpy as np
import pytest

from cyclegan_tf.model.schedules import LinearDecay


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


def test_rate_is_not_negative_after_the_end():
    schedule = LinearDecay(0.1, 1, 1, steps_per_epoch=1)
    assert float(schedule(100)) == 0.0


def test_schedule_without_decay_is_constant():
    np.testing.assert_allclose(rates(LinearDecay(0.1, 5, 0, 1), 5, 1), 0.1)

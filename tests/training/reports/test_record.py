import time

import pytest

from cyclegan_tf.training.reports.record import Speed


def test_speed_and_wait_are_of_the_time_since_the_first_step(monkeypatch):
    now = iter([100.0, 104.0, 110.0])
    monkeypatch.setattr(time, "monotonic", lambda: next(now))
    speed = Speed(images_per_step=2)
    speed.measure(7, waited=50.0)  # compiles, and is left out
    assert (speed.images_per_s, speed.input_wait) == (0, 0)
    speed.measure(9, waited=51.0)
    assert (speed.images_per_s, speed.input_wait) == (1.0, 0.25)
    speed.measure(12, waited=58.0)
    assert speed.images_per_s == 1.0
    assert speed.input_wait == pytest.approx(0.8)

import functools
import threading

from cyclegan_tf.data import loading
from cyclegan_tf.data.picture import Picture
from cyclegan_tf.data.sources import Job
from tests.helpers import random_pixels


def test_no_picture_is_begun_once_nobody_takes_them(monkeypatch):
    monkeypatch.setattr(loading, "NUM_WORKERS", 2)
    begun, may_end = [], threading.Event()

    def draw(number):
        begun.append(number)
        if number:
            may_end.wait(60)
        return Picture(random_pixels(20, 24)), b""

    jobs = [Job(str(i), functools.partial(draw, i)) for i in range(200)]
    results = loading.load_in_order(jobs[:1] * loading.CHUNK + jobs)
    next(results)
    threading.Timer(0.5, may_end.set).start()
    results.close()
    # The first chunk, and what either thread was at; four chunks had been handed on.
    assert len(begun) <= loading.CHUNK + 4

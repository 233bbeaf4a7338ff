import types

import numpy as np
import pytest

from cyclegan_tf.data.domain import Domains
from cyclegan_tf.training.reports import samples
from cyclegan_tf.training.reports.event_log import EventLog


@pytest.mark.parametrize("epochs, every", [(40, 1), (1000, 1), (300, 3)])
def test_newest_pictures_and_some_of_before_are_kept(
    tmp_path, monkeypatch, epochs, every
):
    # Which stay does not depend on what is in them.
    told, empty = [], np.zeros((8, 8, 3), np.uint8)
    monkeypatch.setattr(samples, "_grid", lambda *_: empty)
    monkeypatch.setattr(samples, "save_png", lambda path, _: path.touch())
    monkeypatch.setattr(samples.tf.summary, "image", lambda *_: told.append(epoch))
    run = types.SimpleNamespace(
        path=tmp_path,
        domains=Domains(),
        config=types.SimpleNamespace(sample_every=every, epochs=epochs),
        model=types.SimpleNamespace(trained_generators={"a_to_b": 0, "b_to_a": 0}),
    )
    (tmp_path / "samples").mkdir()
    log = EventLog(tmp_path / "tensorboard")
    drawn = samples.Samples(run, [empty[None]] * 2, log)
    for epoch in range(1, epochs + 1):
        drawn.draw(epoch - 1, epoch)
    log.close()
    left = sorted(path.name for path in tmp_path.glob("samples/*.png"))
    assert left[::2] == [name.replace("-b", "-a") for name in left[1::2]]
    left, told = [int(name.split("-")[1]) for name in left[::2]], told[::2]
    if epochs == 40:  # all of them
        assert left == told == list(range(1, 41))
        return
    newest = [e for e in left if e > epochs - 20 * every]
    assert newest == list(range(epochs - 19 * every, epochs + 1, every))
    earlier = left[: -len(newest)]
    assert earlier[0] == every and 20 <= len(earlier) <= 40
    assert len(set(np.diff(earlier))) == 1
    assert told[0] == every and 20 <= len(told) <= 40

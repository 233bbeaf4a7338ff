import numpy as np
import pytest

from cyclegan_tf.data.domain import Domains
from cyclegan_tf.training.callbacks import samples
from cyclegan_tf.training.callbacks.samples import Samples
from cyclegan_tf.training.event_log import EventLog


def epochs_left(tmp_path, monkeypatch, epochs, every):
    """The epochs whose pictures a run leaves, and those that TensorBoard got."""
    told = []
    monkeypatch.setattr(samples, "translate_all", lambda _, images, *forms: images)
    monkeypatch.setattr(samples.tf.summary, "image", lambda *_: told.append(epoch))
    image = np.zeros((1, 8, 8, 3), np.uint8)
    (tmp_path / "samples").mkdir()
    log = EventLog(tmp_path / "tensorboard")
    folder = tmp_path / "samples"
    callback = Samples(image, image, Domains(), folder, every, epochs, log)
    generators = {"a_to_b": None, "b_to_a": None}
    callback.set_model(type("Model", (), {"trained_generators": generators}))
    for epoch in range(1, epochs + 1):
        callback.on_epoch_end(epoch - 1)
    left = sorted(path.name for path in (tmp_path / "samples").iterdir())
    assert left[::2] == [name.replace("-b", "-a") for name in left[1::2]]
    return [int(name.split("-")[1]) for name in left[::2]], told[::2]


def test_short_run_keeps_all_pictures(tmp_path, monkeypatch):
    left, told = epochs_left(tmp_path, monkeypatch, 40, 1)
    assert left == told == list(range(1, 41))


@pytest.mark.parametrize("epochs, every", [(1000, 1), (300, 3)])
def test_long_run_keeps_the_newest_and_some_of_before(
    tmp_path, monkeypatch, epochs, every
):
    # Which stay does not depend on what is in them: the short run draws them.
    monkeypatch.setattr(samples, "sample_grid", lambda _: np.zeros((8, 8, 3), np.uint8))
    monkeypatch.setattr(samples, "save_png", lambda path, _: path.touch())
    left, told = epochs_left(tmp_path, monkeypatch, epochs, every)
    newest = [e for e in left if e > epochs - 20 * every]
    assert newest == list(range(epochs - 19 * every, epochs + 1, every))
    earlier = left[: -len(newest)]
    assert earlier[0] == every and 20 <= len(earlier) <= 40
    assert len(set(np.diff(earlier))) == 1
    assert told[0] == every and 20 <= len(told) <= 40

import types

import keras
import pytest
import tensorflow as tf

from cyclegan_tf.config import TrainConfig
from cyclegan_tf.data.domain import Domains
from cyclegan_tf.model.state import NonFiniteState
from cyclegan_tf.training import fit, steps
from cyclegan_tf.training.devices import choose_devices
from cyclegan_tf.training.fit import is_low_rate
from tests.helpers import random_images, tiny_model


class Recorder(keras.callbacks.Callback):
    """Remembers which batches came with losses."""

    def __init__(self):
        super().__init__()
        self.batches, self.epochs = [], []

    def on_train_batch_end(self, batch, logs=None):
        if logs:
            self.batches.append(batch)

    def on_epoch_end(self, epoch, logs=None):
        self.epochs.append(logs)


def test_upsampling_without_effect_is_told(tmp_path):
    def said(**options):
        told = []
        run = types.SimpleNamespace(
            config=TrainConfig(**options),
            domains=Domains(),
            path=tmp_path,
            splits={"trainA": [0], "trainB": [0]},
            steps_per_epoch=1,
            num_steps=9,
            model=types.SimpleNamespace(step=0),
            devices=types.SimpleNamespace(num_replicas=1),
            say=told.append,
        )
        fit._announce(run)
        return "--upsampling resize changes nothing in --generator mobile" in told

    assert said(generator="mobile", upsampling="resize")
    assert not said(generator="mobile") and not said(upsampling="resize")


def test_losses_are_read_now_and_then_and_weights_that_are_no_numbers_end_all(tmp_path):
    saved = []
    run = types.SimpleNamespace(
        config=types.SimpleNamespace(checkpoint_every=1000),
        checkpoints=tmp_path,
        devices=choose_devices("one"),
        steps_per_epoch=13,
        received_signal=lambda: None,
        save_checkpoint=lambda: saved.append("checkpoint"),
        save_generators=lambda: saved.append("generators"),
    )
    model, recorder = tiny_model(), Recorder()
    images = random_images(1, seed=1), random_images(1, seed=2)
    model.fit(
        tf.data.Dataset.from_tensors(images).repeat(),
        epochs=2,
        steps_per_epoch=13,
        callbacks=[steps.Steps(run, None), recorder],
        verbose=0,
        shuffle=False,
    )
    # Steps 1, 10, 13 of the run, and 14, 20, 26.
    assert recorder.batches == [0, 9, 12, 0, 6, 12]
    assert all("G_A" in logs for logs in recorder.epochs)
    assert saved == ["generators", "checkpoint"] * 2
    # Before anything is made of it.
    bias = model.gen_ab.get_layer("head").bias
    bias.assign(bias * float("nan"))
    guard = steps.Steps(run, None)
    guard.set_model(model)
    with pytest.raises(NonFiniteState, match="gen_ab/head/bias"):
        guard.on_epoch_end(0)
    assert len(saved) == 4


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

import types

import keras
import pytest
import tensorflow as tf

from cyclegan_tf.runs import checkpoint
from cyclegan_tf.training import steps
from cyclegan_tf.training.devices import choose_devices
from tests.helpers import random_images, tiny_model


@pytest.fixture
def run(tmp_path):
    """What `Steps` asks of a run; nothing is saved."""
    return types.SimpleNamespace(
        config=types.SimpleNamespace(checkpoint_every=1000),
        checkpoints=tmp_path,
        devices=choose_devices("one"),
        steps_per_epoch=13,
        received_signal=lambda: None,
        save_checkpoint=lambda: None,
        save_generators=lambda: None,
    )


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


def test_losses_are_read_at_the_ends_of_an_epoch_and_at_every_tenth_step(run):
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
    # A weight that is no number ends the run before anything is made of it.
    bias = model.gen_ab.get_layer("head").bias
    bias.assign(bias * float("nan"))
    with pytest.raises(checkpoint.NonFiniteState, match="gen_ab/head/bias"):
        guard = steps.Steps(run, None)
        guard.set_model(model)
        guard.on_epoch_end(0)

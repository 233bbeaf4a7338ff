import keras
import tensorflow as tf

from cyclegan_tf.training.callbacks.guard import Guard
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


def test_losses_are_read_at_the_ends_of_an_epoch_and_at_every_tenth_step():
    model, recorder = tiny_model(), Recorder()
    images = random_images(1, seed=1), random_images(1, seed=2)
    model.fit(
        tf.data.Dataset.from_tensors(images).repeat(),
        epochs=2,
        steps_per_epoch=13,
        callbacks=[Guard(lambda step: False), recorder],
        verbose=0,
        shuffle=False,
    )
    # Steps 1, 10, 13 of the run, and 14, 20, 26.
    assert recorder.batches == [0, 9, 12, 0, 6, 12]
    assert all("G_A" in logs for logs in recorder.epochs)

import time

import numpy as np
import pytest
import tensorflow as tf

from cyclegan_tf.training.callbacks.throughput import Throughput
from tests.helpers import tiny_model


@pytest.mark.parametrize("seconds, low, high", [(0.0, 0.0, 0.5), (0.3, 0.6, 1.0)])
def test_wait_for_input_is_its_share_of_the_time(seconds, low, high):
    def images():
        for _ in range(8):
            time.sleep(seconds)
            yield np.zeros((2, 1, 16, 16, 3), np.float32)

    spec = tf.TensorSpec((2, 1, 16, 16, 3), tf.float32)
    pairs = tf.data.Dataset.from_generator(images, output_signature=spec)
    model, throughput = tiny_model(), Throughput(batch_size=1)
    model.fit(
        pairs.map(tf.unstack),
        steps_per_epoch=6,
        callbacks=[throughput],
        verbose=0,
        shuffle=False,
    )
    assert low <= throughput.input_wait <= high
    assert throughput.images_per_s > 0

#!/usr/bin/env bash
# Keras 3.15.1 on TensorFlow 2.21.0: AugMix in a tf.data pipeline, which its documentation calls
# safe, draws its chains of operations once, with Python's random, while map() builds the graph:
# all images of all epochs get the same operations, and those that were not drawn never come (only
# strengths and weights of mixing change). Eagerly it draws anew for each call. The argument seed
# does not reach that draw: two layers of the same seed augment differently, which two of
# RandAugment do not.
# Output here, over 100 calls, how many of the 11 operations came at all, and how many different
# lists of operations; then whether two layers of the seed 1 give the same images:
# {'eagerly': (11, 100), 'tf.data': (7, 1)}
# {'AugMix': False, 'RandAugment': True}
set -euo pipefail
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
python3 -m venv "$scratch/env"
"$scratch/env/bin/pip" install -q tensorflow-cpu==2.21.0 keras==3.15.1
TF_CPP_MIN_LOG_LEVEL=3 "$scratch/env/bin/python" - <<'PYTHON'
import random

import keras
import numpy as np
import tensorflow as tf

OPERATIONS = (
    "random_shear random_translation random_rotation random_posterization solarization "
    "auto_contrast equalization random_brightness random_color_degeneration random_contrast "
    "random_sharpness"
).split()
images = np.random.default_rng(0).integers(0, 256, (1, 16, 16, 3)).astype("float32")


def lists_of_calls(tf_data):
    """The operations of each of 100 calls."""
    random.seed(3)
    layer, calls = keras.layers.AugMix(), []
    for name in OPERATIONS:
        operation = getattr(layer, name)

        def spied(images, *arguments, name=name, transform=operation.transform_images, **named):
            # runs with the images, in the graph too
            tf.py_function(lambda: calls[-1].append(name), [], [])
            return transform(images, *arguments, **named)

        operation.transform_images = spied
    data = tf.data.Dataset.from_tensors(images)
    if tf_data:
        data = data.map(layer)
        for _ in range(100):
            calls.append([])
            list(data)
    else:
        for _ in range(100):
            calls.append([])
            layer(images)
    return [tuple(call) for call in calls]


found = {}
for name, tf_data in (("eagerly", False), ("tf.data", True)):
    calls = lists_of_calls(tf_data)
    found[name] = len({operation for call in calls for operation in call}), len(set(calls))
print(found)

same = {}
for name in ("AugMix", "RandAugment"):
    random.seed(3)
    first, second = (np.array(getattr(keras.layers, name)(seed=1)(images)) for _ in range(2))
    same[name] = bool(np.array_equal(first, second))
print(same)
assert found["eagerly"][0] == 11 and found["eagerly"][1] > 90
assert found["tf.data"][0] <= 9 and found["tf.data"][1] == 1
assert same == {"AugMix": False, "RandAugment": True}
PYTHON

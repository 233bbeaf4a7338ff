#!/usr/bin/env bash
# Keras 3.15.1 on TensorFlow 2.21.0: RandomElasticTransform in a tf.data pipeline, which its
# documentation calls safe, gives distortions of the first image of a batch in place of all the
# others if the size of the batch is not known while the graph is built, as it is not after
# batch(n) without drop_remainder: the backend then takes 1 for it, and the result is broadcast.
# The shapes stay right. With drop_remainder=True, or eagerly, each image stays itself. Of a dict
# with "segmentation_masks" the masks are moved by another field than their images, always.
# Output here, the grey of four images that are 0, 50, 100 and 150 all over, after the layer, and
# the share of pixels where an image and its equal mask differ after it (0 with RandomRotation):
# {'batch(4)': [0, 0, 0, 0], 'batch(4, drop_remainder=True)': [0, 50, 100, 150]}
# {'RandomElasticTransform': 0.2, 'RandomRotation': 0.0}
set -euo pipefail
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
python3 -m venv "$scratch/env"
"$scratch/env/bin/pip" install -q tensorflow-cpu==2.21.0 keras==3.15.1
TF_CPP_MIN_LOG_LEVEL=3 "$scratch/env/bin/python" - <<'PYTHON'
import keras
import numpy as np
import tensorflow as tf

keras.utils.set_random_seed(0)
greys = {}
images = np.ones((4, 64, 64, 3), "float32") * np.reshape([0, 50, 100, 150], (4, 1, 1, 1))
for name, whole in (("batch(4)", False), ("batch(4, drop_remainder=True)", True)):
    layer = keras.layers.RandomElasticTransform(factor=(1.0, 1.0), scale=(0.5, 0.5))
    data = tf.data.Dataset.from_tensor_slices(images.astype("float32"))
    batch = next(iter(data.batch(4, drop_remainder=whole).map(layer))).numpy()
    assert batch.shape == images.shape
    greys[name] = [round(float(image.mean())) for image in batch]
print(greys)

differ = {}
squares = np.kron(np.random.randint(0, 4, (4, 8, 8, 1)), np.ones((1, 8, 8, 1)))
for name, arguments in (
    ("RandomElasticTransform", {"factor": (1.0, 1.0), "scale": (0.5, 0.5)}),
    ("RandomRotation", {"factor": 0.1}),
):
    layer = getattr(keras.layers, name)(interpolation="nearest", seed=1, **arguments)
    both = {key: tf.constant(squares, "float32") for key in ("images", "segmentation_masks")}
    moved = layer(both, training=True)
    differ[name] = round(float(np.mean(moved["images"] != moved["segmentation_masks"])), 1)
print(differ)
assert greys == {
    "batch(4)": [0, 0, 0, 0],
    "batch(4, drop_remainder=True)": [0, 50, 100, 150],
}
assert differ["RandomElasticTransform"] > 0 and differ["RandomRotation"] == 0
PYTHON

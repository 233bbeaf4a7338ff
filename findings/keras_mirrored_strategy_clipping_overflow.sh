#!/usr/bin/env bash
# Keras 3.15.1 on TensorFlow 2.21.0: under MirroredStrategy an optimizer clips the gradients of
# each replica on its own and then adds them up, so that clipnorm=1 (as global_clipnorm and
# clipvalue) lets through a norm of up to the number of replicas, from the same batch.
# LossScaleOptimizer has the like: it looks for overflow in the gradients of the first replica
# alone ("since `grads` is all-reduced across replicas", a comment says; they are not yet). Where
# the overflow is in the first, the step is left out and the scale halved, as on one device; where
# it is in another, the step is taken, and the weights become NaN or infinite for good.
# Output here, the weight after one step of SGD(1) from 0, where the gradient is -200, on 1 device
# and on 2; then after a step in which the image at that place overflows 16 bits:
# {'': [200.0, 200.0], 'clipnorm': [1.0, 2.0], 'global_clipnorm': [1.0, 2.0],
#  'clipvalue': [1.0, 2.0]}
# {'1 device, first': 'left out', '1 device, last': 'left out', '2 devices, first': 'left out',
#  '2 devices, last': 'not finite'}
set -euo pipefail
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
python3 -m venv "$scratch/env"
"$scratch/env/bin/pip" install -q tensorflow-cpu==2.21.0 keras==3.15.1
TF_CPP_MIN_LOG_LEVEL=3 "$scratch/env/bin/python" - <<'PYTHON'
import keras
import numpy as np
import tensorflow as tf

cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
layers, optimizers = keras.layers, keras.optimizers


def after_step(devices, make_optimizer, x, y):
    strategy = tf.distribute.MirroredStrategy([f"CPU:{i}" for i in range(devices)])
    with strategy.scope():
        dense = layers.Dense(1, use_bias=False, kernel_initializer="zeros")
        model = keras.Sequential([keras.Input((1,)), dense])
        model.compile(make_optimizer(), "mse")
    data = tf.data.Dataset.from_tensor_slices((x, y)).batch(len(x))
    model.fit(data, shuffle=False, verbose=0)
    return float(model.get_weights()[0].item())


ones = np.ones((4, 1), "float32")
clipped = {}
for argument in ("", "clipnorm", "global_clipnorm", "clipvalue"):
    clip = {argument: 1.0} if argument else {}
    clipped[argument] = [
        round(after_step(devices, lambda: optimizers.SGD(1.0, **clip), ones, 100 * ones), 3)
        for devices in (1, 2)
    ]
print(clipped)

keras.config.set_dtype_policy("mixed_float16")
found = {}
for devices in (1, 2):
    for place, index in (("first", 0), ("last", 3)):
        x = ones.copy()
        x[index] = 2000  # its gradient, 2 * 2000 / 4, times the scale of 2**15 is above 65504
        weight = after_step(
            devices, lambda: optimizers.LossScaleOptimizer(optimizers.SGD(1e-3)), x, ones
        )
        name = f"{devices} device{'s' if devices > 1 else ''}, {place}"
        found[name] = "left out" if weight == 0 else "taken"
        if not np.isfinite(weight):
            found[name] = "not finite"
print(found)
assert clipped == {
    "": [200.0, 200.0],
    "clipnorm": [1.0, 2.0],
    "global_clipnorm": [1.0, 2.0],
    "clipvalue": [1.0, 2.0],
}
assert found == {
    "1 device, first": "left out",
    "1 device, last": "left out",
    "2 devices, first": "left out",
    "2 devices, last": "not finite",
}
PYTHON

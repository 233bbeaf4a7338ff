#!/usr/bin/env bash
# Keras 3.15.1 on TensorFlow 2.21.0: with ScheduleFreeAdamW the first step of fit() throws away
# the weights that the model has, initial or pretrained: each becomes plus or minus the learning
# rate, against the sign of its gradient. The optimizer's point z should start as a copy of the
# weights, but fit() (as train_on_batch() and a tf.function of one's own) builds the optimizer
# while the step is traced, and that trace, which made variables, is replaced by a second one that
# holds no copying: z stays 0, and in step 1 the weight of z in the average is 1. After
# optimizer.build() beforehand, and with run_eagerly=True, it is right.
# Output here, the layer's biases (1, 2 and 3 before) after one step at a learning rate of 1e-4:
# {'AdamW, fit': [1.0, 2.0, 3.0], 'ScheduleFreeAdamW, fit': [0.0, 0.0, 0.0],
#  'ScheduleFreeAdamW, built, fit': [1.0, 2.0, 3.0]}
set -euo pipefail
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
python3 -m venv "$scratch/env"
"$scratch/env/bin/pip" install -q tensorflow-cpu==2.21.0 keras==3.15.1
TF_CPP_MIN_LOG_LEVEL=3 "$scratch/env/bin/python" - <<'PYTHON'
import keras
import numpy as np

x, y = np.ones((8, 4), "float32"), np.zeros((8, 3), "float32")
start = [np.full((4, 3), 0.5, "float32"), np.array([1, 2, 3], "float32")]
after = {}
for name, built in (("AdamW", False), ("ScheduleFreeAdamW", False), ("ScheduleFreeAdamW", True)):
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3)])
    model.set_weights(start)
    model.compile(getattr(keras.optimizers, name)(1e-4), "mse")
    if built:
        model.optimizer.build(model.trainable_variables)
    model.fit(x, y, epochs=1, verbose=0)
    biases = model.get_weights()[1]
    after[f"{name}, {'built, ' if built else ''}fit"] = [abs(round(float(b), 2)) for b in biases]
    if name == "ScheduleFreeAdamW" and not built:
        assert np.allclose(biases, -1e-4), "it starts from the weights now"
print(after)
assert after == {
    "AdamW, fit": [1.0, 2.0, 3.0],
    "ScheduleFreeAdamW, fit": [0.0, 0.0, 0.0],
    "ScheduleFreeAdamW, built, fit": [1.0, 2.0, 3.0],
}
PYTHON

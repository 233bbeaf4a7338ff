#!/usr/bin/env bash
# Keras 3.15.1: the callback SwapEMAWeights, which puts the averaged weights in the model for an
# evaluation and the trained ones back after it, does not put them back after predict():
# on_predict_end asks the opposite of what on_test_end asks. The model keeps the averages, and the
# optimizer keeps the trained weights where it held the averages, so that training goes on from
# the average, and averages on from the last trained weights.
# Output here, the weight and its average: {'trained': (0.988, 0.815), 'after evaluate':
# (0.988, 0.815), 'after predict': (0.815, 0.988)}
set -euo pipefail
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
python3 -m venv "$scratch/env"
"$scratch/env/bin/pip" install -q tensorflow-cpu==2.21.0 keras==3.15.1
TF_CPP_MIN_LOG_LEVEL=3 "$scratch/env/bin/python" - <<'PYTHON'
import keras
import numpy as np

model = keras.Sequential(
    [keras.Input((1,)), keras.layers.Dense(1, use_bias=False, kernel_initializer="zeros")]
)
model.compile(keras.optimizers.SGD(0.1, use_ema=True, ema_momentum=0.9), "mse")
ones = np.ones((32, 1), "float32")
for _ in range(20):
    model.train_on_batch(ones, ones)


def both():
    average = model.optimizer._model_variables_moving_average[0].numpy()
    return tuple(round(float(array.item()), 3) for array in (model.get_weights()[0], average))


found = {"trained": both()}
callback = keras.callbacks.SwapEMAWeights()
model.evaluate(ones, ones, callbacks=[callback], verbose=0)
found["after evaluate"] = both()
model.predict(ones, callbacks=[callback], verbose=0)
found["after predict"] = both()
print(found)
assert found["after evaluate"] == found["trained"] == (0.988, 0.815)
assert found["after predict"] == (0.815, 0.988), "it puts them back now"
PYTHON

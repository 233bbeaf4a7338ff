#!/usr/bin/env bash
# Keras 3.15.1: RandomSaturation(x) draws from -x to x, not from 0 to x as its documentation says
# (it does not narrow the bounds of the factor, as RandomHue does), and what is below 0 is clipped
# to no saturation at all: every second image turns wholly grey, however small x is; and in
# RandomColorJitter(saturation_factor=x). A saturation is between 0 and 1, but the layer clips it
# to value_range: with the default of 0 to 255 a factor above 0.5, where it should stop at 1, goes
# on and makes pixels that are negative; with -1 to 1, where 0.5 should change nothing, it does.
# Output here: the share of grey images, then of values outside of the range with the least value
# (the image is 0 to 255), and how far "no change" moves an image of -1 to 1:
# {'RandomSaturation(0.1)': 0.5, 'RandomColorJitter(saturation_factor=0.1)': 0.5}
# {0.5: (0.0, 0), 0.75: (0.45, -510), 1.0: (0.66, -64770)}
# 1.0
set -euo pipefail
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
python3 -m venv "$scratch/env"
"$scratch/env/bin/pip" install -q tensorflow-cpu==2.21.0 keras==3.15.1
TF_CPP_MIN_LOG_LEVEL=3 "$scratch/env/bin/python" - <<'PYTHON'
import keras
import numpy as np

keras.utils.set_random_seed(0)
layers = keras.layers
images = np.random.randint(0, 256, (1000, 8, 8, 3)).astype("float32")
images[:, 0, 0] = 0, 0, 255  # the most colourful
grey = {}
for name, layer in (
    ("RandomSaturation(0.1)", layers.RandomSaturation(0.1)),
    ("RandomColorJitter(saturation_factor=0.1)", layers.RandomColorJitter(saturation_factor=0.1)),
):
    colours = np.ptp(layer(images, training=True), axis=-1).max(axis=(1, 2))
    grey[name] = round(float(np.mean(colours < 0.01)), 1)
print(grey)

outside = {}
for factor in (0.5, 0.75, 1.0):
    values = np.array(layers.RandomSaturation((factor, factor))(images, training=True))
    wrong = (values < -0.01) | (values > 255.01)
    outside[factor] = round(float(wrong.mean()), 2), round(float(values.min()))
print(outside)

signed = images / 127.5 - 1
same = layers.RandomSaturation((0.5, 0.5), value_range=(-1, 1))(signed, training=True)
moved = round(float(np.abs(same - signed).max()), 2)
print(moved)
assert set(grey.values()) == {0.5}
assert outside[0.5] == (0, 0) and outside[0.75][0] > 0.4 and outside[1.0][1] == -64770
assert moved > 0.5
PYTHON

#!/usr/bin/env bash
# Keras 3.15.1: ops.image.elastic_transform, and so RandomElasticTransform, moves each pixel by as
# much to the right as down, along one diagonal of the image, and never across it: the noise of
# both directions is drawn from one seed, and is the same noise. It is not the elastic transform of
# the papers, whose two fields are independent. So it is on TensorFlow, here 2.21.0, and in the
# lines for JAX; those for NumPy draw on from one generator. What fill_mode="reflect", its default,
# brings in from beyond the left and the upper border is off by a pixel too: map_coordinates, on
# which it stands, has 3 2 1 | 0 1 2 3 | 3 2 1 where its documentation and SciPy have
# 2 1 0 | 0 1 2 3 | 3 2 1.
# Output here, the correlation of the moves to the right and down, and the largest difference of
# the two in pixels beside the largest move; then the pixels of "reflect", by Keras and by SciPy:
# 1.0 0.0 of 15.3
# [3, 2, 1, 0, 1, 2, 3, 3, 2, 1] [2, 1, 0, 0, 1, 2, 3, 3, 2, 1]
set -euo pipefail
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
python3 -m venv "$scratch/env"
"$scratch/env/bin/pip" install -q tensorflow-cpu==2.21.0 keras==3.15.1 scipy==1.17.1
TF_CPP_MIN_LOG_LEVEL=3 "$scratch/env/bin/python" - <<'PYTHON'
import keras
import numpy as np
from scipy import ndimage

places = np.stack(np.indices((128, 128)), -1).astype("float32")[None]
moved = keras.ops.image.elastic_transform(places, alpha=20.0, sigma=5.0, seed=1)
moves = (np.array(moved) - places)[0, 32:-32, 32:-32]  # away from the border
down, right = moves[..., 0].ravel(), moves[..., 1].ravel()
correlation = round(float(np.corrcoef(down, right)[0, 1]), 3)
difference = round(float(np.abs(down - right).max()), 3)
print(correlation, difference, "of", round(float(np.abs(down).max()), 1))

row, at = np.arange(4, dtype="float32"), np.arange(-3, 7, dtype="float32")[None]
by_keras = keras.ops.image.map_coordinates(row, at, order=1, fill_mode="reflect")
by_scipy = ndimage.map_coordinates(row, at, order=1, mode="reflect")
reflected = [[int(value) for value in np.array(values)] for values in (by_keras, by_scipy)]
print(*reflected)
assert correlation == 1 and difference < 0.01 and np.abs(down).max() > 2
assert reflected[0] == [3, 2, 1, 0, 1, 2, 3, 3, 2, 1], "it reflects as SciPy does now"
assert reflected[1] == [2, 1, 0, 0, 1, 2, 3, 3, 2, 1]
PYTHON

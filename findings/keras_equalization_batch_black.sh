#!/usr/bin/env bash
# Keras 3.15.1 on TensorFlow 2.21.0: Equalization makes one histogram of all images of a batch, so
# that what comes of an image depends on its neighbours: a dark image beside a bright one gets the
# lower half of the values, where alone it gets all. And the counts of pixels are multiplied by 255
# in 32 bits: from 8.4 million pixels in a batch on (an image of 3000 by 3000, 33 of 512 by 512)
# the product runs over, and the brightest become black. RandAugment and AugMix have the layer.
# Output here, the brightest value of a dark image (0 to 59) alone and beside a bright one; then
# what comes of the white of a ramp from black to white, of 2800 by 2800 and of 3000 by 3000
# pixels, and of 33 ramps of 512 by 512, and the share of pixels that are 0:
# {'alone': 255, 'beside a bright one': 126}
# {(1, 2800, 2800, 1): (255, 0.0), (1, 3000, 3000, 1): (0, 0.07), (33, 512, 512, 1): (0, 0.03)}
set -euo pipefail
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
python3 -m venv "$scratch/env"
"$scratch/env/bin/pip" install -q tensorflow-cpu==2.21.0 keras==3.15.1
TF_CPP_MIN_LOG_LEVEL=3 "$scratch/env/bin/python" - <<'PYTHON'
import keras
import numpy as np

equalize = keras.layers.Equalization()
dark = np.tile(np.arange(60, dtype="float32"), (60, 1))[None, ..., None]
brightest = {
    "alone": int(np.max(equalize(dark))),
    "beside a bright one": int(np.max(equalize(np.concatenate([dark, dark + 180]))[0])),
}
print(brightest)

found = {}
for shape in ((1, 2800, 2800, 1), (1, 3000, 3000, 1), (33, 512, 512, 1)):
    ramp = np.round(np.linspace(0, 255, shape[2], dtype="float32"))[:, None]
    equalized = np.array(equalize(np.ascontiguousarray(np.broadcast_to(ramp, shape))))
    found[shape] = int(equalized[0, 0, -1, 0]), round(float(np.mean(equalized == 0)), 2)
print(found)
assert brightest == {"alone": 255, "beside a bright one": 126}
assert found[1, 2800, 2800, 1] == (255, 0)
assert found[1, 3000, 3000, 1] == (0, 0.07) and found[33, 512, 512, 1][0] == 0
PYTHON

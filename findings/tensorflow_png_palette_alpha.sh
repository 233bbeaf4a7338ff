#!/usr/bin/env bash
# TensorFlow 2.21.0: tf.io.decode_png(channels=4) of a PNG with a palette of 1, 2 or 4 bits and no
# transparency gives every pixel an alpha of 1, 3 or 15, all but invisible; of 8 bits it is 255.
# The filler of libpng is taken before the bits are brought to 8.
# Output here: {1: [1], 2: [3], 4: [15], 8: [255]}
set -euo pipefail
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
python3 -m venv "$scratch/env"
"$scratch/env/bin/pip" install -q tensorflow-cpu==2.21.0 pillow==13.0.0
TF_CPP_MIN_LOG_LEVEL=3 "$scratch/env/bin/python" - <<'PYTHON'
import io

import tensorflow as tf
from PIL import Image

picture = Image.linear_gradient("L").convert("RGB")  # 256 greys
found = {}
for bits in (1, 2, 4, 8):
    buffer = io.BytesIO()
    picture.quantize(2**bits).save(buffer, "PNG", bits=bits)
    alpha = tf.io.decode_png(buffer.getvalue(), channels=4)[..., 3]
    found[bits] = sorted({int(value) for value in alpha.numpy().ravel()})
print(found)
assert found == {1: [1], 2: [3], 4: [15], 8: [255]}
PYTHON

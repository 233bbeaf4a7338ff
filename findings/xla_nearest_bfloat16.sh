#!/usr/bin/env bash
# TensorFlow 2.21.0: tf.image.resize(method="nearest") of a bfloat16 or float16 image, compiled by
# XLA, reckons the positions of the pixels in the type of the image, so that whole rows and columns
# come from beside the right ones: in bfloat16 a quarter of the rows where 128 or 256 are doubled,
# a third from 256 to 286. Without XLA all are right, as they are in float32. Keras 3.15.1 has it
# in ops.image.resize and layers.Resizing under the policy mixed_bfloat16 with jit_compile=True
# (the meaning of its "auto" where there is a GPU); UpSampling2D repeats pixels and is right.
# Output here, how many rows are wrong, and by how many rows at most; then the share of wrong
# values from model.predict with Resizing(512, 512, "nearest") of a 256 by 256 chequerboard:
# {'float16 256 to 286': (6, 1), 'float16 1024 to 2048': (511, 1), 'bfloat16 128 to 256': (63, 1),
#  'bfloat16 256 to 286': (87, 1), 'bfloat16 256 to 512': (127, 1),
#  'bfloat16 1024 to 2048': (1150, 2)}
# 0.37
set -euo pipefail
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
python3 -m venv "$scratch/env"
"$scratch/env/bin/pip" install -q tensorflow-cpu==2.21.0 keras==3.15.1
TF_CPP_MIN_LOG_LEVEL=3 "$scratch/env/bin/python" - <<'PYTHON'
import logging

import keras
import numpy as np
import tensorflow as tf

tf.get_logger().setLevel(logging.ERROR)
found = {}
for dtype in ("float32", "float16", "bfloat16"):
    for before, after in ((128, 256), (256, 286), (256, 512), (1024, 2048)):
        rows = np.reshape(range(before), (1, before, 1, 1))
        image = tf.constant(np.concatenate([rows // 32, rows % 32], -1), dtype)  # exact in all
        right = np.floor((np.arange(after) + 0.5) * before / after)
        for compiled in (False, True):
            resize = tf.function(tf.image.resize, jit_compile=compiled)
            resized = resize(image, (after, 1), method="nearest")
            high, low = resized.numpy().astype(int)[0, :, 0].T
            off = np.abs(high * 32 + low - right)
            assert compiled or not off.any()
            if off.any():
                found[f"{dtype} {before} to {after}"] = int(np.count_nonzero(off)), int(off.max())
print(found)

keras.config.set_dtype_policy("mixed_bfloat16")
board = np.indices((256, 256)).sum(0)[None, ..., None] % 2
model = keras.Sequential(
    [keras.Input((256, 256, 1)), keras.layers.Resizing(512, 512, interpolation="nearest")]
)
model.compile(jit_compile=True)
large = model.predict(board.astype("float32"), verbose=0)
wrong = round(float(np.mean(large != board.repeat(2, 1).repeat(2, 2))), 2)
print(wrong)
assert not any(name.startswith("float32") for name in found)
assert found["bfloat16 256 to 512"] == (127, 1) and found["bfloat16 256 to 286"] == (87, 1)
assert wrong > 0.1, "it places them right now"
PYTHON

#!/usr/bin/env bash
# TensorFlow 2.21.0: tf.io.decode_image(dtype=tf.float16) of a PNG makes every value of 255
# infinite, and of the same pixels in a BMP, JPEG or GIF 0.996; with float32 both are 1. All types
# but uint8, uint16 and float32 are decoded to uint16 and given to tf.image.convert_image_dtype,
# which casts first and scales then: 65535 is beyond the largest float16, 65504, and stays infinite.
# So do uint16 images that are given to it. For uint16 the PNG decoder multiplies 255 by 257
# (65535), the others by 256 (65280), so that in bfloat16 and float64 too they are 0.4% apart from a
# PNG. The documentation only calls dtype the desired type of the result.
# Output here, what 255 and 254 become, and what convert_image_dtype makes of 65535 in float16:
# PNG float32: 1.0 0.9961, float16: inf 0.9961, bfloat16: 1.0 0.9961, float64: 1.0 0.9961
# BMP float32: 1.0 0.9961, float16: 0.9961 0.9922, bfloat16: 0.9961 0.9922, float64: 0.9961 0.9922
# JPEG float32: 1.0 0.9961, float16: 0.9961 0.9922, bfloat16: 0.9961 0.9922, float64: 0.9961 0.9922
# GIF float32: 1.0 0.9961, float16: 0.9961 0.9922, bfloat16: 0.9961 0.9922, float64: 0.9961 0.9922
# convert_image_dtype: inf
set -euo pipefail
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
python3 -m venv "$scratch/env"
"$scratch/env/bin/pip" install -q tensorflow-cpu==2.21.0 pillow==13.0.0
TF_CPP_MIN_LOG_LEVEL=3 "$scratch/env/bin/python" - <<'PYTHON'
import io

import tensorflow as tf
from PIL import Image

types = "float32", "float16", "bfloat16", "float64"
found = {}
for form in ("PNG", "BMP", "JPEG", "GIF"):
    picture = Image.new("L", (16, 16), 255)
    picture.paste(254, (0, 0, 8, 16))
    buffer = io.BytesIO()
    picture.convert("RGB").save(buffer, form)
    said = []
    for name in types:
        image = tf.io.decode_image(buffer.getvalue(), dtype=name, expand_animations=False)
        image = tf.cast(image, "float64").numpy()
        found[form, name] = [round(float(image[0, x, 0]), 4) for x in (15, 0)]
        said.append(f"{name}: {found[form, name][0]} {found[form, name][1]}")
    print(form, ", ".join(said))
converted = float(tf.image.convert_image_dtype(tf.constant([65535], "uint16"), "float16")[0])
print(f"convert_image_dtype: {converted}")
infinite = float("inf")
assert found["PNG", "float16"][0] == infinite == converted
for form in ("PNG", "BMP", "JPEG", "GIF"):
    assert found[form, "float32"] == [1, 0.9961]
    for name in types[1:]:
        assert form == "PNG" or found[form, name][0] == 0.9961
PYTHON

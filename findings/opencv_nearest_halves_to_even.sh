#!/usr/bin/env bash
# OpenCV 5.0.0 (opencv-python-headless 5.0.0.93): warpAffine with INTER_NEAREST of uint8, uint16 and
# float32 images takes the even one of two pixels where a position lies halfway between them, which
# it does at every second pixel of so common a thing as a move by half a pixel or an enlargement by
# 2: columns get doubled and their neighbours dropped. A label map that is moved by half a pixel
# loses half of its columns and rows, and enlarged by 2 it has pixels of 1 and 3 by turns, where
# all should be 2 wide. Of int8, int16, int32 and float64 the same call gives what 4.14 gives of all
# types, so that an image and its mask, or a mask and its int32 copy, do not go the same way.
# Output here, the columns 0 to 9 of a ramp after a move by half a pixel and after an enlargement by
# 2, and of how many of 64 columns something is left after the move:
# uint8: moved [0, 0, 2, 2, 4, 4, 6, 6, 8, 8], enlarged [0, 0, 1, 2, 2, 2, 3, 4, 4, 4], 32 left
# uint16: moved [0, 0, 2, 2, 4, 4, 6, 6, 8, 8], enlarged [0, 0, 1, 2, 2, 2, 3, 4, 4, 4], 32 left
# float32: moved [0, 0, 2, 2, 4, 4, 6, 6, 8, 8], enlarged [0, 0, 1, 2, 2, 2, 3, 4, 4, 4], 32 left
# int16: moved [0, 1, 2, 3, 4, 5, 6, 7, 8, 9], enlarged [0, 1, 1, 2, 2, 3, 3, 4, 4, 5], 64 left
# int32: moved [0, 1, 2, 3, 4, 5, 6, 7, 8, 9], enlarged [0, 1, 1, 2, 2, 3, 3, 4, 4, 5], 64 left
# float64: moved [0, 1, 2, 3, 4, 5, 6, 7, 8, 9], enlarged [0, 1, 1, 2, 2, 3, 3, 4, 4, 5], 64 left
set -euo pipefail
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
python3 -m venv "$scratch/env"
"$scratch/env/bin/pip" install -q opencv-python-headless==5.0.0.93 numpy==2.4.6
"$scratch/env/bin/python" - <<'PYTHON'
import cv2
import numpy as np

move = np.array([[1, 0, 0.5], [0, 1, 0.5]])
enlarge = np.array([[2.0, 0, 0], [0, 2, 0]])
left = {}
for dtype in ("uint8", "uint16", "float32", "int16", "int32", "float64"):
    ramp = np.tile(np.arange(64), (64, 1)).astype(dtype)
    moved = cv2.warpAffine(
        ramp, move, (64, 64), flags=cv2.INTER_NEAREST, borderMode=cv2.BORDER_REPLICATE
    )
    large = cv2.warpAffine(ramp, enlarge, (128, 128), flags=cv2.INTER_NEAREST)
    left[dtype] = len(np.unique(moved))
    columns = [image[32, :10].astype(int).tolist() for image in (moved, large)]
    print(f"{dtype}: moved {columns[0]}, enlarged {columns[1]}, {left[dtype]} left")
assert all(left[dtype] <= 33 for dtype in ("uint8", "uint16", "float32"))
assert all(left[dtype] >= 63 for dtype in ("int16", "int32", "float64"))
PYTHON

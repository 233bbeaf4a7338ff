#!/usr/bin/env bash
# MONAI 1.6.1: Resize(anti_aliasing=True) darkens the edge of what it makes smaller: its Gaussian
# filter takes everything beyond the image for 0. Of an image that is 1 all over, 256 to 64 pixels,
# the outermost pixels are 0.90 and the corners 0.80; of a CT, where air is -1000, the same pixels
# come out as -897, and -804. Its documentation points to skimage.transform.resize, whose sigma it
# takes; that one mirrors at the edge and leaves 1 at 1, as PyTorch's antialias=True does, and as
# MONAI does without anti_aliasing. GaussianSmooth and RandGaussianSmooth do it as well, by near
# a half at an edge and two thirds in a corner.
# Output here, the pixel in the middle, in the edge and in the corner of an image of ones:
# MONAI, 256 to 128: 1.00 0.92 0.85
# MONAI, 256 to 64: 1.00 0.90 0.80
# MONAI, 256 to 32: 1.00 0.87 0.76
# MONAI, 256 to 64, not anti-aliased: 1.00 1.00 1.00
# scikit-image, 256 to 64: 1.00 1.00 1.00
# PyTorch, 256 to 64: 1.00 1.00 1.00
# MONAI, GaussianSmooth(3): 1.00 0.57 0.32
set -euo pipefail
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
python3 -m venv "$scratch/env"
"$scratch/env/bin/pip" install -q monai==1.6.1 torch==2.14.1 numpy==2.4.6 scikit-image==0.26.0
"$scratch/env/bin/python" -W ignore - <<'PYTHON'
import numpy as np
import skimage.transform
import torch
from monai.transforms import GaussianSmooth, Resize

ones = torch.ones(1, 256, 256)
found = {}
for size in (128, 64, 32):
    resize = Resize((size, size), mode="bilinear", anti_aliasing=True)
    found[f"MONAI, 256 to {size}"] = resize(ones)[0]
found["MONAI, 256 to 64, not anti-aliased"] = Resize((64, 64), mode="bilinear")(ones)[0]
found["scikit-image, 256 to 64"] = skimage.transform.resize(
    ones[0].numpy(), (64, 64), anti_aliasing=True
)
found["PyTorch, 256 to 64"] = torch.nn.functional.interpolate(
    ones[None], (64, 64), mode="bilinear", antialias=True
)[0, 0]
found["MONAI, GaussianSmooth(3)"] = GaussianSmooth(3)(ones)[0]
for name, image in found.items():
    image = np.asarray(image)
    middle = len(image) // 2
    found[name] = [float(image[y, x]) for y, x in ((middle, middle), (middle, 0), (0, 0))]
    print(f"{name}: {found[name][0]:.2f} {found[name][1]:.2f} {found[name][2]:.2f}")
names = list(found)
assert all(found[name][1] < 0.95 and found[name][2] < 0.9 for name in names[:3] + names[6:])
assert all(abs(value - 1) < 1e-4 for name in names[3:6] for value in found[name])
assert all(abs(found[name][0] - 1) < 0.002 for name in names)
PYTHON

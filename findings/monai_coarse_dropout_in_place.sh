#!/usr/bin/env bash
# MONAI 1.6.1: RandCoarseDropout and RandCoarseShuffle, and their dictionary twins, write into the
# image that they are given, where other random transforms make a new one. So the images of a
# monai.data.Dataset that lie in memory are not drawn with a few holes each time, but keep the holes
# of all epochs. StdShiftIntensity, RandStdShiftIntensity and NormalizeIntensity(channel_wise=True)
# or (nonzero=True) do the same, so that a shift adds up. CacheDataset is saved by its copy_cache,
# on by default; the documentation of these transforms has no word of it.
# Output here, the share of pixels that are in holes, of images of 64 by 64 that get one of 16 by 16
# with a probability of 0.5 (0.03 of the pixels), in ten epochs; then the transforms, of some, that
# change their input:
# [0.023, 0.052, 0.082, 0.124, 0.137, 0.163, 0.187, 0.194, 0.214, 0.233]
# True: RandCoarseDropout, RandCoarseShuffle, StdShiftIntensity, NormalizeIntensity
# False: RandGaussianNoise, RandAdjustContrast, RandHistogramShift, RandShiftIntensity,
#     RandBiasField
set -euo pipefail
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
python3 -m venv "$scratch/env"
"$scratch/env/bin/pip" install -q monai==1.6.1 torch==2.14.1 numpy==2.4.6
"$scratch/env/bin/python" -W ignore - <<'PYTHON'
import numpy as np
import torch
from monai import transforms
from monai.data import Dataset
from monai.utils import set_determinism

set_determinism(0)
images = [{"image": np.ones((1, 64, 64), "float32")} for _ in range(8)]
drop = transforms.RandCoarseDropoutd("image", holes=1, spatial_size=16, fill_value=0, prob=0.5)
data = Dataset(images, drop)
shares = []
for _ in range(10):
    drawn = [np.asarray(data[number]["image"]) for number in range(len(data))]
    shares.append(round(float(np.mean(np.equal(drawn, 0))), 3))
print(shares)

changes = {True: [], False: []}
for transform in (
    transforms.RandCoarseDropout(2, 4, prob=1),
    transforms.RandCoarseShuffle(2, 4, prob=1),
    transforms.StdShiftIntensity(0.5),
    transforms.NormalizeIntensity(channel_wise=True),
    transforms.RandGaussianNoise(prob=1),
    transforms.RandAdjustContrast(prob=1),
    transforms.RandHistogramShift(prob=1),
    transforms.RandShiftIntensity(0.5, prob=1),
    transforms.RandBiasField(prob=1),
):
    image = torch.rand(2, 16, 16)
    before = image.clone()
    after = transform(image)
    assert not torch.equal(torch.as_tensor(after), before)
    changes[not torch.equal(image, before)].append(type(transform).__name__)
for changed, names in changes.items():
    print(f"{changed}: {', '.join(names)}")
assert shares[0] < 0.05 and shares[9] > 0.2
assert len(changes[True]) == 4 and changes[True][0] == "RandCoarseDropout"
PYTHON

#!/usr/bin/env bash
# scikit-image 0.26.0: structural_similarity(gradient=True) gives no gradient of the number that it
# returns beside it. The mean is over the pixels whose window lies within the image, and over the
# channels; the gradient is divided by all pixels, but not by the channels, and the windows that
# reach over the edge are in it. Of 3 channels it is up to 3 times too long, and of one too short:
# by (58 / 64) ** 2 of 64 by 64 pixels with the window of 7. At the edges, which do little for the
# mean, it is far too large. Its documentation calls it the gradient with respect to im2.
# Output here, of 64 by 64 pixels, the change of the mean by a small step of im2 in the middle,
# divided by what the gradient says of it (1 if it is right); then what the gradient says of the
# pixel in the corner, divided by the true change of the mean with it:
# 1 channel: 1.22, 3 channels: 0.41
# corner: 24
set -euo pipefail
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
python3 -m venv "$scratch/env"
"$scratch/env/bin/pip" install -q scikit-image==0.26.0 numpy==2.4.6
"$scratch/env/bin/python" - <<'PYTHON'
import numpy as np
from skimage.metrics import structural_similarity

random = np.random.default_rng(0)
shape = (64, 64, 3)
one = random.random(shape)
other = np.clip(one + 0.2 * random.standard_normal(shape), 0, 1)


def similarity(images, **more):
    channels = {} if images[0].ndim == 2 else {"channel_axis": 2}
    options = {"data_range": 1, "use_sample_covariance": False}
    return structural_similarity(*images, **channels, **options, **more)


def change(images, step):
    image, moved = images
    ends = [similarity((image, moved + sign * step)) for sign in (1, -1)]
    return (ends[0] - ends[1]) / 2


found = {}
for channels, cut in ((1, np.s_[..., 0]), (3, np.s_[:])):
    images = one[cut], other[cut]
    gradient = similarity(images, gradient=True)[1]
    step = 1e-4 * random.standard_normal(images[0].shape)
    step[:12] = step[-12:] = step[:, :12] = step[:, -12:] = 0
    found[channels] = round(float(change(images, step) / (gradient * step).sum()), 2)
print(f"1 channel: {found[1]:.2f}, 3 channels: {found[3]:.2f}")

images = one[..., 0], other[..., 0]
corner = np.zeros((64, 64))
corner[0, 0] = 1e-4
true = change(images, corner) / 1e-4
times = similarity(images, gradient=True)[1][0, 0] / true
print(f"corner: {times:.0f}")
assert found == {1: round((64 / 58) ** 2, 2), 3: round((64 / 58) ** 2 / 3, 2)}
assert times > 10
PYTHON

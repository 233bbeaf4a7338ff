#!/usr/bin/env bash
# torchmetrics 1.9.0: PeakSignalNoiseRatioWithBlockedEffect, and its function, divide the squared
# error by the number of pixels of all images, but not the blocking effect, which is summed up over
# the batch and over the updates and is never divided by the number of images. So PSNR-B sinks with
# the size of the test set: the same pair of images counted ten times is 8 dB worse than once, and a
# hundred times 18 dB. A set is no longer comparable with a part of it, nor with one of another
# size, and the values of single images are far from that of all. PSNR stays the same.
# Output here, of a JPEG of quality 10 against its original, taken 1, 10 and 100 times:
# 1: PSNR 35.3, PSNR-B 31.5, of one batch 31.5
# 10: PSNR 35.3, PSNR-B 23.6, of one batch 23.6
# 100: PSNR 35.3, PSNR-B 13.9, of one batch 13.9
set -euo pipefail
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
python3 -m venv "$scratch/env"
"$scratch/env/bin/pip" install -q torchmetrics==1.9.0 torch==2.13.0 numpy==2.4.6 pillow==13.0.0
"$scratch/env/bin/python" -W ignore - <<'PYTHON'
import io

import numpy as np
import torch
from PIL import Image
from torchmetrics.functional.image import peak_signal_noise_ratio_with_blocked_effect
from torchmetrics.image import PeakSignalNoiseRatio, PeakSignalNoiseRatioWithBlockedEffect

places = np.arange(128) / 20
picture = np.rint(127.5 + 120 * np.outer(np.sin(places), np.cos(places))).astype("uint8")
buffer = io.BytesIO()
Image.fromarray(picture).save(buffer, "JPEG", quality=10)
blocky = np.array(Image.open(buffer))
target, preds = (torch.tensor(values / 255.0)[None, None] for values in (picture, blocky))

values = []
for times in (1, 10, 100):
    plain, blocked = PeakSignalNoiseRatio(1.0), PeakSignalNoiseRatioWithBlockedEffect(1.0)
    for _ in range(times):
        plain.update(preds, target)
        blocked.update(preds, target)
    batch = peak_signal_noise_ratio_with_blocked_effect(
        preds.repeat(times, 1, 1, 1), target.repeat(times, 1, 1, 1), 1.0
    )
    values.append([round(float(value), 1) for value in (plain.compute(), blocked.compute(), batch)])
    print(f"{times}: PSNR {values[-1][0]}, PSNR-B {values[-1][1]}, of one batch {values[-1][2]}")
assert values == [[35.3, 31.5, 31.5], [35.3, 23.6, 23.6], [35.3, 13.9, 13.9]]
PYTHON

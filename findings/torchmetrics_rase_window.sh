#!/usr/bin/env bash
# torchmetrics 1.9.0: RelativeAverageSpectralError, and its function, are window_size ** 2 times too
# large: the mean of the target in the window is divided by the number of its pixels once more.
# RASE is a percentage, 100 / mean * root mean square of the bands' RMSE, as its source says, and
# does not hang on the window where error and mean are the same all over; with the default window of
# 8 it is 64 times as much, with 16 it is 256 times. The example in its documentation is 5326 (%).
# ERGAS, which has the same formula for the whole image, is right, and so is the RMSE of the window.
# Output here, of an image of 0.5 all over with an error of 0.05, that is of 10%, for windows of 2,
# 4, 8 and 16: the RMSE, the RASE; then ERGAS:
# {2: 0.05, 4: 0.05, 8: 0.05, 16: 0.05}
# {2: 40.0, 4: 160.0, 8: 640.0, 16: 2560.0}
# 10.0
set -euo pipefail
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
python3 -m venv "$scratch/env"
"$scratch/env/bin/pip" install -q torchmetrics==1.9.0 torch==2.13.0 numpy==2.4.6
"$scratch/env/bin/python" -W ignore - <<'PYTHON'
import torch
from torchmetrics.functional.image import error_relative_global_dimensionless_synthesis as ergas
from torchmetrics.functional.image import relative_average_spectral_error as rase
from torchmetrics.functional.image import root_mean_squared_error_using_sliding_window as rmse

target = torch.full((1, 3, 64, 64), 0.5)
preds = target + 0.05
errors, percents = {}, {}
for size in (2, 4, 8, 16):
    errors[size] = round(float(rmse(preds, target, window_size=size)), 4)
    percents[size] = round(float(rase(preds, target, window_size=size)), 1)
whole = round(float(ergas(preds, target, ratio=1)), 1)
print(errors)
print(percents)
print(whole)
assert errors == dict.fromkeys(errors, 0.05) and whole == 10
assert percents == {size: 10 * size**2 for size in (2, 4, 8, 16)}
PYTHON

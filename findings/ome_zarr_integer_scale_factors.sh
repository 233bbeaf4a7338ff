#!/usr/bin/env bash
# ome-zarr 0.18.0: write_image takes no notice of the numbers in scale_factors where they are
# integers, only of how many there are: level i is always made 2**i times smaller, and the scales in
# the metadata tell of the same. Its documentation calls the list "the downsampling factors for each
# pyramid level"; the default is (2, 4, 8, 16), with which nothing shows. Written as dicts the same
# numbers are followed. No warning is given; of one level, [16], a copy of half the side is stored.
# Output here: the sizes of the levels of an image of 256 by 256, and the scales in the metadata:
# [2, 4]: sizes [256, 128, 64], scales [1.0, 2.0, 4.0]
# [4, 16]: sizes [256, 128, 64], scales [1.0, 2.0, 4.0]
# [16]: sizes [256, 128], scales [1.0, 2.0]
# [{'y': 4, 'x': 4}, {'y': 16, 'x': 16}]: sizes [256, 64, 16], scales [1.0, 4.0, 16.0]
set -euo pipefail
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
python3 -m venv "$scratch/env"
"$scratch/env/bin/pip" install -q ome-zarr==0.18.0 zarr==3.1.6 dask==2026.8.0 \
    numpy==2.4.6 scikit-image==0.26.0
cd "$scratch"
"$scratch/env/bin/python" -W error::UserWarning - <<'PYTHON'
import numpy as np
import zarr
from ome_zarr.writer import write_image

image = np.zeros((256, 256), "uint8")
found = []
dicts = [{"y": 4, "x": 4}, {"y": 16, "x": 16}]
for number, factors in enumerate(([2, 4], [4, 16], [16], dicts)):
    said = str(factors)
    write_image(image, f"{number}.zarr", axes="yx", scale_factors=factors)
    group = zarr.open_group(f"{number}.zarr", mode="r")
    levels = group.attrs["ome"]["multiscales"][0]["datasets"]
    sizes = [group[level["path"]].shape[0] for level in levels]
    scales = [level["coordinateTransformations"][0]["scale"][0] for level in levels]
    print(f"{said}: sizes {sizes}, scales {scales}")
    found.append(sizes)
assert found == [[256, 128, 64], [256, 128, 64], [256, 128], [256, 64, 16]]
PYTHON

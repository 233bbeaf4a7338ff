#!/usr/bin/env bash
# ome-zarr 0.18.0 makes the smaller levels of write_image block by block and puts the blocks one
# after the other, whether or not their sizes add up. method=Methods.ZOOM asks SciPy for blocks that
# are rounded down or up by themselves, and where one comes out smaller than was reckoned, the level
# ends in a row and a column of zeros: from 1000 pixels at level 3 of the default factors, where the
# image has no zeros. With Methods.RESIZE, the default, blocks are rounded up, so of a Dask array in
# chunks the content of the last ones moves to the right: in chunks of 256 by 2 pixels of the first
# image at level 1 and 6 at level 2 of 999 or 1003 pixels, and not of 1000 or of one chunk. The
# scale and translation in the metadata tell of neither.
# Output here: the zeros in each level of an image that is 255 all over; then, of a ramp whose value
# is the position in the first image, the furthest that a level is from where the metadata put it,
# of one chunk and of chunks of 256:
# zoom, 1000 pixels: zeros [0, 0, 0, 249, 123]
# resize, 1000 pixels: off by [0.1, 0.3, 0.5, 1.1] in one chunk, [0.1, 0.3, 0.5, 1.1] in chunks
# resize, 1003 pixels: off by [0.1, 0.3, 0.5, 1.1] in one chunk, [2.0, 5.9, 6.3, 6.9] in chunks
set -euo pipefail
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
python3 -m venv "$scratch/env"
"$scratch/env/bin/pip" install -q ome-zarr==0.18.0 zarr==3.1.6 dask==2026.8.0 \
    numpy==2.4.6 scikit-image==0.26.0 scipy==1.17.1
cd "$scratch"
"$scratch/env/bin/python" - <<'PYTHON'
import itertools

import dask.array
import numpy as np
import zarr
from ome_zarr.scale import Methods
from ome_zarr.writer import write_image

names = itertools.count()


def levels(image, method):
    name = f"{next(names)}.zarr"
    write_image(image, name, axes="yx", method=method)
    group = zarr.open_group(name, mode="r")
    for level in group.attrs["ome"]["multiscales"][0]["datasets"]:
        scale, translation = level["coordinateTransformations"]
        where = scale["scale"][1], translation["translation"][1]
        yield group[level["path"]][:], *where


def off(image):
    found = []
    for level, scale, translation in levels(image, Methods.RESIZE):
        middle = level[len(level) // 2]
        told = np.arange(len(middle)) * scale + translation
        found.append(round(float(np.abs(middle - told).max()), 1))
    return found[1:]


white = np.full((1000, 1000), 255, "uint8")
zeros = [int((level == 0).sum()) for level, *_ in levels(white, Methods.ZOOM)]
print(f"zoom, 1000 pixels: zeros {zeros}")
moved = {}
for size in (1000, 1003):
    ramp = np.tile(np.arange(size, dtype="float32"), (size, 1))
    one, chunks = off(ramp), off(dask.array.from_array(ramp, chunks=256))
    print(f"resize, {size} pixels: off by {one} in one chunk, {chunks} in chunks")
    moved[size] = chunks
assert zeros[3] > 0 and zeros[4] > 0
assert max(moved[1000]) < 1.5 and moved[1003][0] > 1.5 and moved[1003][1] > 5
PYTHON

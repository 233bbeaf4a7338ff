#!/usr/bin/env bash
# odc-geo 0.5.3: odc.reproject of a Dask array to a grid of the same CRS gives seams along its
# chunks with bilinear, cubic and lanczos: for each chunk of the result only those chunks of the
# source are taken that lie under it, with the bounds rounded to whole pixels, not the neighbours
# that the filter reaches to, so that every chunk is treated as an image with an edge of its own.
# Where the borders of both grids coincide, as in an enlargement by 2, a smooth ramp gets a flat
# place and a step; and what comes out depends on the chunks. In NumPy, and of one chunk, it is
# right, and with nearest and average.
# Output here, a ramp of steps of 10 enlarged by 2, at the border of chunks of 32 pixels; then, of
# noise between 0 and 1 enlarged by 2, the largest difference from the result in NumPy:
# NumPy:        [302.5, 307.5, 312.5, 317.5, 322.5, 327.5]
# chunks of 64: [302.5, 307.5, 312.5, 317.5, 322.5, 327.5]
# chunks of 32: [302.5, 307.5, 310.0, 320.0, 322.5, 327.5]
# nearest: 0.0 in one chunk, 0.0 in chunks of 32
# average: 0.0 in one chunk, 0.0 in chunks of 32
# bilinear: 0.0 in one chunk, 0.2 in chunks of 32
# cubic: 0.0 in one chunk, 0.17 in chunks of 32
# lanczos: 0.0 in one chunk, 0.29 in chunks of 32
set -euo pipefail
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
python3 -m venv "$scratch/env"
"$scratch/env/bin/pip" install -q odc-geo==0.5.3 dask==2026.8.0 xarray==2026.9.0 rasterio==1.4.4 \
    numpy==2.4.6
"$scratch/env/bin/python" -W ignore - <<'PYTHON'
import dask.array
import numpy as np
from odc.geo.geobox import GeoBox
from odc.geo.xr import wrap_xr

box = GeoBox.from_bbox((0, 0, 640, 640), "epsg:32632", resolution=10, tight=True)
double = box.zoom_out(0.5)


def enlarge(pixels, chunk, resampling):
    if chunk:
        pixels = dask.array.from_array(pixels, chunks=(chunk, chunk))
    return wrap_xr(pixels, box).odc.reproject(double, resampling=resampling).values


ramp = np.tile(np.arange(0, 640, 10, dtype="float32"), (64, 1))
rows = {}
for name, chunk in (("NumPy:", 0), ("chunks of 64:", 64), ("chunks of 32:", 32)):
    rows[chunk] = enlarge(ramp, chunk, "bilinear")[8, 61:67].tolist()
    print(f"{name:13} {rows[chunk]}")

noise = np.random.default_rng(0).random(box.shape).astype("float32")
largest = {}
for resampling in ("nearest", "average", "bilinear", "cubic", "lanczos"):
    right = enlarge(noise, 0, resampling)
    whole, chunks = largest[resampling] = [
        round(float(np.abs(enlarge(noise, chunk, resampling) - right).max()), 2)
        for chunk in (64, 32)
    ]
    print(f"{resampling}: {whole} in one chunk, {chunks} in chunks of 32")
assert rows[0] == rows[64] == [302.5, 307.5, 312.5, 317.5, 322.5, 327.5]
assert rows[32] == [302.5, 307.5, 310.0, 320.0, 322.5, 327.5]
assert all(whole == 0 for whole, _ in largest.values())
assert largest["nearest"][1] == largest["average"][1] == 0
assert min(largest[resampling][1] for resampling in ("bilinear", "cubic", "lanczos")) > 0.1
PYTHON

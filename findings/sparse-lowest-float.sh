#!/bin/sh
# tifffile 2026.3.3 reads the tiles that a sparse GeoTIFF of float32 leaves out as 0
# where the tag GDAL_NODATA is the lowest float32, the usual one of float rasters,
# although it fills them with the tag's value where that is -9999: it asks NumPy for
# the smallest type of the number, which is float64, and takes 0 for what cannot be
# cast. rasterio (GDAL) and the tag itself say -3.4028234663852886e+38. So in a height
# model all that was never measured becomes sea level. Only a log line tells.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet tifffile==2026.3.3 numpy==2.4.6 rasterio==1.4.4
cd "$work"
venv/bin/python - <<'PYTHON'
import logging

import numpy as np
import rasterio
import tifffile

logging.getLogger("tifffile").setLevel(logging.CRITICAL)
read = {}
for nodata in (-9999.0, float(np.finfo(np.float32).min)):
    form = {"driver": "GTiff", "width": 64, "height": 64, "count": 1}
    form |= {"tiled": True, "blockxsize": 32, "blockysize": 32, "sparse_ok": True}
    with rasterio.open(
        "sparse.tif", "w", dtype="float32", nodata=nodata, **form
    ) as file:
        tile = rasterio.windows.Window(0, 0, 32, 32)
        file.write(np.full((1, 32, 32), 500, np.float32), window=tile)
    with rasterio.open("sparse.tif") as file:
        by_gdal = float(file.read(1)[63, 63])
    read[nodata] = by_gdal, float(tifffile.imread("sparse.tif")[63, 63])
    print(f"nodata {nodata:g}: rasterio {by_gdal:g}, tifffile {read[nodata][1]:g}")
lowest = float(np.finfo(np.float32).min)
assert read[-9999.0] == (-9999, -9999)
assert read[lowest] == (lowest, 0), "it reads what the tag says now"
PYTHON
# nodata -9999: rasterio -9999, tifffile -9999
# nodata -3.40282e+38: rasterio -3.40282e+38, tifffile 0

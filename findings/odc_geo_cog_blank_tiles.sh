#!/usr/bin/env bash
# odc-geo 0.5.3: save_cog_with_dask leaves a tile out if its encoder raises an error: the exception
# is caught, and no bytes are stored, which a TIFF with missing tiles reads as 0. So integers of 64
# bits with LERC, int16 with JPEG and one band with WebP, which these cannot do, give a good file
# that is empty; write_cog, of the same package, raises for the three. A mask of bools is lost with
# the default compression: the header says one bit to a pixel, the tiles have a byte to each, and
# of a square in the middle a few wrong pixels are left; write_cog refuses bools.
# Output here, the share of pixels above 0 in the data and in the file, and what write_cog does:
# bool: 0.25 in, 0.02 in the file; write_cog: TypeError
# int64, lerc: 1.0 in, 0.0 in the file; write_cog: RasterioIOError
# int16, jpeg: 1.0 in, 0.0 in the file; write_cog: RasterioIOError
# uint8, webp: 1.0 in, 0.0 in the file; write_cog: RasterioIOError
# uint8, lerc: 1.0 in, 1.0 in the file; write_cog: saved
# uint8: 1.0 in, 1.0 in the file; write_cog: saved
set -euo pipefail
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
python3 -m venv "$scratch/env"
"$scratch/env/bin/pip" install -q odc-geo==0.5.3 dask==2026.8.0 xarray==2026.9.0 rasterio==1.4.4 \
    tifffile==2026.3.3 imagecodecs==2026.3.6 numpy==2.4.6
cd "$scratch"
"$scratch/env/bin/python" -W ignore - <<'PYTHON'
import logging

import dask.array
import numpy as np
import rasterio
from odc.geo.cog import save_cog_with_dask, write_cog
from odc.geo.geobox import GeoBox
from odc.geo.xr import wrap_xr

logging.disable(logging.CRITICAL)
box = GeoBox.from_bbox((0, 0, 1280, 1280), "epsg:32632", resolution=10, tight=True)
square = np.zeros(box.shape, bool)
square[32:96, 32:96] = True
numbers = np.add.outer(np.arange(128), np.arange(128)) % 100 + 20
found = []
for pixels, compression in (
    (square, None),
    (numbers.astype("int64"), "lerc"),
    (numbers.astype("int16"), "jpeg"),
    (numbers.astype("uint8"), "webp"),
    (numbers.astype("uint8"), "lerc"),
    (numbers.astype("uint8"), None),
):
    how = {} if compression is None else {"compression": compression}
    chunks = dask.array.from_array(pixels, chunks=(64, 64))
    save_cog_with_dask(wrap_xr(chunks, box), "dask.tif", **how).compute()
    with rasterio.open("dask.tif") as file:
        shares = round(float(np.mean(pixels > 0)), 2), round(float(np.mean(file.read(1) > 0)), 2)
    how = {} if compression is None else {"compress": compression}
    try:
        write_cog(wrap_xr(pixels, box), "gdal.tif", overwrite=True, **how)
        said = "saved"
    except (TypeError, rasterio.errors.RasterioIOError) as error:
        said = type(error).__name__
    name = str(pixels.dtype) + (f", {compression}" if compression else "")
    print(f"{name}: {shares[0]} in, {shares[1]} in the file; write_cog: {said}")
    found.append((*shares, said == "saved"))
assert found == [(0.25, 0.02, False)] + 3 * [(1, 0, False)] + 2 * [(1, 1, True)]
PYTHON

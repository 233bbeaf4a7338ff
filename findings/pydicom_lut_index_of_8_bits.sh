#!/usr/bin/env bash
# pydicom 3.0.2 looks pixels up at the wrong place of a table that has 8 bits to an entry and more
# than 256 entries: apply_voi (also by way of apply_voi_lut) and apply_color_lut keep the indexes in
# the type of what comes out of the table, not in that of the pixels, so that uint8 is left of them,
# the index modulo 256. The usual table from 12 bits to the 8 of a display gives sawteeth of 16
# greys in place of a ramp of 256. With the same table at 16 bits to an entry it is right, and so is
# highdicom 0.28.2 with 8; shapes and types look as they should, and nothing is said.
# Output here: the pixels 0, 512, 1024 ... 3584 of 12 bits, that the table brings to pixel // 16, as
# pydicom with 16 bits, as highdicom and as pydicom with 8 bits to an entry give them; the number of
# greys that are left of 256; then the same pixels by a palette of 4096 colours of 8 bits, red:
# 16 bits, pydicom:  [0, 32, 64, 96, 128, 160, 192, 224]
#  8 bits, highdicom: [0, 32, 64, 96, 128, 160, 192, 224]
#  8 bits, pydicom:  [0, 0, 0, 0, 0, 0, 0, 0]
# greys left: 16
# palette, pydicom:  [0, 0, 0, 0, 0, 0, 0, 0]
set -euo pipefail
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
python3 -m venv "$scratch/env"
"$scratch/env/bin/pip" install -q pydicom==3.0.2 highdicom==0.28.2 numpy==2.4.6
"$scratch/env/bin/python" - <<'PYTHON'
import highdicom
import numpy as np
from pydicom.dataset import Dataset
from pydicom.pixels import apply_color_lut, apply_voi

pixels = np.arange(4096, dtype="uint16")
right = pixels // 16


def by_pydicom(bits):
    table, dataset = Dataset(), Dataset()
    table.LUTDescriptor = [4096, 0, bits]
    table.add_new("LUTData", "US", right.tolist())
    dataset.VOILUTSequence = [table]
    return apply_voi(pixels, dataset)


wide, narrow = by_pydicom(16), by_pydicom(8)
table = highdicom.VOILUT(first_mapped_value=0, lut_data=right.astype("uint8"))
other = table.apply(pixels)
print(f"16 bits, pydicom:  {wide[::512].tolist()}")
print(f" 8 bits, highdicom: {other[::512].astype(int).tolist()}")
print(f" 8 bits, pydicom:  {narrow[::512].tolist()}")
print(f"greys left: {len(np.unique(narrow))}")

palette = Dataset()
for colour in ("Red", "Green", "Blue"):
    setattr(palette, f"{colour}PaletteColorLookupTableDescriptor", [4096, 0, 8])
    data = right.astype("uint8").tobytes()
    setattr(palette, f"{colour}PaletteColorLookupTableData", data)
red = apply_color_lut(pixels, palette)[..., 0]
print(f"palette, pydicom:  {red[::512].tolist()}")
assert (wide == right).all() and (other == right).all()
assert narrow.dtype == red.dtype == np.uint8
assert (narrow == right[pixels % 256]).all() and (red == right[pixels % 256]).all()
PYTHON

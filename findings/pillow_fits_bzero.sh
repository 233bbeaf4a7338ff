#!/usr/bin/env bash
# Pillow 13.0.0 reads FITS images without their BZERO and BSCALE, which say what the stored numbers
# mean (value = BZERO + BSCALE * number). FITS has no unsigned numbers of 16 bits; what a camera or
# astropy writes of them is signed, with BZERO = 32768. Pillow calls the image I;16, unsigned, and
# gives each value off by 32768, the dark half above the bright one; int16 without BZERO comes out
# wrong below 0, and uint32 and values that astropy scaled into 16 bits are wrong as well. Shape and
# mode look right and there is no warning.
# Output here, what is in the file as astropy reads it, and as Pillow does:
# uint16: [0, 1000, 32767, 32768, 65535], Pillow: [32768, 33768, 65535, 0, 32767] (I;16)
# int16: [-5, 0, 7], Pillow: [65531, 0, 7] (I;16)
# uint32: [0, 7, 2147483648], Pillow: [-2147483648, -2147483641, 0] (I)
# scaled: [0.0, 1.0, 2.5], Pillow: [65534, 0, 3] (I;16)
set -euo pipefail
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
python3 -m venv "$scratch/env"
"$scratch/env/bin/pip" install -q pillow==13.0.0 astropy==8.0.2 numpy==2.4.6
"$scratch/env/bin/python" - <<'PYTHON'
import io

import numpy as np
from astropy.io import fits
from PIL import Image

scaled = fits.PrimaryHDU(np.array([[0, 1, 2.5]]))
scaled.scale("int16", bscale=0.5, bzero=1)
files = {
    "uint16": fits.PrimaryHDU(np.array([[0, 1000, 32767, 32768, 65535]], "uint16")),
    "int16": fits.PrimaryHDU(np.array([[-5, 0, 7]], "int16")),
    "uint32": fits.PrimaryHDU(np.array([[0, 7, 2**31]], "uint32")),
    "scaled": scaled,
}
found = {}
for name, unit in files.items():
    buffer = io.BytesIO()
    unit.writeto(buffer)
    buffer.seek(0)
    image = Image.open(buffer)
    found[name] = np.array(image)[0].tolist()
    right = fits.open(io.BytesIO(buffer.getvalue()))[0].data[0].tolist()
    print(f"{name}: {right}, Pillow: {found[name]} ({image.mode})")
    assert found[name] != right, "it reads them right now"
assert found["uint16"] == [32768, 33768, 65535, 0, 32767]
PYTHON

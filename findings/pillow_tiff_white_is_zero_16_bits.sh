#!/usr/bin/env bash
# Pillow 13.0.0 turns a TIFF whose PhotometricInterpretation is 0, WhiteIsZero, the right way round
# if it has 1, 2, 4 or 8 bits, and leaves it a negative if it has 16 bits or is of float32: its
# table gives these a raw mode that does not invert. The mode is I;16 or F as of any other, so that
# the same scan kept at 8 and at 16 bits comes out as a picture and as its negative. Saving goes on
# with it: the copy that Pillow writes says BlackIsZero, with the values as they were, and then is a
# negative for all readers.
# Output here, the pixels of a black and a white pixel that are stored as "white is 0", and the tag
# before and after Pillow has written it anew:
# uint8: L [0, 255], tag 0, then 1
# uint16: I;16 [65535, 0], tag 0, then 1
# float32: F [1.0, 0.0], tag 0, then 1
set -euo pipefail
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
python3 -m venv "$scratch/env"
"$scratch/env/bin/pip" install -q pillow==13.0.0 tifffile==2026.3.3 numpy==2.4.6
"$scratch/env/bin/python" - <<'PYTHON'
import io

import numpy as np
import tifffile
from PIL import Image

found = {}
for dtype, most in (("uint8", 255), ("uint16", 65535), ("float32", 1)):
    file, copy = io.BytesIO(), io.BytesIO()
    tifffile.imwrite(file, np.array([[most, 0]], dtype), photometric="miniswhite")
    image = Image.open(file)
    found[dtype] = np.array(image)[0].tolist()
    image.save(copy, "TIFF")
    file.seek(0)
    copy.seek(0)
    tags = [tifffile.TiffFile(one).pages[0].photometric.value for one in (file, copy)]
    pixels = f"{image.mode} {found[dtype]}"
    print(f"{dtype}: {pixels}, tag {tags[0]}, then {tags[1]}")
    assert tags[0] == 0
    copy.seek(0)
    stored = tifffile.imread(copy)[0].tolist()
    assert tags[1] == 1 and stored == found[dtype]
assert found == {"uint8": [0, 255], "uint16": [65535, 0], "float32": [1.0, 0.0]}
PYTHON

"""TIFF files, of microscopes, scanners and satellites, to pixels."""

import numpy as np

STARTS = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")  # the latter two are BigTIFF


def read(data: bytes) -> tuple[np.ndarray, str]:
    """Pixels of a TIFF file."""
    import io

    import tifffile

    pixels = tifffile.imread(io.BytesIO(data))
    return pixels.reshape((*pixels.shape[:2], -1)), ""

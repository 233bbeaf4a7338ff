"""Results as image files of the kind that their suffix says."""

import pathlib

import numpy as np
from PIL import Image

from cyclegan_tf.common.errors import InputError
from cyclegan_tf.data.domain import Domain, form_text

JPEG_QUALITY = 95
# What a file of each kind holds: numbers of channels (all where empty), and types.
HOLDS = {
    ".png": ((1, 3), ("uint8", "uint16")),
    ".jpg": ((1, 3), ("uint8",)),
    ".jpeg": ((1, 3), ("uint8",)),
    ".tif": ((), ("uint8", "uint16", "float32")),
    ".tiff": ((), ("uint8", "uint16", "float32")),
    ".npy": ((), ("uint8", "uint16", "float32")),
}


def suffix_for(domain: Domain) -> str:
    """Of the files that hold such images without loss: ".png", or else ".tif"."""
    return ".png" if domain.is_encodable else ".tif"


def require_holds(suffix: str, channels: int, dtype: str) -> None:
    """Raises `InputError` where files of that suffix cannot hold such pixels."""
    if suffix not in HOLDS:
        raise InputError(f"{suffix or 'no suffix'}: expected one of {', '.join(HOLDS)}")
    held_channels, held_types = HOLDS[suffix]
    if dtype not in held_types or (held_channels and channels not in held_channels):
        raise InputError(
            f"a {suffix} file cannot hold {form_text(channels, dtype)}; use "
            f"{suffix_for(Domain(channels, dtype))} or .npy."
        )


def write(path: pathlib.Path, pixels: np.ndarray) -> None:
    """Writes an image; PNG, TIFF (compressed) and .npy without loss.

    Args:
        path: its suffix says the kind of file.
        pixels: uint8, uint16 or float32 `(height, width, channels)`; of 1 channel,
            arrays in .npy files are `(height, width)`.

    Raises:
        InputError: files of that kind cannot hold such pixels.
        OSError: it cannot be written.
    """
    suffix, channels = path.suffix.lower(), pixels.shape[-1]
    require_holds(suffix, channels, pixels.dtype.name)
    squeezed = pixels[..., 0] if channels == 1 else pixels
    if suffix == ".npy":
        np.save(path, squeezed)
    elif suffix in (".tif", ".tiff"):
        import tifffile

        is_rgb = channels == 3 and pixels.dtype != np.float32
        tifffile.imwrite(
            path,
            squeezed,
            photometric="rgb" if is_rgb else "minisblack",
            planarconfig=None if channels == 1 else "contig",
            compression="zlib",
            metadata=None,
        )
    elif suffix == ".png" and pixels.dtype == np.uint16:
        import imagecodecs  # Pillow writes no RGB of 16 bits

        path.write_bytes(imagecodecs.png_encode(np.ascontiguousarray(squeezed)))
    elif suffix == ".png":
        Image.fromarray(squeezed).save(path, "PNG")
    else:
        Image.fromarray(squeezed).save(path, "JPEG", quality=JPEG_QUALITY)

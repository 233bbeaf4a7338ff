"""Pixels as arrays: the types and sizes that are taken, and `.npy` files of them."""

import io

import numpy as np

from cyclegan_tf.config.sizes import MIN_SIDE
from cyclegan_tf.data.domain import DTYPES, Domain, form_text, with_channels
from cyclegan_tf.data.picture import Picture, filled

# A small file can claim any size. So many pixels of 8-bit RGB take 300 MB.
MAX_PIXELS = 100_000_000
MAX_BYTES = 300_000_000
NPY_START = b"\x93NUMPY"
EXACT = 2**24  # up to here float32 has all integers
ROUNDED = f"integers above {EXACT} rounded to float32"
TURNED_ASIDE = (5, 6, 7, 8)  # orientations that exchange height and width


class UnreadableImage(Exception):
    """The bytes are not an image that can be used; the message says why."""


def require_size(height: int, width: int, pixel_bytes: int) -> None:
    """Raises `UnreadableImage` for fewer than 16 x 16 pixels, or too many of them.

    Too many are more than 100 million, or more than 300 MB, of which each pixel with
    all its channels has `pixel_bytes`.
    """
    problem = ""
    if min(height, width) < MIN_SIDE:
        problem = f"smaller than {MIN_SIDE}x{MIN_SIDE}"
    elif height * width > MAX_PIXELS:
        problem = f"more than {MAX_PIXELS // 10**6} megapixels"
    elif height * width * pixel_bytes > MAX_BYTES:
        problem = f"{pixel_bytes} bytes each, more than {MAX_BYTES // 10**6} megabytes"
    if problem:
        raise UnreadableImage(f"{width}x{height} pixels, {problem}")


def require_numbers(dtype: np.dtype) -> None:
    """Raises `UnreadableImage` for other types than truth values and real numbers."""
    if dtype.kind not in "biuf":
        raise UnreadableImage(f"values of type {dtype}; expected numbers")


def of_supported_type(picture: Picture) -> Picture:
    """A picture as uint8, uint16 or float32 in this machine's byte order.

    Truth values become 0 and 255, all other numbers float32; where that rounds
    integers, the note says so. Raises `UnreadableImage` for what are not numbers, or
    not finite.
    """
    pixels = picture.pixels
    if pixels.dtype.kind == "b":
        return picture._replace(pixels=np.uint8(pixels) * np.uint8(255))
    require_numbers(pixels.dtype)
    if pixels.dtype.name in DTYPES[:2]:
        return picture._replace(pixels=pixels.astype(pixels.dtype.name, copy=False))
    with np.errstate(over="ignore"):  # becomes infinite
        floats = pixels.astype(np.float32, copy=False)
    if count := np.count_nonzero(~np.isfinite(floats)):
        raise UnreadableImage(f"{count} of {floats.size} values are NaN or infinite")
    note = picture.note
    if pixels.dtype.itemsize > 2 and pixels.dtype.kind in "iu":
        # As float64, which holds twice as many bits: a float32 may exceed the type.
        if (np.abs(floats) > EXACT).any() and (np.float64(pixels) != floats).any():
            note = "; ".join(filter(None, (note, ROUNDED)))
    return picture._replace(pixels=floats, note=note)


def in_form(picture: Picture, domain: Domain) -> Picture:
    """A picture of numbers of a supported type as a domain has it.

    Grey becomes RGB and RGB grey, of 8 as of 16 bits; any other form raises
    `UnreadableImage`. Pixels without a value have the middle of the domain's range.
    """
    pixels, valid = picture.pixels, picture.valid
    form = form_text(pixels.shape[-1], pixels.dtype.name)
    wanted = form_text(domain.channels, domain.dtype)
    if form != wanted:
        channels = {pixels.shape[-1], domain.channels}
        is_same_type = pixels.dtype == domain.dtype and domain.is_encodable
        if not is_same_type or channels != {1, 3}:
            raise UnreadableImage(f"is {form}; the model takes {wanted}")
        pixels = with_channels(pixels, domain.channels)
        valid = None if valid is None else valid.all(axis=-1, keepdims=True)
    pixels = filled(pixels, valid, domain.middle)
    return picture._replace(pixels=pixels, valid=valid)


def upright(pixels: np.ndarray, orientation: int | None) -> np.ndarray:
    """Undoes an orientation of EXIF or TIFF, 1 to 8; others are taken for upright."""
    if orientation in TURNED_ASIDE:
        pixels = pixels.swapaxes(0, 1)
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    return np.ascontiguousarray(pixels)


def on_white(
    pixels: np.ndarray, is_premultiplied: bool = False, white: int | None = None
) -> np.ndarray:
    """Composites uint8 or uint16 `(height, width, channels)`, the last alpha, on white.

    White is the largest value of the type, if not another. Rounded to the nearest.
    """
    white = np.uint32(white or np.iinfo(pixels.dtype).max)
    colour, alpha = pixels[..., :-1].astype(np.uint32), pixels[..., -1:].astype("u4")
    if is_premultiplied:
        composited = np.minimum(colour + (white - alpha), white)
    else:  # less than 2**32: white * white and a half
        composited = (colour * alpha + white * (white - alpha) + white // 2) // white
    return composited.astype(pixels.dtype)


def read_npy(data: bytes) -> Picture:
    """The array `(height, width, channels)` of a `.npy` file; nothing is unpickled.

    Where there are more channels than rows, which may be channels first, the note says
    so. Raises `UnreadableImage` if it holds anything else, or less than it claims.
    """
    file = io.BytesIO(data)
    if np.lib.format.read_magic(file) == (1, 0):
        header = np.lib.format.read_array_header_1_0(file)
    else:
        header = np.lib.format.read_array_header_2_0(file)
    shape, is_fortran, dtype = header
    require_numbers(dtype)
    if len(shape) not in (2, 3) or 0 in shape:
        raise UnreadableImage(
            f"an array of shape {shape}; expected (height, width) or "
            f"(height, width, channels)"
        )
    height, width, channels = (*shape, 1)[:3]
    if height < MIN_SIDE <= min(width, channels):
        raise UnreadableImage(
            f"an array of shape {shape}, as of channels first; expected (height, "
            f"width, channels)"
        )
    require_size(height, width, channels * dtype.itemsize)
    count = height * width * channels
    if len(data) - file.tell() < count * dtype.itemsize:
        raise UnreadableImage("it is cut off: fewer values than its header says")
    flat = np.frombuffer(data, dtype, count, file.tell())
    pixels = flat.reshape((height, width, channels), order="F" if is_fortran else "C")
    note = ""
    if height < channels and MIN_SIDE <= channels:
        note = "its last axis taken for channels, although it is longer than the first"
    return Picture(pixels, note=note)

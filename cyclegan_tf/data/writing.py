"""Results as image files of the kind that their suffix says."""

import dataclasses
import io
import itertools
import pathlib
import struct
import zlib
from collections.abc import Iterable

import numpy as np
from PIL import Image
from PIL.PngImagePlugin import putchunk

from cyclegan_tf.common.errors import InputError
from cyclegan_tf.data.arrays import UnreadableImage
from cyclegan_tf.data.domain import DTYPES, Domain, form_text
from cyclegan_tf.data.images import encode
from cyclegan_tf.data.medical import DICOM_SUFFIXES
from cyclegan_tf.data.picture import CENTIMETRE, INCH, Picture, holds, with_nodata
from cyclegan_tf.data.tiff_tags import GDAL_NODATA, MASK, of_others

JPEG_QUALITY, JPEG_SIDE = 95, 65500  # the latter by libjpeg
PNG_HEADER_END = 33
TIFF_SUFFIXES = (".tif", ".tiff")
# Of these comes a TIFF, too: its values, and the size of its pixels, are measures.
MEASURED_SUFFIXES = (*TIFF_SUFFIXES, *DICOM_SUFFIXES, "")
BIG_TIFF = 2**32 - 2**25  # bytes from which on a TIFF has places of 64 bits
TIFF_UNITS = range(1, 6)  # of which tifffile also knows millimetre and micrometre
PER_INCH = {INCH: 1, CENTIMETRE: 2.54}
OF_CHANNELS = ("Labels", "Channel")
# What a file of each kind holds: numbers of channels (all where empty), and types.
HOLDS = {
    ".png": ((1, 3), DTYPES[:2]),
    ".jpg": ((1, 3), DTYPES[:1]),
    ".jpeg": ((1, 3), DTYPES[:1]),
    ".tif": ((), DTYPES),
    ".tiff": ((), DTYPES),
    ".npy": ((), DTYPES),
}


def suffix_for(domain: Domain, source: pathlib.Path | None = None) -> str:
    """Suffix of files that hold a domain's images without loss: ".png", or else ".tif".

    Of a `source` that is a TIFF or DICOM comes a TIFF, which can say where it lies and
    how large it is.
    """
    suffix = ".png" if source is None else source.suffix.lower()
    is_tiff = suffix in MEASURED_SUFFIXES or suffix[1:].isdigit()
    return ".png" if domain.is_encodable and not is_tiff else ".tif"


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


def lost(suffix: str, pixels: np.ndarray, source: Picture) -> list[str]:
    """What is known of a picture that a file of pixels made of it cannot keep."""
    about, is_tiff = source.about, suffix.lower() in TIFF_SUFFIXES
    is_array = suffix.lower() == ".npy"
    is_nodata_lost = about.nodata and not holds(pixels.dtype, about.nodata)
    has_nodata = about.nodata or source.valid is not None
    wanted = {
        "its place on the map": about.tags and not is_tiff,
        "which pixels have no value": has_nodata and not is_tiff,
        f"its nodata, {about.nodata}, which the type does not hold": is_nodata_lost
        and is_tiff,
        "its pixel size and names of channels": about.metadata and not is_tiff,
        "what its bands are, or the scale and unit of their values": is_tiff
        and _about(source, pixels) != about,
        "its resolution": about.resolution and not _resolution(suffix.lower(), about),
        "its colour profile": about.profile
        and (is_array or not _profile(about, pixels.shape[-1])),
    }
    return [what for what, is_lost in wanted.items() if is_lost]


def write(
    path: pathlib.Path, pixels: np.ndarray, source: Picture | None = None
) -> None:
    """Writes an image; PNG, TIFF (compressed) and .npy without loss.

    Args:
        path: its suffix says the kind of file.
        pixels: uint8, uint16 or float32 `(height, width, channels)`; of 1 channel,
            arrays in .npy files are `(height, width)`.
        source: a picture of the same height and width that they were made of; what
            places and describes it is kept, but for what is `lost`, and what has no
            value in it has none either.

    Raises:
        InputError: files of that kind cannot hold such pixels.
        UnreadableImage: nor so many in a row.
        OSError: it cannot be written.
    """
    suffix, channels = path.suffix.lower(), pixels.shape[-1]
    require_holds(suffix, channels, pixels.dtype.name)
    source = source or Picture(pixels)
    valid, about = source.valid, _about(source, pixels)
    if valid is not None and valid.shape[-1] not in (1, channels):
        valid = valid.any(axis=-1, keepdims=True)
    if holds(pixels.dtype, about.nodata):
        pixels, valid = with_nodata(pixels, valid, about.nodata), None
    else:
        about = dataclasses.replace(about, nodata="")
    squeezed = pixels[..., 0] if channels == 1 else pixels
    dpi = _resolution(suffix, about)
    known = {"icc_profile": _profile(about, channels), "dpi": dpi}
    known = {key: value for key, value in known.items() if value}
    if suffix == ".npy":
        with path.open("wb") as file:  # of a name, NumPy makes x.NPY.npy
            np.save(file, squeezed)
    elif suffix in TIFF_SUFFIXES:
        _write_tiff(path, pixels, valid, about)
    elif suffix == ".png":
        path.write_bytes(_with_chunks(encode(pixels).encoded, **known))
    elif max(pixels.shape) > JPEG_SIDE:
        raise UnreadableImage(f"a JPEG has no side of more than {JPEG_SIDE} pixels")
    else:
        Image.fromarray(squeezed).save(path, quality=JPEG_QUALITY, **known)


def write_pages(
    path: pathlib.Path, pages: Iterable[tuple[np.ndarray, Picture]], count: int
) -> None:
    """Writes a TIFF of `count` pages, each as `write` takes it, one after the other."""
    import tifffile

    pages = iter(pages)
    first = next(pages)
    is_big = count * first[0].nbytes > BIG_TIFF
    with tifffile.TiffWriter(path, bigtiff=is_big) as file:
        for pixels, source in itertools.chain([first], pages):
            _write_page(file, pixels, _about(source, pixels))


def _about(source, pixels):
    """What of a picture holds of pixels in its place.

    Integers of one type are taken to be scaled alike, floats may be of any two units.
    """
    has_same_bands = source.pixels.shape[-1] == pixels.shape[-1]
    has_same_values = source.pixels.dtype == pixels.dtype != np.float32
    return of_others(source.about, has_same_bands, has_same_values)


def _write_tiff(path, pixels, valid, about):
    import tifffile

    if _is_rgb(pixels, about) and pixels.dtype != np.uint8:
        about = dataclasses.replace(about, program="")  # which has no such colours
    program = {about.program: True} if about.program else {}
    with tifffile.TiffWriter(path, **program) as file:
        _write_page(file, pixels, about)
        if valid is not None and not program:
            mask = valid.any(axis=-1)
            file.write(mask, photometric=4, subfiletype=MASK, metadata=None)


def _is_rgb(pixels, about):
    is_rgb = pixels.shape[-1] == 3 and pixels.dtype != np.float32
    return is_rgb and not (about.is_planar and about.program)


def _write_page(file, pixels, about):
    channels, is_rgb = pixels.shape[-1], _is_rgb(pixels, about)
    tags = [_tag(*tag) for tag in about.tags]
    if about.nodata:
        tags.append(_tag(GDAL_NODATA, 2, 0, about.nodata, True))
    options = {
        "photometric": "rgb" if is_rgb else "minisblack",
        "compression": "zlib",
        "metadata": None,
        "extratags": tags,
        "iccprofile": _profile(about, channels) or None,
    }
    if resolution := _resolution(".tif", about):
        options["resolution"] = resolution[:2]
        options["resolutionunit"] = resolution[2]
    values = pixels[..., 0] if channels == 1 else pixels
    if about.program:  # channels are pages there, which its readers expect
        axes = "YX" if channels == 1 else "YXS" if is_rgb else "CYX"
        values = np.moveaxis(pixels, -1, 0) if axes == "CYX" else values
        options["metadata"] = about.metadata | {"axes": axes}
        if channels != about.channels:
            for key in OF_CHANNELS:
                options["metadata"].pop(key, None)
    elif channels > 1:
        options["planarconfig"] = "contig"
    file.write(np.ascontiguousarray(values), **options)


def _profile(about, channels):
    """The colour profile where it is of so many channels, else empty."""
    colours = {1: b"GRAY", 3: b"RGB "}.get(channels)
    return about.profile if about.profile[16:20] == colours else b""


def _tag(code, dtype, count, value, is_once):
    """A tag as tifffile takes it; text is UTF-8, as GDAL has it."""
    if isinstance(value, str):
        value = value.encode() + b"\0"
        count = len(value)
    return code, dtype, count, value, is_once


def _resolution(suffix, about):
    """The resolution as files of a suffix say it, or None where they cannot.

    Of a TIFF, as of `About`; else pixels per inch, across and down.
    """
    if not about.resolution or suffix == ".npy":
        return None
    *fractions, unit = about.resolution
    if suffix in TIFF_SUFFIXES:
        is_held = max(map(max, fractions)) < 2**32 and unit in TIFF_UNITS
        return about.resolution if is_held else None
    dpi = tuple(PER_INCH.get(unit, 0) * n / d for n, d in fractions)
    per, limit = (0.0254, 2**31) if suffix == ".png" else (1, 2**16)
    return dpi if all(1 <= round(x / per) < limit for x in dpi) else None


def _with_chunks(png, icc_profile=b"", dpi=None):
    """A PNG file with a colour profile and a resolution, behind its header."""
    chunks = io.BytesIO()
    if icc_profile:
        putchunk(chunks, b"iCCP", b"icc\0\0" + zlib.compress(icc_profile))
    if dpi:
        per_metre = (round(x / 0.0254) for x in dpi)
        putchunk(chunks, b"pHYs", struct.pack(">IIB", *per_metre, 1))
    return png[:PNG_HEADER_END] + chunks.getvalue() + png[PNG_HEADER_END:]

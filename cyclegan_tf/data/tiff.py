"""TIFF files, of microscopes, scanners and satellites, to pixels."""

import io
import itertools
import logging
import math
import operator
import struct

import numpy as np

from cyclegan_tf.data.arrays import (
    MAX_BYTES,
    UnreadableImage,
    on_white,
    require_size,
    upright,
)

STARTS = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")  # the latter two are BigTIFF
MAX_PAGES = 50_000  # a few bytes of a file can claim one
DESCRIPTION, ORIENTATION = 270, 274  # tags; the latter's values are those of EXIF
# What the values are, as the tag PhotometricInterpretation says.
WHITE_IS_ZERO, BLACK_IS_ZERO, RGB, PALETTE, YCBCR = 0, 1, 2, 3, 6
JPEG = (6, 7)  # compressions; their decoder makes RGB of YCbCr
PREMULTIPLIED, ALPHA = 1, 2  # kinds of extra samples
CUT_OFF = "it is cut off"


def read(data: bytes) -> tuple[np.ndarray, str]:
    """The upright pixels of a file's first page, and a note of what was left out.

    The axes of channels and samples become channels; of any other (depth, time, ...)
    the first entry is taken. White is the largest value, palettes become RGB, and alpha
    beside grey or RGB integers is composited on white.

    Args:
        data: the file's content, which may be anything.

    Returns:
        `(height, width, channels)` in the file's type, and such as "first of 12 pages"
        or "".

    Raises:
        UnreadableImage: it is cut off, too large, or of colours that are not read.
        Exception: what the decoders raise where bytes are damaged.
    """
    import tifffile

    # It tells much that does not matter; what does is found out here.
    logging.getLogger("tifffile").setLevel(logging.CRITICAL)
    with tifffile.TiffFile(io.BytesIO(data)) as file:
        _require_whole(file, data)
        series = file.series[0]
        if file.is_imagej and series.kind in ("generic", "uniform"):
            raise UnreadableImage(CUT_OFF)  # fewer pages than its description says
        pixels, num_pages = _first_image(series, data)
        page, note = series.keyframe, ""
        if num_pages > 1:
            note = f"first of {num_pages} pages"
        elif len(file.series) > 1:
            note = f"first of {len(file.series)} images"
        pixels = _grey_rgb_or_bands(pixels, page)
        return upright(pixels, page.tags.valueof(ORIENTATION)), note


def _require_whole(file, data):
    """Raises `UnreadableImage` where pages, or their data, are beyond the file's end.

    Their reader logs that, and goes on with the pages that it has.
    """
    try:
        file.pages[MAX_PAGES]
    except IndexError:  # as it should be
        pass
    else:
        raise UnreadableImage(f"more than {MAX_PAGES} pages")
    place = file.pages.next_page_offset  # 0 stands there, behind the last page
    if data[place : place + file.tiff.offsetsize] != bytes(file.tiff.offsetsize):
        raise UnreadableImage(CUT_OFF)
    for page in file.pages:
        ends = map(operator.add, page.dataoffsets, page.databytecounts)
        if max(ends, default=0) > len(data):
            raise UnreadableImage(CUT_OFF)
    # What the pages are stands in the description, often at the end of the file.
    first, form = file.pages[0], file.tiff
    number = struct.unpack_from(form.tagnoformat, data, first.offset)[0]
    start = first.offset + form.tagnosize
    for place in range(start, start + number * form.tagsize, form.tagsize):
        (tag,) = struct.unpack_from(f"{form.byteorder}H", data, place)
        if tag == DESCRIPTION and tag not in first.tags:
            raise UnreadableImage(CUT_OFF)


def _first_image(series, data):
    """Values `(height, width, channels)`, and of how many pages they are the first."""
    axes, shape = series.axes, series.shape
    page = series.keyframe
    if (
        page.dtype is None
        or not page.size
        or not axes.count("Y") == axes.count("X") == 1
    ):
        raise UnreadableImage(f"no values, or of the axes {axes}; expected an image")
    # The first axes are those of pages, the others are within each.
    num_pages = math.prod(shape) // page.size
    if num_pages > MAX_PAGES:
        raise UnreadableImage(f"more than {MAX_PAGES} pages")
    split = next(i for i, _ in enumerate(shape) if math.prod(shape[:i]) == num_pages)
    numbers = _first_of_all_but("CS", axes, np.arange(num_pages).reshape(shape[:split]))
    num_images = math.prod(
        n for axis, n in zip(axes, shape, strict=True) if axis not in "YXCS"
    )

    height, width = shape[axes.index("Y")], shape[axes.index("X")]
    try:
        require_size(height, width, page.nbytes * numbers.size // (height * width))
    except UnreadableImage as error:
        if num_images == 1:
            raise
        raise UnreadableImage(f"{num_images} pages, each of {error}") from None
    if math.prod(page.chunks) * page.dtype.itemsize > MAX_BYTES:
        raise UnreadableImage(f"tiles of more than {MAX_BYTES // 10**6} megabytes")

    pages = np.stack([_page_values(series, i, data) for i in numbers.flat])
    values = pages.reshape((*numbers.shape, *shape[split:]))
    values = _first_of_all_but("YXCS", axes, values)
    order = sorted(range(len(axes)), key=lambda i: ("YXCS" + axes).index(axes[i]))
    return values.transpose(order).reshape((height, width, -1)), num_images


def _first_of_all_but(kept, axes, values):
    index = (slice(None if axis in kept else 1) for axis in axes)
    return values[tuple(itertools.islice(index, values.ndim))]


def _page_values(series, number, data):
    page, start = series.keyframe, series.dataoffset
    if start is None:
        found = series[number]
        if found is None or not any(found.databytecounts):
            raise UnreadableImage(CUT_OFF)
        return found.asarray(maxworkers=1).reshape(page.shape)
    # All pages of a stack, behind one another; it may describe but the first.
    if start + page.nbytes * len(series) > len(data):
        raise UnreadableImage(CUT_OFF)
    dtype = page.dtype.newbyteorder(page.parent.byteorder)
    values = np.frombuffer(data, dtype, page.size, start + number * page.nbytes)
    return values.reshape(page.shape)


def _grey_rgb_or_bands(pixels, page):
    """Makes white the largest value, palettes RGB, and puts what has alpha on white."""
    bits, kind = page.bitspersample, page.photometric
    is_known = kind in (WHITE_IS_ZERO, BLACK_IS_ZERO, RGB, PALETTE)
    if not is_known and not (kind == YCBCR and page.compression in JPEG):
        name = getattr(kind, "name", kind)
        raise UnreadableImage(f"colours as {name}; expected grey, RGB, or a palette")
    if kind == PALETTE and page.colormap is not None:
        colours = np.moveaxis(page.colormap, 0, -1)[pixels[..., 0]]
        # Some programs write 8 bits where 16 are meant.
        return np.uint8(colours >> 8 if colours.max() > 255 else colours)
    if pixels.dtype.kind in "bu":
        if kind == WHITE_IS_ZERO:
            pixels = ~pixels if bits == 1 else 2**bits - 1 - pixels
        if 1 < bits < 8:
            pixels = np.uint8(np.rint(pixels * (255 / (2**bits - 1))))
    num_colours = 3 if kind == RGB else 1
    has_alpha = page.extrasamples in ((PREMULTIPLIED,), (ALPHA,))
    if has_alpha and pixels.shape[-1] == num_colours + 1 and bits in (8, 16):
        return on_white(pixels, page.extrasamples == (PREMULTIPLIED,))
    return pixels

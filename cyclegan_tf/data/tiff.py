"""TIFF files, of microscopes, scanners and satellites, to pixels."""

import contextlib
import io
import logging
import math
import operator
import re
import struct

import numpy as np

from cyclegan_tf.config.sizes import MIN_SIDE
from cyclegan_tf.data import tiff_tags
from cyclegan_tf.data.arrays import (
    MAX_BYTES,
    TURNED_ASIDE,
    UnreadableImage,
    on_white,
    require_size,
    upright,
)
from cyclegan_tf.data.picture import Picture, filled, is_nodata
from cyclegan_tf.data.tiff_tags import MASK, REDUCED

STARTS = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")  # the latter two are BigTIFF
MAX_PAGES = 50_000  # a few bytes of a file can claim one
DESCRIPTION = 270  # a tag
# What the values are, as the tag PhotometricInterpretation says.
WHITE_IS_ZERO, BLACK_IS_ZERO, RGB, PALETTE, YCBCR = 0, 1, 2, 3, 6
JPEG = (6, 7)  # compressions; their decoder makes RGB of YCbCr
PREMULTIPLIED, ALPHA = 1, 2  # kinds of extra samples
IS_OF_OTHER = MASK | REDUCED  # a page that is another's mask, or smaller copy
CUT_OFF = "it is cut off"
FILE_NAME = re.compile(r'FileName="([^"]*)"')  # in the description of OME


def read(data: bytes, keeps_alpha: bool = False) -> Picture:
    """The upright pixels of a file's first page, and what is known of them.

    The axes of channels and samples become channels; of any other (depth, time, ...)
    the first entry is taken. White is the largest value. Palettes of 8 bits become RGB;
    those of microscopes are displays of what was measured, which stays. Alpha beside
    grey or RGB integers is composited on white, unless `keeps_alpha`, or in a GeoTIFF
    a mask if it has but two values.

    Raises `UnreadableImage` for what is cut off, too large, or of colours that are not
    read, and whatever decoders raise where bytes are damaged.
    """
    import tifffile

    # It tells much that does not matter; what does is found out here.
    logging.getLogger("tifffile").setLevel(logging.CRITICAL)
    with tifffile.TiffFile(io.BytesIO(data)) as file:
        _require_whole(file, data)
        series = file.series[0]
        if file.is_imagej and series.kind in ("generic", "uniform"):
            raise UnreadableImage(CUT_OFF)  # fewer pages than its description says
        page = series.keyframe
        pixels, num_pages, is_part = _first_image(file, series, data)
        num_images = sum(not x.keyframe.subfiletype & IS_OF_OTHER for x in file.series)
        notes = []
        if is_part:
            notes.append("the planes that it has itself, of a set of files")
        elif num_pages > 1:
            notes.append(f"first of {num_pages} pages")
        elif num_images > 1:
            notes.append(f"first of {num_images} images")

        valid = _valid(file, page, pixels)
        if page.photometric == PALETTE and page.colormap is not None:
            # Of microscopes, the colours in which one measured channel is shown.
            is_display = page.bitspersample > 8 or file.is_ome or file.is_imagej
            if not is_display and num_pages * num_images * pixels.shape[-1] == 1:
                pixels = _colours(pixels, page)
                notes.append("its palette became RGB")
        else:
            pixels = _grey_rgb_or_bands(pixels, page)
        pixels, valid, note = _without_alpha(pixels, valid, page, keeps_alpha)

        orientation = tiff_tags.orientation_of(page)
        known = tiff_tags.about(
            file, series, pixels.shape[-1], is_turned=orientation in TURNED_ASIDE
        )
        valid = None if valid.all() else upright(valid, orientation)
        pixels = filled(upright(pixels, orientation), valid, 0)
        return Picture(pixels, valid, "; ".join(filter(None, (*notes, note))), known)


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


def _first_image(file, series, data):
    """Values `(height, width, channels)`, of how many images, and whether in part."""
    axes, shape, page = series.axes, series.shape, series.keyframe
    is_image = axes.count("Y") == axes.count("X") == 1
    if not is_image or not page.size or page.dtype is None:
        raise UnreadableImage(f"no values, or of the axes {axes}; expected an image")
    if series.kind == "shaped" and axes == "QYX" and shape[-1] < MIN_SIDE:
        # What tifffile makes of an array of so many channels that nothing is said of.
        axes = "YXS"
    # The first axes are those of pages, the others are within each.
    num_pages = math.prod(shape) // page.size
    if num_pages > MAX_PAGES:
        raise UnreadableImage(f"more than {MAX_PAGES} pages")
    split = next(i for i, _ in enumerate(shape) if math.prod(shape[:i]) == num_pages)
    # The first that is here, with all of its channels that are.
    is_here = _is_here(file, series, num_pages)
    places = np.argwhere(is_here.reshape(shape[:split]))
    others = [axis not in "YXCS" for axis in axes[:split]]
    is_first = (places[:, others] == places[0, others]).all(axis=1)
    numbers = np.arange(num_pages).reshape(shape[:split])
    numbers = numbers[np.ix_(*map(np.unique, places[is_first].T))]
    sizes = list(zip(axes, shape, strict=True))  # of unknown axes there may be two
    num_images = math.prod(n for axis, n in sizes if axis not in "YXCS")

    height, width = shape[axes.index("Y")], shape[axes.index("X")]
    try:
        require_size(height, width, page.nbytes * numbers.size // (height * width))
    except UnreadableImage as error:
        if num_images == 1:
            raise
        raise UnreadableImage(f"{num_images} pages, each of {error}") from None
    if math.prod(page.chunks) * page.dtype.itemsize > MAX_BYTES:
        raise UnreadableImage(f"tiles of more than {MAX_BYTES // 10**6} megabytes")

    if page.dtype.kind == "f":  # what is not stored is that; tifffile takes 0 for many
        with contextlib.suppress(ValueError):
            page.nodata = float(tiff_tags.nodata_of(page))
    pages = np.stack([_page_values(series, i, data) for i in numbers.flat])
    values = pages.reshape((*numbers.shape, *shape[split:]))
    # Of depth within pages the first, too.
    values = values[tuple(slice(None if axis in "YXCS" else 1) for axis in axes)]
    order = sorted(range(len(axes)), key=lambda i: ("YXCS" + axes).index(axes[i]))
    pixels = values.transpose(order).reshape((height, width, -1))
    return pixels, num_images, not is_here.all()


def _is_here(file, series, num_pages):
    """Which pages of a series this file has; of a set of files, others have others."""
    if series.kind == "ome" and series.dataoffset is None:
        is_here = np.array([page is not None for page in series.pages])
        if len(set(FILE_NAME.findall(file.ome_metadata))) > 1 and is_here.any():
            return is_here
    return np.ones(num_pages, bool)


def _page_values(series, number, data):
    page, start = series.keyframe, series.dataoffset
    if start is None:
        found = series[number]
        if found is None or not found.dataoffsets:
            raise UnreadableImage(CUT_OFF)
        # Where no tile is stored, neither has a place.
        if any(found.dataoffsets) and not any(found.databytecounts):
            raise UnreadableImage(CUT_OFF)
        return found.asarray(maxworkers=1).reshape(page.shape)
    # All pages of a stack, behind one another; it may describe but the first.
    if start + page.nbytes * len(series) > len(data):
        raise UnreadableImage(CUT_OFF)
    dtype = page.dtype.newbyteorder(page.parent.byteorder)
    values = np.frombuffer(data, dtype, page.size, start + number * page.nbytes)
    return values.reshape(page.shape)


def _valid(file, page, pixels):
    """Which values are such, and neither the one that means none nor masked."""
    valid = np.ones((*pixels.shape[:2], 1), bool)
    if nodata := tiff_tags.nodata_of(page):
        values = pixels.view(np.uint8) if pixels.dtype == bool else pixels
        valid = ~is_nodata(values, nodata)
    # The mask of a Cloud-Optimized GeoTIFF is another page; its copies have others.
    for other in file.pages:
        kind = getattr(other, "subfiletype", 0)  # the frames of a stack have none
        is_its = kind & IS_OF_OTHER == MASK
        if is_its and (other.imagelength, other.imagewidth) == pixels.shape[:2]:
            if math.prod(other.chunks) > MAX_BYTES:
                raise UnreadableImage("a mask of large tiles")
            mask = other.asarray(maxworkers=1).reshape((*pixels.shape[:2], 1))
            return valid & (mask > 0)
    return valid


def _colours(indices, page):
    colours = np.moveaxis(page.colormap, 0, -1)[np.uint8(indices[..., 0])]
    # Some programs write 8 bits where 16 are meant.
    return np.uint8(colours >> 8 if colours.max() > 255 else colours)


def _grey_rgb_or_bands(pixels, page):
    """Makes white the largest value, and scales few bits to 8."""
    bits, kind = page.bitspersample, page.photometric
    is_known = kind in (WHITE_IS_ZERO, BLACK_IS_ZERO, RGB)
    if not is_known and not (kind == YCBCR and page.compression in JPEG):
        name = getattr(kind, "name", kind)
        raise UnreadableImage(f"colours as {name}; expected grey, RGB, or a palette")
    if pixels.dtype.kind in "bu":
        if kind == WHITE_IS_ZERO:
            pixels = ~pixels if bits == 1 else 2**bits - 1 - pixels
        if 1 < bits < 8:
            pixels = np.uint8(np.rint(pixels * (255 / (2**bits - 1))))
    return pixels


def _without_alpha(pixels, valid, page, keeps_alpha):
    """Composites on white, or makes a mask of alpha; returns a note, too."""
    kinds, channels = page.extrasamples, pixels.shape[-1]
    is_of_levels = pixels.dtype.kind in "ui" and page.bitspersample in (8, 16)
    if not is_of_levels or not {*kinds[-1:]} & {PREMULTIPLIED, ALPHA}:
        return pixels, valid, ""
    is_only_one = channels == (4 if page.photometric == RGB else 2) and len(kinds) == 1
    if keeps_alpha and is_only_one:
        return pixels, valid, ""
    alpha, opaque = pixels[..., -1:], np.iinfo(pixels.dtype).max
    is_two_valued = bool(((alpha == 0) | (alpha == opaque)).all())
    is_mask = is_two_valued and any(tag in page.tags for tag in tiff_tags.GEO)
    if is_mask:
        valid = valid & (alpha > 0)
    if not is_only_one:
        return pixels, valid, ""
    every, valid = valid, valid[..., : channels - 1]
    if is_mask:
        return pixels[..., :-1], valid, ""
    if pixels.dtype.kind == "i":  # whose white nobody says
        return pixels, every, ""
    composited = on_white(pixels, kinds == (PREMULTIPLIED,))
    if is_two_valued:
        return composited, valid, ""
    return (
        composited,
        valid,
        f"band {channels}, called alpha, put on white (--channels-a {channels} keeps "
        f"it, and likewise -b)",
    )

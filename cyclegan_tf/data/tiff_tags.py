"""What a TIFF says beside its pixels: where they lie, and how large they are."""

import contextlib
import dataclasses
import re
from fractions import Fraction
from typing import Any

from cyclegan_tf.data.picture import About

X_RESOLUTION, Y_RESOLUTION, RESOLUTION_UNIT, ICC_PROFILE = 282, 283, 296, 34675
ORIENTATION = 274  # its values are those of EXIF
GDAL_METADATA, GDAL_NODATA = 42112, 42113
# Scale, tie points, transformation, the keys with their numbers and texts, and RPCs.
GEO = (33550, 33922, 34264, 34735, 34736, 34737, 50844)
# Of the values before the translation, not of those after it.
STATISTICS = re.compile(r'[ \t]*<Item name="STATISTICS_[^>]*>[^<]*</Item>\n?')
# Of one band; and what turns the values of one into those that were measured.
OF_BAND = re.compile(r'[ \t]*<Item [^>]*\bsample="[^>]*>[^<]*</Item>\n?')
OF_VALUES = re.compile(
    r'[ \t]*<Item [^>]*\brole="(?:scale|offset|unittype)"[^>]*>[^<]*</Item>\n?'
)
PHYSICAL = tuple(f"PhysicalSize{axis}{unit}" for axis in "XYZ" for unit in ("", "Unit"))
MASK, REDUCED = 4, 1  # bits of NewSubfileType


def nodata_of(page) -> str:
    """What the tag GDAL_NODATA of a page says, or ""."""
    return str(page.tags.valueof(GDAL_NODATA, "")).strip("\0 ")


def orientation_of(page) -> int:
    """How an image is to be turned; one with a place on a map lies as that says it."""
    is_on_map = any(code in page.tags for code in GEO)
    return 1 if is_on_map else page.tags.valueof(ORIENTATION, 1)


def about(file, series, channels: int, is_turned: bool) -> About:
    """What places and describes the first image of a file.

    Where its orientation changed height and width, it `is_turned`.
    """
    page = series.keyframe
    tags = [page.tags[code] for code in (*GEO, GDAL_METADATA) if code in page.tags]
    program, metadata = "", {}
    with contextlib.suppress(Exception):  # damaged, but its pixels may be whole
        program, metadata = _of_program(file, series.kind, channels)
    return About(
        tuple((t.code, int(t.dtype), t.count, _value(t), True) for t in tags),
        nodata_of(page),
        page.tags.valueof(ICC_PROFILE, b""),
        _resolution(page, is_turned),
        program,
        metadata,
        channels,
        "S" not in series.axes and channels > 1,
    )


def of_others(about: About, has_same_bands: bool, has_same_values: bool) -> About:
    """What still holds of an image in its place, perhaps of other bands and values."""
    pattern = OF_VALUES if has_same_bands else OF_BAND
    if has_same_bands and has_same_values:
        return about
    tags = tuple(
        (code, *rest, pattern.sub("", value) if code == GDAL_METADATA else value, True)
        for code, *rest, value, _ in about.tags
    )
    return dataclasses.replace(about, tags=tags)


def _value(tag):
    if tag.code != GDAL_METADATA:
        return tag.value
    # Bytes are of text that is neither UTF-8 nor of Windows.
    is_text = isinstance(tag.value, str)
    return STATISTICS.sub("", tag.value if is_text else tag.value.decode("latin-1"))


def _resolution(page, is_turned):
    found = [page.tags.valueof(x) or (0, 1) for x in (X_RESOLUTION, Y_RESOLUTION)]
    try:
        across, down = map(_fraction, found)
    except (ValueError, OverflowError):  # no number
        return None
    # Of 1, which tifffile writes where nothing is known, nothing is known.
    if min(*across, *down) < 1 or across == down == (1, 1):
        return None
    unit = int(page.tags.valueof(RESOLUTION_UNIT, 2))  # an inch, if it is not said
    return (down, across, unit) if is_turned else (across, down, unit)


def _fraction(value):
    """Numerator and denominator; some programs write one number, perhaps a float."""
    if len(value) == 2:
        return value
    return Fraction(value[0]).limit_denominator(1000).as_integer_ratio()


def _of_program(file, kind, channels) -> tuple[str, dict[str, Any]]:
    """Pixel size and names of channels, as tifffile takes them in writing."""
    import tifffile

    if kind == "imagej":
        found = file.imagej_metadata or {}
        kept = {key: found[key] for key in ("unit", "spacing") if key in found}
        if "unit" in kept:  # its descriptions are ASCII, escaped as Java does
            kept["unit"] = "".join(
                x if x.isascii() else f"\\u{ord(x):04x}" for x in str(kept["unit"])
            )
        if len(found.get("Labels", ())) == channels:
            kept["Labels"] = found["Labels"]
        return kind, kept
    if kind != "ome":
        return "", {}
    image = tifffile.xml2dict(file.ome_metadata)["OME"]["Image"]
    pixels = (image[0] if isinstance(image, list) else image)["Pixels"]
    kept = {key: pixels[key] for key in PHYSICAL if key in pixels}
    listed = pixels.get("Channel", [])
    listed = listed if isinstance(listed, list) else [listed]
    names = [str(channel.get("Name", "")) for channel in listed]
    if any(names) and len(names) == channels:
        kept["Channel"] = {"Name": names}
    return kind, kept

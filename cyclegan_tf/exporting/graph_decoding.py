"""From an image file's bytes to an upright picture, as a TensorFlow graph.

What `data.images` does, for models that are served without Python: JPEG and PNG,
transparency on white, CMYK to RGB, grey to RGB or RGB to grey as the model needs, and
the EXIF orientation of JPEG files. Depth, size and number of scans are checked before
anything is decoded.
"""

import tensorflow as tf

from cyclegan_tf.data.domain import Domain
from cyclegan_tf.data.photos import (
    EXIF_ORIENTATION,
    MAX_SCANS,
    PNG_BIT_DEPTH_AT,
    START_OF_SCAN,
)
from cyclegan_tf.data.ranges import with_channels

HEADER_BYTES = 32
# EXIF stands in one of the first segments, and a segment has at most 64 KB.
EXIF_BYTES = 1 << 17
EXIF_START = {0: 0xFF, 1: 0xE1} | dict(enumerate(b"Exif\0\0", start=4))


def decode_upright(encoded, domain: Domain, min_side: int, max_pixels: int):
    """Decodes one picture.

    Args:
        encoded: scalar string tensor, the content of a PNG file, or, of 8 bits, a JPEG
            file; of an animation the first picture is taken.
        domain: what it becomes; its `is_encodable` is true.
        min_side: smallest height and width accepted, in pixels.
        max_pixels: largest product of height and width accepted.

    Returns:
        `(height, width, channels)` of the domain's type and channels.

    Raises:
        tf.errors.InvalidArgumentError: another format or depth, damaged, too small or
            large, or a JPEG made to take long.
    """
    header = _bytes_of(encoded, HEADER_BYTES)
    is_jpeg = tf.reduce_all(header[:3] == [0xFF, 0xD8, 0xFF])
    is_png = tf.reduce_all(header[:4] == [0x89, 0x50, 0x4E, 0x47])
    known = tf.debugging.Assert(
        is_jpeg | is_png, ["expected the bytes of a JPEG or PNG image"]
    )
    with tf.control_dependencies([known]):
        size = tf.cond(
            is_jpeg,
            lambda: tf.cast(tf.io.extract_jpeg_shape(encoded)[:2], tf.int64),
            lambda: _png_size(header),
        )
    checks = [
        check_size(size, min_side, max_pixels),
        _check_depth(header, is_png, domain.dtype),
    ]
    with tf.control_dependencies(checks):
        if domain.dtype == "uint16":
            pixels = _on_white(tf.io.decode_png(encoded, channels=4, dtype=tf.uint16))
        else:
            pixels = tf.cond(
                is_jpeg,
                lambda: _decode_jpeg(encoded),
                lambda: _decode_png(encoded, header),
            )
    return with_channels(tf.ensure_shape(pixels, (None, None, 3)), domain.channels)


def check_size(sides, min_side: int, max_pixels: int, count=1):
    """An assertion on height and width of pictures, in all at most `max_pixels`."""
    # Each side is compared, too: the product of two 32-bit numbers may overflow.
    is_fine = (
        (count >= 1)
        & (tf.reduce_min(sides) >= min_side)
        & (tf.reduce_max(sides) <= max_pixels)
        & (tf.reduce_prod(tf.minimum(sides, max_pixels)) * count <= max_pixels)
    )
    message = (
        f"expected one or more images of at least {min_side} x {min_side} and in all "
        f"at most {max_pixels} pixels, got count, height and width"
    )
    return tf.debugging.Assert(is_fine, [message, count, sides])


def _bytes_of(encoded, number):
    """The first bytes as int32, zeros behind the end."""
    values = tf.io.decode_raw(tf.strings.substr(encoded, 0, number), tf.uint8)
    padded = tf.pad(values, [[0, number - tf.shape(values)[0]]])
    return tf.cast(tf.ensure_shape(padded, (number,)), tf.int32)


def _check_depth(header, is_png, dtype):
    """An assertion that a picture has the 8 or 16 bits per value that are needed."""
    needed = 16 if dtype == "uint16" else 8
    bits = tf.where(is_png, header[PNG_BIT_DEPTH_AT], 8)
    # Palettes and grey of 1, 2 or 4 bits become 8.
    is_fine = bits == 16 if needed == 16 else bits <= 8
    message = f"expected an image of {needed} bits per value, got"
    return tf.debugging.Assert(is_fine, [message, bits])


def _png_size(header):
    # The first chunk: length (8..11), "IHDR" (12..15), width, height.
    places = tf.constant([256**3, 256**2, 256, 1], tf.int64)
    sides = tf.cast(tf.reshape(header[16:24], (2, 4)), tf.int64) * places
    return tf.reduce_sum(sides, axis=1)[::-1]


def _decode_png(encoded, header):
    bit_depth, colour_type = header[PNG_BIT_DEPTH_AT], header[25]
    # TensorFlow gives grey of less than 8 bits a wrong alpha channel.
    return tf.cond(
        (colour_type == 0) & (bit_depth < 8),
        lambda: tf.io.decode_png(encoded, channels=3),
        lambda: _on_white(tf.io.decode_png(encoded, channels=4)),
    )


def _on_white(pixels):
    white = float(pixels.dtype.max)
    floats = tf.cast(pixels, tf.float32)
    colour, alpha = floats[..., :3], floats[..., 3:] / white
    blended = tf.round(colour * alpha + white * (1.0 - alpha))
    return tf.cast(blended, pixels.dtype)


def _decode_jpeg(encoded):
    # Each scan of a progressive JPEG goes over all pixels.
    num_scans = tf.size(tf.strings.split(encoded, START_OF_SCAN)) - 1
    is_fine = tf.debugging.Assert(
        num_scans <= MAX_SCANS,
        [f"expected a JPEG of at most {MAX_SCANS} scans, got", num_scans],
    )
    with tf.control_dependencies([is_fine]):
        # The default is a faster, coarser transform than that of other decoders.
        pixels = tf.io.decode_jpeg(encoded, channels=3, dct_method="INTEGER_ACCURATE")
    return _upright(pixels, _orientation(encoded))


def _upright(pixels, orientation):
    """Undoes an EXIF orientation, 1 to 8: perhaps transposed, then mirrored."""

    def changed(pixels, orientations, change):
        is_needed = tf.reduce_any(orientation == orientations)
        return tf.cond(is_needed, lambda: change(pixels), lambda: pixels)

    pixels = changed(pixels, [5, 6, 7, 8], lambda x: tf.transpose(x, (1, 0, 2)))
    pixels = changed(pixels, [2, 3, 6, 7], lambda x: x[:, ::-1])
    return changed(pixels, [3, 4, 7, 8], lambda x: x[::-1])


def _orientation(encoded):
    """The EXIF orientation of a JPEG file, 1 (upright) where it has none."""
    data = _bytes_of(encoded, EXIF_BYTES)
    # A search, not a walk through the segments: among pixels the marker cannot occur.
    end = EXIF_BYTES // 2
    places = tf.where(
        tf.reduce_all([data[i : end + i] == b for i, b in EXIF_START.items()], axis=0)
    )
    return tf.cond(
        tf.size(places) > 0,
        lambda: _tiff_orientation(data, tf.cast(places[0, 0], tf.int32) + 10),
        lambda: 1,
    )


def _tiff_orientation(data, tiff):
    """The orientation in the first directory of a TIFF header at a place."""
    first, second = data[:-1], data[1:]
    is_little = data[tiff] == ord("I")
    u16 = tf.where(is_little, first + 256 * second, 256 * first + second)

    def u16_at(place):
        return tf.gather(u16, tf.minimum(place, EXIF_BYTES - 2))

    # The directory's offset has 32 bits, of which one half is 0 in a segment.
    directory = tiff + u16_at(tiff + 4) + u16_at(tiff + 6)
    entries = directory + 2 + 12 * tf.range(u16_at(directory))
    values = tf.where(u16_at(entries) == EXIF_ORIENTATION, u16_at(entries + 8), 1)
    orientation = tf.reduce_max(tf.concat([values, [1]], axis=0))
    return tf.where(orientation <= 8, orientation, 1)

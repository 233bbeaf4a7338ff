"""From an image file's bytes to an upright picture, as a TensorFlow graph.

What `data.images` does, for models that are served without Python: JPEG and PNG,
transparency on white, CMYK to RGB, grey to RGB or RGB to grey as the model needs, and
the orientation that EXIF says, as cameras and phones write it; those of XMP alone, and
of compressed EXIF in a PNG, are not read. Depth, size and number of scans are checked
before anything is decoded. An orientation that is no number of 16 bits is refused.
"""

import tensorflow as tf

from cyclegan_tf.data.domain import Domain
from cyclegan_tf.data.photos import (
    EXIF_ORIENTATION,
    MAX_SCANS,
    PNG_BIT_DEPTH_AT,
    START_OF_SCAN,
)
from cyclegan_tf.data.ranges import to_grey

HEADER_BYTES = 32
PNG_COLOUR_TYPE_AT = 25
# Regular expressions, of which RE2's \C is any byte. The chunk of transparency has at
# most 256 bytes, and so has its length, which stands before it.
TRANSPARENCY = r"\x00\x00(?:\x00\C|\x01\x00)tRNS"
TIFF_START = r"(?:II|MM)(?:\*\x00|\x00\*)"
SHORT = 3  # the type of a number of 16 bits in TIFF
UPRIGHT = 1


def decode_upright(encoded, domain: Domain, min_side: int, max_pixels: int):
    """Decodes one picture, for a domain that `is_encodable`.

    It is the content of a PNG file, or, of 8 bits, a JPEG file; of an animation the
    first picture is taken. Pixels are `(height, width, channels)`. Another format or
    depth, damage, too small or large a size, or a JPEG that was made to take long, is
    an `InvalidArgumentError`.
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
        pixels = _upright(pixels, _orientation(encoded, is_jpeg))
    pixels = tf.ensure_shape(pixels, (None, None, 3))
    return pixels if domain.channels == 3 else to_grey(pixels)


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
    is_palette = header[PNG_COLOUR_TYPE_AT] == 3
    is_shallow = header[PNG_BIT_DEPTH_AT] < 8
    is_opaque = ~tf.strings.regex_full_match(encoded, rf"\C*{TRANSPARENCY}\C*")
    # Without transparency TensorFlow gives less than 8 bits a wrong alpha channel.
    return tf.cond(
        (is_palette | is_shallow) & is_opaque,
        lambda: tf.io.decode_png(encoded, channels=3),
        lambda: _on_white(tf.io.decode_png(encoded, channels=4)),
    )


def _on_white(pixels):
    """Pixels with alpha on white; equal to `data.arrays.on_white` to the bit."""
    white, wide = pixels.dtype.max, tf.cast(pixels, tf.int64)
    colour, alpha = wide[..., :3], wide[..., 3:]
    blended = (colour * alpha + white * (white - alpha) + white // 2) // white
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
        return tf.io.decode_jpeg(encoded, channels=3, dct_method="INTEGER_ACCURATE")


def _upright(pixels, orientation):
    """Undoes an EXIF orientation, 1 to 8: perhaps transposed, then mirrored."""

    def changed(pixels, orientations, change):
        is_needed = tf.reduce_any(orientation == orientations)
        return tf.cond(is_needed, lambda: change(pixels), lambda: pixels)

    pixels = changed(pixels, [5, 6, 7, 8], lambda x: tf.transpose(x, (1, 0, 2)))
    pixels = changed(pixels, [2, 3, 6, 7], lambda x: x[:, ::-1])
    return changed(pixels, [3, 4, 7, 8], lambda x: x[::-1])


def _orientation(encoded, is_jpeg):
    """What EXIF says; other numbers than 2 to 8 turn nothing."""
    start = tf.where(is_jpeg, b"Exif\0\0", b"eXIf")
    # A search, not a walk: among the pixels of a JPEG there is no such thing.
    parts = tf.strings.split(encoded, start, maxsplit=1)
    return tf.cond(
        tf.size(parts) > 1,
        lambda: _tiff_orientation(parts[1]),
        lambda: tf.constant(UPRIGHT, tf.int64),
    )


def _tiff_orientation(tiff):
    """The orientation in the first directory of a TIFF file's bytes."""
    tiff = tf.strings.regex_replace(tiff, r"^(?:Exif\x00\x00)+", "")
    # Zeros behind the end, to which all that points beyond is clamped.
    data = tf.cast(tf.io.decode_raw(tiff + bytes(4), tf.uint8), tf.int64)
    is_little = data[0] == ord("I")

    def numbers_at(places, size):
        powers = tf.constant([256**i for i in range(size)], tf.int64)
        powers = tf.where(is_little, powers, powers[::-1])
        places = tf.expand_dims(places, -1) + tf.range(size, dtype=tf.int64)
        clamped = tf.minimum(places, tf.size(data, tf.int64) - 1)
        return tf.reduce_sum(tf.gather(data, clamped) * powers, axis=-1)

    directory = numbers_at(tf.constant(4, tf.int64), 4)
    entries = directory + 2 + 12 * tf.range(numbers_at(directory, 2))
    entries = entries[numbers_at(entries, 2) == EXIF_ORIENTATION]
    kinds, counts = numbers_at(entries + 2, 2), numbers_at(entries + 4, 4)
    message = "expected an EXIF orientation of one short, got types and counts"
    is_plain = tf.reduce_all((kinds == SHORT) & (counts == 1))
    is_fine = tf.debugging.Assert(is_plain, [message, kinds, counts])
    with tf.control_dependencies([is_fine]):
        values = numbers_at(entries + 8, 2)
    found = tf.concat([[tf.constant(UPRIGHT, tf.int64)], values], axis=0)[-1]
    # A damaged start leaves the picture as it is.
    is_whole = tf.strings.regex_full_match(tf.strings.substr(tiff, 0, 4), TIFF_START)
    return tf.where(is_whole, found, UPRIGHT)

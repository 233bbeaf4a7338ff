"""The TFRecord schema, in one place: one example, and one file of examples.

The keys are the standard ones of TensorFlow's image examples, so other programs can
read the shards; `image/mask` is ours and empty where a dataset has no masks.
"""

import hashlib
import pathlib

import tensorflow as tf

from cyclegan_tf.common.errors import InputError
from cyclegan_tf.data.images import EncodedImage

SCHEMA_VERSION = 1

# A record in a file: length (8 bytes), its checksum (4), the example, its checksum (4).
RECORD_HEADER_SIZE = 12
RECORD_FOOTER_SIZE = 4


def serialize(image: EncodedImage, filename: str, mask: bytes = b"") -> bytes:
    """One example: an encoded picture, where it came from, and perhaps its mask.

    Args:
        image: upright 8-bit RGB, JPEG or PNG.
        filename: the picture's name in its source.
        mask: grey PNG of the same size, 255 inside; empty if there is none.
    """
    name = filename.encode("utf-8", "surrogateescape")  # any name a disk can hold
    features = {
        "image/encoded": _bytes(image.encoded),
        "image/format": _bytes(image.format.encode()),
        "image/height": _int64(image.height),
        "image/width": _int64(image.width),
        "image/filename": _bytes(name),
        "image/mask": _bytes(mask),
    }
    example = tf.train.Example(features=tf.train.Features(feature=features))
    return example.SerializeToString(deterministic=True)


def parse(serialized):
    """The features of one serialized example, as a dict of scalar tensors by key."""
    string = tf.io.FixedLenFeature((), tf.string)
    integer = tf.io.FixedLenFeature((), tf.int64)
    schema = {
        "image/encoded": string,
        "image/format": string,
        "image/height": integer,
        "image/width": integer,
        "image/filename": string,
        "image/mask": tf.io.FixedLenFeature((), tf.string, default_value=""),
    }
    return tf.io.parse_single_example(serialized, schema)


def decode(encoded, channels=3):
    """JPEG or PNG bytes (scalar string) to uint8 `(height, width, channels)`."""
    pixels = tf.io.decode_image(encoded, channels=channels, expand_animations=False)
    return tf.ensure_shape(pixels, (None, None, channels))


def index_shard(path: pathlib.Path) -> tuple[str, list[tuple[int, int, int]]]:
    """Reads one TFRecord file once, for its checksum and the places of its examples.

    With its place, an example can be read without reading those before it.

    Returns:
        The file's SHA-256 in hexadecimal, and for each serialized example the size of
        the file, its offset there, and its length, in bytes.

    Raises:
        InputError: the file is missing, or ends within a record.
    """
    try:
        data = memoryview(path.read_bytes())
    except FileNotFoundError:
        raise InputError(f"{path} is missing.") from None
    places, position = [], 0
    while position < len(data):
        length = int.from_bytes(data[position : position + 8], "little")
        places.append((len(data), position + RECORD_HEADER_SIZE, length))
        position += RECORD_HEADER_SIZE + length + RECORD_FOOTER_SIZE
    if position > len(data):
        raise InputError(f"{path} is cut off at byte {len(data)}, or damaged.")
    return hashlib.sha256(data).hexdigest(), places


def read_example(path, file_size, offset, length):
    """The serialized example at a place in a TFRecord file, as a scalar string.

    All arguments may be scalar tensors: this is random access from within `tf.data`,
    without Python. The rest of the file is declared header and footer.
    """
    return tf.data.FixedLengthRecordDataset(
        path, length, header_bytes=offset, footer_bytes=file_size - offset - length
    ).get_single_element()


def _bytes(value):
    return tf.train.Feature(bytes_list=tf.train.BytesList(value=[value]))


def _int64(value):
    return tf.train.Feature(int64_list=tf.train.Int64List(value=[value]))

"""The TFRecord schema, in one place: one example, and one file of examples.

The keys are the standard ones of TensorFlow's image examples, so other programs can
read the shards; `image/mask` is ours and empty where a dataset has no masks.
"""

import tensorflow as tf

from cyclegan_tf.data.images import EncodedImage

# Beside the example, a record has its length (8 bytes) and two checksums (4 each).
OVERHEAD = 16


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


def read_example(path, offset, length):
    """Reads one record without those before it, from within `tf.data`.

    Args:
        path: of a TFRecord file, a scalar string tensor.
        offset, length: int64 scalar tensors: where the record begins in the file, and
            the length of the serialized example in it.

    Returns:
        A dataset of one scalar string: the serialized example, or an empty one where
        the record is not there or its checksums are not those of its content.
    """
    record = tf.raw_ops.TFRecordDatasetV2(
        filenames=path[None],
        compression_type="",
        buffer_size=length + OVERHEAD,  # read at once
        byte_offsets=offset[None],
    )
    string = tf.TensorSpec((), tf.string)
    found = tf.data.experimental.from_variant(record, string).take(1).ignore_errors()
    return found.concatenate(tf.data.Dataset.from_tensors("")).take(1)


def _bytes(value):
    return tf.train.Feature(bytes_list=tf.train.BytesList(value=[value]))


def _int64(value):
    return tf.train.Feature(int64_list=tf.train.Int64List(value=[value]))

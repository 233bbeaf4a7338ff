"""The TFRecord schema, in one place: one example, and one file of examples.

The keys are the standard ones of TensorFlow's image examples, so other programs can
read the shards. What neither JPEG nor PNG can hold has the format "raw": its values,
little-endian, row by row and the channels of a pixel side by side, and `image/dtype`
says of which type. `image/mask` is ours and empty where a dataset has no masks. So is
`image/valid`, which only pictures have of which some pixels have no value.
"""

import numpy as np
import tensorflow as tf

from cyclegan_tf.common.errors import reason_of
from cyclegan_tf.data.domain import Domain
from cyclegan_tf.data.images import EncodedImage, UnreadableImage, normalize
from cyclegan_tf.data.ranges import to_grey
from cyclegan_tf.data.sources.record_files import OVERHEAD

RAW, JPEG = "raw", "jpeg"


def serialize(image: EncodedImage, filename: str, mask: bytes = b"") -> bytes:
    """One example: an encoded picture, its name in its source, and perhaps its mask.

    The mask is a grey PNG of the same size, 255 inside; empty if there is none.
    """
    values = {
        "image/encoded": image.encoded,
        "image/format": image.format.encode(),
        "image/height": image.height,
        "image/width": image.width,
        # Any name a disk can hold.
        "image/filename": filename.encode("utf-8", "surrogateescape"),
        "image/mask": mask,
    }
    if image.valid:
        values["image/valid"] = image.valid
    if image.format == RAW:
        values["image/channels"] = image.channels
        values["image/dtype"] = image.dtype.encode()
    features = {key: _feature(value) for key, value in values.items()}
    example = tf.train.Example(features=tf.train.Features(feature=features))
    return example.SerializeToString(deterministic=True)


def parse(serialized):
    """The features of one serialized example, as a dict of scalar tensors by key."""
    string = tf.io.FixedLenFeature((), tf.string)
    integer = tf.io.FixedLenFeature((), tf.int64)
    optional = tf.io.FixedLenFeature((), tf.string, default_value="")
    schema = {
        "image/encoded": string,
        "image/format": string,
        "image/height": integer,
        "image/width": integer,
        "image/filename": string,
        "image/mask": optional,
        "image/valid": optional,
    }
    return tf.io.parse_single_example(serialized, schema)


def decode(example, domain: Domain):
    """The picture of a parsed example, `(height, width, channels)` in a domain's type.

    Grey pictures in a domain of RGB become RGB, and the other way round. What pixels
    without a value have is of no account, see `decode_valid`.
    """
    encoded = example["image/encoded"]
    if not domain.is_encodable:
        size = example["image/height"], example["image/width"]
        values = tf.io.decode_raw(encoded, domain.dtype)
        return tf.reshape(values, (*size, domain.channels))
    # 0: as many as there are.
    channels = 0 if domain.channels == 1 else 3
    if domain.dtype == "uint16":
        pixels = tf.io.decode_png(encoded, channels, tf.uint16)
    else:
        pixels = tf.cond(
            example["image/format"] == JPEG,
            lambda: _decode_jpeg(encoded, channels),
            lambda: tf.io.decode_png(encoded, channels),
        )
    if domain.channels == 3:
        return tf.ensure_shape(pixels, (None, None, 3))
    grey = tf.cond(
        tf.shape(pixels)[-1] == 1,
        lambda: pixels,
        lambda: to_grey(tf.ensure_shape(pixels, (None, None, 3))),
    )
    return tf.ensure_shape(grey, (None, None, 1))


def has_nodata(example):
    """Whether some pixels of an example have no value, a bool scalar."""
    return tf.strings.length(example["image/valid"]) > 0


def decode_valid(example, domain: Domain):
    """Which values of `decode` are such, bool of the same shape."""
    size = example["image/height"], example["image/width"]

    def decoded():
        encoded = tf.io.decode_png(example["image/valid"], channels=1)
        valid = tf.reshape(encoded, (*size, -1)) > 0
        if domain.channels > 1:
            return tf.broadcast_to(valid, (*size, domain.channels))
        # Grey of RGB has a value where all three have.
        return tf.reduce_all(valid, axis=-1, keepdims=True)

    return tf.cond(
        has_nodata(example), decoded, lambda: tf.ones((*size, domain.channels), tf.bool)
    )


def decode_file(data: bytes, kind: str) -> np.ndarray:
    """The pixels of an 8-bit grey or RGB file of that format, as `decode` has them.

    They are uint8 `(height, width, channels)`, with as many channels as the file.
    Raises `UnreadableImage` if TensorFlow, at least, cannot decode it.
    """
    try:
        decoder = _decode_jpeg if kind == JPEG else tf.io.decode_png
        return decoder(data, 0).numpy()
    except tf.errors.OpError as error:
        normalize(data)  # what others refuse, too, they say better: "is truncated"
        reason = reason_of(error)
        raise UnreadableImage(f"TensorFlow cannot decode it ({reason})") from None


def _decode_jpeg(encoded, channels):
    # Not decode_image, whose JPEGs have other pixels than everywhere else.
    return tf.io.decode_jpeg(encoded, channels, dct_method="INTEGER_ACCURATE")


def read_example(path, offset, length):
    """Reads one record without those before it, from within `tf.data`.

    It begins at an offset in the file, and its example has that length: int64 scalars.

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


def _feature(value):
    kind = "bytes_list" if isinstance(value, bytes) else "int64_list"
    return tf.train.Feature(**{kind: {"value": [value]}})

"""TFRecord files that others made: a feature `image` with the content of a file.

So are those of Kaggle's "I'm Something of a Painter Myself" (`image`, `image_name`),
and those in the standard form of TensorFlow (`image/encoded`, `image/filename`), as
datasets of this program are.
"""

import os
from collections.abc import Iterator

from cyclegan_tf.common.errors import InputError

SUFFIXES = frozenset([".tfrec", ".tfrecord", ".tfrecords"])
PICTURES = ("image", "image/encoded")
NAMES = ("image_name", "image/filename")
VALID = "image/valid"  # of this program's own, which of its pixels have a value
# A record: the length of its content (8 bytes), and checksums of both (4 bytes each).
HEADER, OVERHEAD = 12, 16


def count(path: str) -> int:
    """The number of records in a file; their content is not read.

    Raises `InputError` if it is no such file, or is cut off.
    """
    size, place, number = os.path.getsize(path), 0, 0
    with open(path, "rb", buffering=0) as file:
        while place < size:
            file.seek(place)
            place += int.from_bytes(file.read(HEADER)[:8], "little") + OVERHEAD
            if place > size:
                found = "is cut off within" if number else "is no TFRecord file at"
                raise InputError(
                    f"{path} {found} record {number}; expected an uncompressed one."
                )
            number += 1
    return number


def pictures(root: str, names: list[str]) -> Iterator[tuple[str, bytes]]:
    """The pictures of the files, one after the other, each after its name.

    Raises `InputError` if a record is damaged, or has no picture.
    """
    import tensorflow as tf

    for name in names:
        path, number = os.path.join(root, name), -1
        records = tf.data.TFRecordDataset(path).as_numpy_iterator()
        try:
            for number, record in enumerate(records):
                yield _picture(path, name, number, record)
        except tf.errors.DataLossError:
            raise InputError(f"{path}: record {number + 1} is damaged.") from None


def _picture(path, name, number, record):
    import tensorflow as tf
    from google.protobuf.message import DecodeError

    try:
        features = tf.train.Example.FromString(record).features.feature
    except DecodeError:
        raise InputError(f"{path}: record {number} is no tf.train.Example.") from None
    picture = _first_bytes(features, PICTURES)
    if picture is None:
        found = ", ".join(sorted(features)) or "none"
        raise InputError(
            f"{path}: record {number} has no feature image with the bytes of a file; "
            f"its features are: {found}."
        )
    if _first_bytes(features, [VALID]):
        raise InputError(
            f"{path}: record {number} has pixels without a value, which its file does "
            f"not say; give the images that it was converted from."
        )
    own = (_first_bytes(features, NAMES) or b"").decode("utf-8", "surrogateescape")
    return f"{name}/{own or f'{number:06d}'}", picture


def _first_bytes(features, keys):
    for key in keys:
        if key in features and features[key].bytes_list.value:
            return features[key].bytes_list.value[0]
    return None

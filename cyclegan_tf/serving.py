"""From trained generators to a SavedModel that takes and returns uint8 images."""

import os
import pathlib
import shutil

import keras
import tensorflow as tf

from cyclegan_tf.pixels import to_unit_range

SIDE_MULTIPLE = 4


def export_saved_model(
    generators: dict[str, keras.Model], output: pathlib.Path
) -> pathlib.Path:
    """Writes a SavedModel in TensorFlow Serving's layout, `output/<version>/`.

    Signatures `a_to_b` (also `serving_default`) and `b_to_a`: input `images`, uint8
    `[N, H, W, 3]` with sides from 16 px on, output `translated`, uint8 of the same
    size. The version is the next free number; it appears there whole.

    Args:
        generators: models by direction, see `generators.load_generators`.
        output: the directory of the versions.

    Returns:
        The directory of the version.
    """
    output.mkdir(parents=True, exist_ok=True)
    versions = [int(p.name) for p in output.iterdir() if p.name.isdigit()]
    directory = output / str(max(versions, default=0) + 1)
    partial = output / f".{directory.name}.partial"
    shutil.rmtree(partial, ignore_errors=True)
    archive = keras.export.ExportArchive()
    signature = [tf.TensorSpec((None, None, None, 3), tf.uint8, name="images")]
    try:
        for direction, generator in generators.items():
            archive.track(generator)
            archive.add_endpoint(direction, _uint8_function(generator), signature)
        archive.add_endpoint(
            "serving_default", _uint8_function(generators["a_to_b"]), signature
        )
        archive.write_out(str(partial), verbose=False)
        os.replace(partial, directory)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return directory


def _uint8_function(generator):
    def translate(images):
        shape = tf.shape(images)
        height, width = shape[1], shape[2]
        below, right = -height % SIDE_MULTIPLE, -width % SIDE_MULTIPLE
        border = [[0, 0], [0, below], [0, right], [0, 0]]
        padded = tf.pad(to_unit_range(images), border, mode="REFLECT")
        fakes = generator(padded, training=False)[:, :height, :width]
        levels = tf.round((fakes + 1.0) * 127.5)
        return {"translated": tf.cast(tf.clip_by_value(levels, 0, 255), tf.uint8)}

    return translate

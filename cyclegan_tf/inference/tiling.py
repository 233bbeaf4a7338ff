"""Translating a picture of any size in bounded memory, with the same result.

Cutting a picture into tiles and translating each is wrong: instance normalization takes
mean and variance of all that it is given, so each tile would get colours of its own.
The generator is computed layer by layer instead, each layer over stripes of rows as
wide as the picture. What a normalization needs is stored in a scratch file before it,
and its mean and variance over the whole picture are gathered on the way there;
everything else is computed from stored rows when rows are asked for.

Memory is that of some stripes, whatever the height. Scratch space is one and a half
times the largest layer: 6.4 GB for 4096 x 4096 at 64 filters.
"""

import dataclasses
import os
import pathlib
import shutil
import tempfile
import weakref
from collections import Counter
from collections.abc import Callable

import keras
import numpy as np
import tensorflow as tf
from keras import layers

from cyclegan_tf.config.architectures import SIDE_MULTIPLE
from cyclegan_tf.data.domain import Domain
from cyclegan_tf.data.images import UnreadableImage
from cyclegan_tf.data.ranges import to_unit_range, to_values
from cyclegan_tf.model.cost import floats_per_pixel
from cyclegan_tf.model.layers import (
    InstanceNormalization,
    MaskedChange,
    ReflectionPadding2D,
)

# Of one layer; a convolution holds some of these at once.
STRIPE_BYTES = 2**24
FLOAT_BYTES = 4
# Once all of the first or last stage, and half of it, the next smaller one.
SCRATCH_FACTOR = 1.5


def translate_in_stripes(
    generator: keras.Model,
    image: np.ndarray,
    source: Domain,
    target: Domain,
    scratch_dir: str | os.PathLike,
    stripe_bytes: int = STRIPE_BYTES,
) -> np.ndarray:
    """Translates one picture, holding only stripes of it in memory.

    Equal to the whole picture's translation up to the rounding of float32.

    Args:
        generator: a float32 model from `networks` or `mobile`.
        image: `(height, width, channels)`, in the form of `source`.
        source, target: the form of what the generator takes and gives.
        scratch_dir: of scratch files without a name, which vanish with the process.
        stripe_bytes: size of a stripe of one layer; never less than one row.

    Raises:
        UnreadableImage: the scratch space does not suffice.
        OSError: a scratch file cannot be written or read.
    """
    height, width, _ = image.shape
    border = ((0, -height % SIDE_MULTIPLE), (0, -width % SIDE_MULTIPLE), (0, 0))
    padded = np.pad(image, border, mode="reflect")
    # All stages have rows of about as many bytes: half the width, twice the channels.
    row_bytes = FLOAT_BYTES * floats_per_pixel(generator) * padded.shape[1]
    scratch = _Scratch(pathlib.Path(scratch_dir), max(1, stripe_bytes // row_bytes))
    scratch.folder.mkdir(parents=True, exist_ok=True)
    needed = SCRATCH_FACTOR * row_bytes * len(padded)
    free = shutil.disk_usage(scratch.folder).free
    if free < needed:
        raise UnreadableImage(
            f"needs {needed / 1e9:.1f} GB of scratch space, and {scratch.folder} has "
            f"{free / 1e9:.1f} GB"
        )
    real = _Rows(
        *padded.shape, lambda start, stop: to_unit_range(padded[start:stop], source)
    )
    fake = _interpret(generator, real, scratch)
    translated = np.empty((*padded.shape[:2], target.channels), target.dtype)
    for start, stop in scratch.stripes(fake):
        translated[start:stop] = to_values(fake.read(start, stop), target)
    return translated[:height, :width]


@dataclasses.dataclass(frozen=True)
class _Rows:
    """A layer's output, computed when rows from one to before another are asked for."""

    height: int
    width: int
    channels: int
    read: Callable[[int, int], tf.Tensor]  # float32 `(stop - start, width, channels)`

    def then(self, function) -> "_Rows":
        """These rows after a function that keeps their shape."""
        read = self.read
        return dataclasses.replace(self, read=lambda *span: function(read(*span)))


@dataclasses.dataclass(frozen=True)
class _Scratch:
    """Scratch files in a folder, and the number of rows to handle at a time."""

    folder: pathlib.Path
    num_rows: int

    def stripes(self, rows):
        """First row, and the row after the last, of each stripe."""
        for start in range(0, rows.height, self.num_rows):
            yield start, min(start + self.num_rows, rows.height)

    def store(self, rows, observe=lambda stripe: None) -> _Rows:
        """Rows that are computed once, and read from a file from then on."""
        file = tempfile.TemporaryFile(dir=self.folder)
        shape = (-1, rows.width, rows.channels)
        row_bytes = FLOAT_BYTES * rows.width * rows.channels

        def read(start, stop):
            size, place = (stop - start) * row_bytes, start * row_bytes
            data = os.pread(file.fileno(), size, place)
            return tf.constant(np.frombuffer(data, np.float32).reshape(shape))

        # The file has no name; its space is free again when the last reader is gone.
        weakref.finalize(read, file.close)
        for span in self.stripes(rows):
            stripe = rows.read(*span).numpy()
            observe(stripe)
            file.write(stripe)
        file.flush()
        return dataclasses.replace(rows, read=read)


def _interpret(generator, source, scratch):
    """The output of a functional model as rows."""
    layers_and_inputs = [(x, keras.tree.flatten(x.input)) for x in generator.layers[1:]]
    uses = Counter(id(x) for _, inputs in layers_and_inputs for x in inputs)
    outputs = {id(generator.inputs[0]): source}
    for layer, inputs in layers_and_inputs:
        output = _apply(layer, [outputs[id(x)] for x in inputs], scratch)
        outputs[id(layer.output)] = output
        # A scratch file goes with its last reader, so what is read no more is dropped.
        uses.subtract(map(id, inputs))
        outputs = {key: rows for key, rows in outputs.items() if uses[key]}
    return output


def _apply(layer, inputs, scratch):
    """The output of one layer."""
    rows = inputs[0]
    match layer:
        case InstanceNormalization():
            return _normalized(rows, layer, scratch)
        case layers.Add() | MaskedChange():
            # Stored, or each block would compute all blocks before it again.
            read = lambda *span: layer([x.read(*span) for x in inputs])  # noqa: E731
            return scratch.store(dataclasses.replace(rows, read=read))
        case layers.ReLU() | layers.Activation():
            return rows.then(layer)
        case ReflectionPadding2D(padding=size):
            last = rows.height - 1
            read = _picked(
                rows,
                lambda i: last - np.abs(last - np.abs(i - size)),
                lambda x: tf.pad(x, ((0, 0), (size, size), (0, 0)), mode="REFLECT"),
            )
        case layers.ZeroPadding2D(padding=((top, _), across)):
            read = _picked(
                rows, lambda i: i - top, lambda x: tf.pad(x, ((0, 0), across, (0, 0)))
            )
        case layers.Cropping2D(cropping=((top, _), (left, right))):
            read = _picked(
                rows, lambda i: i + top, lambda x: x[:, left : rows.width - right]
            )
        case layers.UpSampling2D(size=(down, across)):
            read = _picked(
                rows, lambda i: i // down, lambda x: tf.repeat(x, across, axis=1)
            )
        case layers.Conv2D() | layers.DepthwiseConv2D():
            read = _convolved(rows, layer)
        case layers.Conv2DTranspose():
            read = _convolved_transposed(rows, layer)
        case _:
            kind = type(layer).__name__
            raise TypeError(f"{kind} {layer.name!r} cannot go by stripes.")
    shape = (1, rows.height, rows.width, rows.channels)
    return _Rows(*layer.compute_output_shape(shape)[1:], read)


def _normalized(rows, layer, scratch):
    # In float64, so that no digits cancel.
    sums = np.zeros((2, rows.channels))

    def observe(stripe):
        x = stripe.astype(float)
        sums[:] += x.sum((0, 1)), np.square(x).sum((0, 1))

    stored = scratch.store(rows, observe)
    mean, mean_of_squares = sums / (rows.height * rows.width)
    gain, offset = 1 / np.sqrt(mean_of_squares - mean**2 + layer.epsilon), 0.0
    if layer.affine:
        scale, offset = layer.get_weights()
        gain = gain * scale
    mean, gain, offset = (np.float32(x) for x in (mean, gain, offset))
    return stored.then(lambda x: (x - mean) * gain + offset)


def _picked(rows, index, across):
    """Reads of rows that are, by `index`, rows of the input, or zeros outside of it."""

    def read(start, stop):
        wanted = index(np.arange(start, stop))
        inside = np.clip(wanted, 0, rows.height - 1)
        first = inside.min()
        x = tf.gather(rows.read(first, inside.max() + 1), inside - first)
        return across(tf.where((wanted == inside)[:, None, None], x, 0.0))

    return read


def _convolved(rows, layer):
    size, stride = layer.kernel_size[0], layer.strides[0]

    def read(start, stop):
        return layer(rows.read(start * stride, (stop - 1) * stride + size)[None])[0]

    return read


def _convolved_transposed(rows, layer):
    size, stride = layer.kernel_size[0], layer.strides[0]

    def read(start, stop):
        # Row i of the input is spread over rows i * stride to i * stride + size - 1.
        first = max(0, (start - size) // stride + 1)
        end = min(rows.height, (stop - 1) // stride + 1)
        skipped = start - first * stride
        return layer(rows.read(first, end)[None])[0, skipped : skipped + stop - start]

    return read

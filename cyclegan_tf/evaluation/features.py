"""Features of InceptionV3, on which FID and KID are defined.

By default of the ImageNet weights of keras.applications, from Keras' cache or
downloaded into it. Numbers on these are not those that papers print, which come from
another training of the network: the graph of December 2015 that the first FID was
computed with. A file takes the default's place: that graph (`.pb`,
`classify_image_graph_def.pb`), or other weights of Keras' InceptionV3 (`.h5`). Numbers
of different weights do not compare, so the file's SHA-256 is part of the protocol.
"""

import dataclasses
import os
import pathlib
from collections.abc import Callable

import keras
import numpy as np
import requests
import tensorflow as tf
from google.protobuf.message import DecodeError

from cyclegan_tf.common.checksums import file_digest
from cyclegan_tf.common.errors import InputError
from cyclegan_tf.data.ranges import to_unit_range

SIDE = 299
NUM_FEATURES = 2048
RESIZE = f"bicubic, antialiased, to {SIDE}x{SIDE}"
BATCH_SIZE = 16  # bounds the memory
NETWORK_TIMEOUT = 5  # seconds

WEIGHTS = "inception_v3_weights_tf_dim_ordering_tf_kernels_notop.h5"
WEIGHTS_URL = (
    "https://storage.googleapis.com/tensorflow/keras-applications/inception_v3/"
    + WEIGHTS
)
WEIGHTS_MD5 = "bcbd6486424b2319ff4ef7d526e38f63"  # as in keras.applications

# Names in the graph of 2015; its input is RGB from 0 to 255, its own resize of
# pictures of 299 pixels changes nothing.
GRAPH_INPUT, GRAPH_OUTPUT = "ExpandDims:0", "pool_3:0"
# A graph is a program. One that computes with numbers alone reads and writes no file.
GRAPH_OPERATIONS = frozenset(
    """
    Add AddV2 AvgPool BatchNormWithGlobalNormalization BiasAdd Cast CheckNumerics Concat
    ConcatV2 Const Conv2D ExpandDims FusedBatchNorm FusedBatchNormV3 Identity MatMul
    MaxPool Mean Mul Pad Placeholder Relu Reshape ResizeBilinear Rsqrt Squeeze Sub
    """.split()
)


@dataclasses.dataclass(frozen=True)
class FeatureNetwork:
    """A network that describes pictures.

    Attributes:
        name: what it is.
        sha256: of its weights' file, in hexadecimal.
        function: from float32 `(n, 299, 299, 3)` in grey levels to `(n, 2048)`.
    """

    name: str
    sha256: str
    function: Callable[[tf.Tensor], tf.Tensor]

    def __call__(self, images: np.ndarray) -> np.ndarray:
        """Features of pictures.

        Args:
            images: uint8 `(n, height, width, 3)` of any size.

        Returns:
            float32 `(n, 2048)`.
        """
        features = np.empty((len(images), NUM_FEATURES), np.float32)
        for start in range(0, len(images), BATCH_SIZE):
            batch = slice(start, start + BATCH_SIZE)
            resized = tf.image.resize(
                images[batch], (SIDE, SIDE), "bicubic", antialias=True
            )
            # Grey levels again, as if the resized picture had been stored.
            levels = tf.clip_by_value(tf.round(resized), 0, 255)
            features[batch] = self.function(levels).numpy()
        return features

    @property
    def protocol(self) -> dict[str, str]:
        """What has to be said beside every number."""
        return {"features": self.name, "sha256": self.sha256, "resize": RESIZE}


def load_inception(weights: str | None = None) -> FeatureNetwork:
    """The network with the weights of a file, or those of keras.applications.

    Args:
        weights: an `.h5` or `.pb` file; None: from Keras' cache, or the network.

    Raises:
        InputError: the file cannot be used, or there is neither a file, nor a cached
            one, nor a network; known within seconds.
    """
    path = _default_weights() if weights is None else pathlib.Path(weights).expanduser()
    if not path.is_file():
        raise InputError(f"--inception-weights {path}: no such file.")
    load = {".h5": _load_keras, ".pb": _load_graph}.get(path.suffix)
    if load is None:
        raise InputError(
            f"--inception-weights {path}: expected a file .h5 (InceptionV3 of "
            f"keras.applications, without its top) or .pb (the FID graph of 2015)."
        )
    try:
        name, function = load(path)
        found = tuple(function(tf.zeros((1, SIDE, SIDE, 3))).shape)
        if found != (1, NUM_FEATURES):
            raise ValueError(f"its features have the shape {found}")
    # What Keras, h5py, protobuf and TensorFlow raise for a file that is something else.
    except (
        *(AssertionError, ValueError, KeyError, TypeError, OSError),
        *(DecodeError, tf.errors.OpError),
    ) as error:
        reason = str(error).strip().split("\n")[0] or type(error).__name__
        raise InputError(
            f"--inception-weights {path}: cannot be used ({reason})."
        ) from None
    return FeatureNetwork(name, file_digest(path), function)


def _default_weights():
    home = pathlib.Path(os.environ.get("KERAS_HOME", "~/.keras")).expanduser()
    path = home / "models" / WEIGHTS
    if path.is_file():
        return path
    try:
        # Keras would wait for minutes where packets are lost.
        requests.head(WEIGHTS_URL, timeout=NETWORK_TIMEOUT).raise_for_status()
        keras.utils.get_file(
            WEIGHTS, WEIGHTS_URL, cache_subdir="models", file_hash=WEIGHTS_MD5
        )
    except Exception as error:  # get_file raises a bare one
        raise InputError(
            f"the InceptionV3 weights are neither in {path.parent} nor can they be "
            f"downloaded ({type(error).__name__}); name a file with "
            f"--inception-weights."
        ) from None
    return path


def _load_keras(path):
    network = keras.applications.InceptionV3(
        include_top=False, weights=None, pooling="avg", input_shape=(SIDE, SIDE, 3)
    )
    network.load_weights(path)
    name = "InceptionV3 of keras.applications, average pool"
    return name, tf.function(lambda x: network(to_unit_range(x), training=False))


def _load_graph(path):
    graph = tf.compat.v1.GraphDef.FromString(path.read_bytes())
    # Without what comes after the features, and without the decoder before them.
    graph = tf.compat.v1.graph_util.extract_sub_graph(graph, [GRAPH_OUTPUT[:-2]])
    unknown = {node.op for node in graph.node} - GRAPH_OPERATIONS - {"DecodeJpeg"}
    if unknown:
        raise ValueError(f"its graph has the operation {min(unknown)}")

    def features(images):
        (output,) = tf.graph_util.import_graph_def(
            graph, input_map={GRAPH_INPUT: images}, return_elements=[GRAPH_OUTPUT]
        )
        return tf.reshape(output, (tf.shape(images)[0], -1))

    signature = [tf.TensorSpec((None, SIDE, SIDE, 3), tf.float32)]
    function = tf.compat.v1.wrap_function(features, signature)
    return "Inception of 2015 (FID), pool_3", function

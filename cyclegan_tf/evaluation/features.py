"""Features of InceptionV3, on which FID and KID are defined.

Of the ImageNet weights of keras.applications, from Keras' cache or downloaded into it,
or of other weights in a file `.h5`. Papers' numbers are on another training of the
network. Numbers of different weights do not compare: their SHA-256 is in the protocol.
"""

import dataclasses
import os
import pathlib
from collections.abc import Callable

import keras
import numpy as np
import requests
import tensorflow as tf

from cyclegan_tf.common.checksums import file_digest
from cyclegan_tf.common.errors import InputError
from cyclegan_tf.data.domain import Domain, Domains, with_channels
from cyclegan_tf.data.ranges import to_unit_range

SIDE = 299
NUM_FEATURES = 2048
BATCH_SIZE = 16  # bounds the memory
NETWORK_TIMEOUT = 5  # seconds

INCEPTION_FILE = "inception_v3_weights_tf_dim_ordering_tf_kernels_notop.h5"
INCEPTION_URL = (
    "https://storage.googleapis.com/tensorflow/keras-applications/inception_v3/"
    + INCEPTION_FILE
)
INCEPTION_MD5 = "bcbd6486424b2319ff4ef7d526e38f63"  # as in keras.applications


@dataclasses.dataclass(frozen=True)
class FeatureNetwork:
    """A network that describes pictures."""

    function: Callable[[tf.Tensor], tf.Tensor]  # grey levels to features
    protocol: dict[str, str]  # what has to be said beside every number

    def __call__(self, images: np.ndarray) -> np.ndarray:
        """Features, float32 `(n, 2048)`, of grey levels `(n, height, width, 1 or 3)`.

        Grey images are repeated to RGB.
        """
        features = np.empty((len(images), NUM_FEATURES), np.float32)
        for start in range(0, len(images), BATCH_SIZE):
            batch = slice(start, start + BATCH_SIZE)
            resized = tf.image.resize(
                with_channels(images[batch], 3), (SIDE, SIDE), "bicubic", antialias=True
            )
            # Grey levels again, as if the resized picture had been stored.
            levels = tf.clip_by_value(tf.round(resized), 0, 255)
            features[batch] = self.function(levels).numpy()
        return features


def require_suitable(domains: Domains, remedy: str) -> None:
    """Raises `InputError`, with a remedy, for a domain of neither 1 nor 3 channels."""
    for name, domain in domains._asdict().items():
        if domain.channels not in (1, 3):
            raise InputError(
                f"KID and FID are for images of 1 or 3 channels, and those of domain "
                f"{name.upper()} have {domain.channels}; {remedy}."
            )


def load_inception(weights: str | None = None) -> FeatureNetwork:
    """The network with the weights of a file `.h5`, or those of keras.applications.

    Raises `InputError`, within seconds, if the file cannot be used, or there is neither
    one, nor a cached one, nor a connection.
    """
    path = _default_weights() if weights is None else pathlib.Path(weights).expanduser()
    if not path.is_file():
        raise InputError(f"--inception-weights {path}: no such file.")
    if path.suffix != ".h5":
        raise InputError(
            f"--inception-weights {path}: expected a file .h5, of InceptionV3 of "
            f"keras.applications without its top."
        )
    network = keras.applications.InceptionV3(
        include_top=False, weights=None, pooling="avg", input_shape=(SIDE, SIDE, 3)
    )
    try:
        network.load_weights(path)
    # What Keras and h5py raise for a file that is something else.
    except (AssertionError, ValueError, KeyError, TypeError, OSError) as error:
        reason = str(error).strip().split("\n")[0] or type(error).__name__
        raise InputError(
            f"--inception-weights {path}: cannot be used ({reason})."
        ) from None
    return FeatureNetwork(
        tf.function(lambda x: network(to_unit_range(x, Domain()), training=False)),
        {
            "features": "InceptionV3 of keras.applications, average pool",
            "sha256": file_digest(path),
            "resize": f"bicubic, antialiased, to {SIDE}x{SIDE}",
        },
    )


def _default_weights():
    home = pathlib.Path(os.environ.get("KERAS_HOME", "~/.keras")).expanduser()
    path = home / "models" / INCEPTION_FILE
    if path.is_file():
        return path
    try:
        # Keras would wait for minutes where packets are lost.
        requests.head(INCEPTION_URL, timeout=NETWORK_TIMEOUT).raise_for_status()
        # Elsewhere, where that folder cannot be written.
        saved = keras.utils.get_file(
            INCEPTION_FILE,
            INCEPTION_URL,
            cache_subdir="models",
            file_hash=INCEPTION_MD5,
        )
    except Exception as error:  # get_file raises a bare one
        raise InputError(
            f"the InceptionV3 weights are neither in {path.parent} nor can they be "
            f"downloaded ({type(error).__name__}); name a file with "
            f"--inception-weights."
        ) from None
    return pathlib.Path(saved)

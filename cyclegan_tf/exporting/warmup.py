"""Requests with which TensorFlow Serving warms a model up before it answers others."""

import pathlib

import numpy as np
import tensorflow as tf

from cyclegan_tf.common.console import say
from cyclegan_tf.data.images import encode_png

FILE = "tf_serving_warmup_requests"


def write(path: pathlib.Path, model_name: str, images: dict[str, np.ndarray]) -> None:
    """Writes one request for each signature.

    Without the official protos, which are an extra, nothing is written, and said.

    Args:
        path: of the file.
        model_name: what the server calls the model.
        images: uint8 `(count, height, width, 3)` by direction; the first is sent.
    """
    try:
        from tensorflow_serving.apis import predict_pb2, prediction_log_pb2
    except ImportError:
        say(
            "no warm-up requests written: they need tensorflow-serving-api (pip "
            "install '.[export]')"
        )
        return
    with tf.io.TFRecordWriter(str(path)) as writer:
        for direction, pictures in images.items():
            encoded = tf.constant([encode_png(pictures[0]).encoded])
            for signature, key, value in (
                (direction, "images", tf.constant(pictures[:1])),
                (f"{direction}_bytes", "image_bytes", encoded),
            ):
                request = predict_pb2.PredictRequest(
                    model_spec={"name": model_name, "signature_name": signature},
                    inputs={key: tf.make_tensor_proto(value)},
                )
                log = prediction_log_pb2.PredictionLog(predict_log={"request": request})
                writer.write(log.SerializeToString())

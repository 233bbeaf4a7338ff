"""TensorFlow Serving's REST conventions, answered here, and by KServe's model server.

python -m tests.exporting.serving EXPORT PORT
"""

import base64
import pathlib
import sys

import numpy as np
import tensorflow as tf

from cyclegan_tf.inference.exported import find_export

MODEL = "cyclegan"
# What a request that cannot be answered raises.
BAD_REQUEST = (
    *(tf.errors.InvalidArgumentError, AttributeError, KeyError, TypeError, ValueError),
)


def answer(signatures, payload):
    """What TensorFlow Serving answers to the JSON of a request.

    Raises:
        one of `BAD_REQUEST`: it is no request that the signatures can answer.
    """
    function = signatures[payload.get("signature_name", "serving_default")]
    ((key, spec),) = function.structured_input_signature[1].items()
    values = [
        item[key] if isinstance(item, dict) and key in item else item
        for item in payload["instances"]
    ]
    if spec.dtype == tf.string:
        decoded = [base64.b64decode(value["b64"], validate=True) for value in values]
        ((_, output),) = function(**{key: tf.constant(decoded)}).items()
        encoded = [base64.b64encode(x).decode() for x in output.numpy()]
        return {"predictions": [{"b64": x} for x in encoded]}
    ((_, output),) = function(**{key: tf.constant(np.uint8(values))}).items()
    return {"predictions": output.numpy().tolist()}


def main(export, port):
    """Serves the newest version of an export by KServe, on this machine only."""
    import kserve
    from kserve.errors import InvalidInput

    loaded = tf.saved_model.load(str(find_export(pathlib.Path(export)).place))

    class SavedModel(kserve.Model):
        """The signatures of a SavedModel."""

        def predict(self, payload, headers=None, response_headers=None):
            try:
                return answer(loaded.signatures, payload)
            except BAD_REQUEST as error:
                raise InvalidInput(f"{type(error).__name__}: {error}") from None

    class Local(kserve.model_server.RESTServer):
        """KServe's server by HTTP, which has no option for its address."""

        def __init__(self, *arguments, **options):
            super().__init__(*arguments, **options)
            self.config.host = "127.0.0.1"

    model = SavedModel(MODEL)
    model.load()
    kserve.model_server.RESTServer = Local
    kserve.ModelServer(http_port=int(port), enable_grpc=False).start([model])


if __name__ == "__main__":
    main(*sys.argv[1:])

"""The requests in docs/serving.md, run as they stand there, and the pictures read back.

TensorFlow Serving is not at hand. In its place stand KServe's model server where that
is installed (`make test-extras`), by REST, and a few lines here, by REST and gRPC.
"""

import concurrent.futures
import contextlib
import http.server
import json
import pathlib
import re
import shutil
import subprocess
import sys
import time

import grpc
import numpy as np
import pytest
import requests
import tensorflow as tf
from PIL import Image
from tensorflow_serving.apis import predict_pb2, prediction_service_pb2_grpc

from tests.exporting import serving
from tests.helpers import ROOT, free_port, local_server, random_pixels

DOCUMENT = (ROOT / "docs" / "serving.md").read_text(encoding="utf-8")
SECTION = DOCUMENT.split("\n## Ask a server\n")[1].split("\n## ")[0]
BLOCKS = re.findall(r"^```(sh|python)\n(.*?)^```$", SECTION, re.M | re.S)
BLOCKS = [block for block in BLOCKS if "horse.jpg" in block[1]]
START_SECONDS = 120  # of KServe's server, at most


@contextlib.contextmanager
def standing_in(exports, signatures):
    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self):
            content = self.rfile.read(int(self.headers["Content-Length"]))
            answer = json.dumps(serving.answer(signatures, json.loads(content)))
            self.send_response(200)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer.encode())

    with local_server(Handler) as server:
        yield server.server_port


@contextlib.contextmanager
def kserve(exports, signatures):
    pytest.importorskip("kserve")
    port = free_port()
    command = [sys.executable, "-m", serving.__name__, exports[1], port]
    server = subprocess.Popen([*map(str, command)], cwd=ROOT)
    try:
        for _ in range(START_SECONDS):
            assert server.poll() is None
            with contextlib.suppress(requests.ConnectionError):
                url = f"http://127.0.0.1:{port}/v1/models/{serving.MODEL}"
                if requests.get(url, timeout=10).ok:
                    break
            time.sleep(1)
        yield port
    finally:
        server.terminate()
        server.wait()


@pytest.fixture(scope="module", params=[standing_in, kserve])
def rest(request, exports, signatures):
    with request.param(exports, signatures) as port:
        yield {
            "localhost:8501": f"127.0.0.1:{port}",
            "models/horse2zebra": f"models/{serving.MODEL}",
        }


@pytest.fixture(scope="module")
def rpc(signatures):
    class Servicer(prediction_service_pb2_grpc.PredictionServiceServicer):
        def Predict(self, request, context):
            answer = predict_pb2.PredictResponse()
            function = signatures[request.model_spec.signature_name]
            given = {k: tf.make_ndarray(v) for k, v in request.inputs.items()}
            for name, output in function(**given).items():
                answer.outputs[name].CopyFrom(tf.make_tensor_proto(output.numpy()))
            return answer

    server = grpc.server(concurrent.futures.ThreadPoolExecutor(1))
    servicer = prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server
    servicer(Servicer(), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    yield {"localhost:8500": f"127.0.0.1:{port}"}
    server.stop(None)


def run(places, language, text):
    """Runs a block of the document, with the server's place in it."""
    for documented, real in places.items():
        text = text.replace(documented, real)
    if language == "python":
        exec(compile(text, "docs/serving.md", "exec"), {})
        return
    if not shutil.which("curl"):
        pytest.skip("no curl is installed")
    done = subprocess.run(["sh", "-ec", text], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.fixture
def is_answered(tmp_path, monkeypatch, signatures):
    """That a request's picture is what the model makes of the one that was sent."""
    monkeypatch.chdir(tmp_path)
    # The `python` of the blocks is this one.
    monkeypatch.setenv("PATH", str(pathlib.Path(sys.executable).parent), prepend=":")
    Image.fromarray(random_pixels(38, 50)).save("horse.jpg")
    sent = np.array(Image.open("horse.jpg"))[None]
    expected = signatures["a_to_b"](images=tf.constant(sent))["translated"].numpy()[0]

    def check(places, block):
        run(places, *block)
        answered = np.asarray(Image.open("zebra.png"), int)
        assert answered.shape == (38, 50, 3)
        assert np.abs(answered - expected).max() <= 1

    return check


def test_document_has_all_kinds_of_requests():
    kinds = [(language, "grpc" in text) for language, text in BLOCKS]
    assert kinds == [("sh", False), ("python", False)] * 2 + [("python", True)]


@pytest.mark.parametrize("block", BLOCKS[:4], ids=lambda block: block[0])
def test_rest_request_is_answered_with_the_picture(is_answered, rest, block):
    is_answered(rest, block)


def test_grpc_request_is_answered_with_the_picture(is_answered, rpc):
    is_answered(rpc, BLOCKS[4])


def test_readme_shows_the_first_of_them():
    assert BLOCKS[0][1] in (ROOT / "README.md").read_text(encoding="utf-8")

"""How fast is an export behind an HTTP server, and do bad requests harm it?

    pip install -r requirements-serving.txt
    python benchmarks/serving.py --export exports/horse2zebra

Serves the newest version of an export with KServe's model server, in the REST
conventions of TensorFlow Serving, on a port of this machine, and sends it pictures from
1 to 32 clients at once; every fourth request is a bad one. One JSON line for each
number of clients: good pictures per second, the median and 99th percentile of their
latency in milliseconds, how many bad requests were answered how, and the server's peak
memory. It ends with status 1 if a good request fails or gets another picture than
before, a bad one is not answered with a client error, or the server ends.

Clients and server share the machine's cores.
"""

import asyncio
import base64
import concurrent.futures
import dataclasses
import io
import itertools
import json
import pathlib
import re
import socket
import statistics
import struct
import subprocess
import sys
import tempfile
import threading
import time
import zlib
from collections import Counter

import numpy as np
import tensorflow as tf
from common import field, report, script
from PIL import Image

from cyclegan_tf.common.errors import InputError

MODEL = "cyclegan"
START_SECONDS = 120
# What a request that cannot be answered raises.
BAD_REQUEST = (
    *(tf.errors.InvalidArgumentError, AttributeError, KeyError, TypeError, ValueError),
)
BAD_EVERY = 4
SCRIPT = pathlib.Path(__file__).resolve()


@dataclasses.dataclass(frozen=True)
class Options:
    """What to serve and how hard to press."""

    export: str = field("exports/horse2zebra", help="directory of an export")
    side: int = field(256, help="of the pictures sent, in pixels")
    clients: list[int] = field(
        default_factory=lambda: [1, 2, 4, 8, 16, 32],
        help="at once, one after the other",
    )
    num_requests: int = field(200, help="for each number of clients")
    serve_on: int = field(0, help="only serve, on this port, until stopped")
    threads: int = field(2, help="pictures that the server computes at once")


def main(options):
    """Serves, or serves in another process and presses it."""
    try:
        import kserve  # noqa: F401
    except ImportError:
        raise InputError(
            "serving needs kserve: pip install -r requirements-serving.txt"
        ) from None
    if options.serve_on:
        serve(options)
    elif not press(options):
        sys.exit(1)


# The server.


def serve(options):
    """Serves the newest version until the process is stopped."""
    import kserve
    from kserve.errors import InvalidInput

    versions = sorted(
        (p for p in pathlib.Path(options.export).glob("*") if p.name.isdecimal()),
        key=lambda path: int(path.name),
    )
    if not versions:
        raise InputError(f"{options.export} has no versions; write one with export.py.")
    loaded = tf.saved_model.load(str(versions[-1]))
    # Each computes one request; more would only share the cores and fill the memory.
    pool = concurrent.futures.ThreadPoolExecutor(options.threads)

    class SavedModel(kserve.Model):
        """The signatures of a SavedModel in TensorFlow Serving's REST conventions."""

        async def predict(self, payload, headers=None, response_headers=None):
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(pool, self.answer, payload)

        def answer(self, payload):
            try:
                return answer(loaded.signatures, payload)
            except BAD_REQUEST as error:
                reason = (str(error).splitlines() or [""])[0]
                raise InvalidInput(f"{type(error).__name__}: {reason}") from None

    model = SavedModel(MODEL)
    model.load()
    kserve.model_server.RESTServer = local(kserve.model_server.RESTServer)
    kserve.ModelServer(http_port=options.serve_on, enable_grpc=False).start([model])


def local(server_class):
    """KServe's server by HTTP, which has no option for it, on this machine only."""

    class Local(server_class):
        def __init__(self, *arguments, **options):
            super().__init__(*arguments, **options)
            self.config.host = "127.0.0.1"

    return Local


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
    ((_, output),) = function(**{key: tensor(values, spec)}).items()
    if output.dtype == tf.string:
        encoded = [base64.b64encode(x).decode() for x in output.numpy()]
        return {"predictions": [{"b64": x} for x in encoded]}
    return {"predictions": output.numpy().tolist()}


def tensor(values, spec):
    """The instances of a request as what a signature takes."""
    if spec.dtype == tf.string:
        decoded = [base64.b64decode(value["b64"], validate=True) for value in values]
        return tf.constant(decoded)
    array = np.asarray(values)
    if array.dtype.kind not in "iu" or array.ndim != 4:
        raise ValueError(
            f"expected integers of rank 4, got {array.dtype} of rank {array.ndim}"
        )
    if array.min(initial=0) < 0 or array.max(initial=0) > 255:
        raise ValueError("expected integers from 0 to 255")
    return tf.constant(array.astype(np.uint8))


# The clients.


def press(options):
    """Starts the server and sends requests; False if anything went wrong."""
    import httpx

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    url = f"http://127.0.0.1:{port}/v1/models/{MODEL}"
    command = [sys.executable, SCRIPT, "--export", options.export]
    command += ["--serve-on", port, "--threads", options.threads]
    with tempfile.TemporaryFile() as log:
        server = subprocess.Popen(
            [str(part) for part in command], stdout=log, stderr=subprocess.STDOUT
        )
        try:
            if not is_ready(httpx, url, server):
                log.seek(0)
                print(log.read().decode()[-3000:], file=sys.stderr)
                return False
            good, bad = good_requests(options.side), bad_requests()
            return all(
                [
                    round_of(httpx, url, good, bad, clients, options, server)
                    for clients in options.clients
                ]
            )
        finally:
            server.terminate()
            server.wait()


def is_ready(httpx, url, server):
    """Waits until the model answers; False if the server ends or takes too long."""
    for _ in range(START_SECONDS):
        if server.poll() is not None:
            return False
        try:
            if httpx.get(url).status_code == 200:
                return True
        except httpx.TransportError:
            pass
        time.sleep(1)
    return False


def round_of(httpx, url, good, bad, clients, options, server):
    """Sends requests from so many clients, prints a line; False if one went wrong."""
    turns, lock = iter(range(options.num_requests)), threading.Lock()
    bad_ones = itertools.cycle(bad.items())
    latencies, answers, wrong = [], Counter(), []

    def client():
        with httpx.Client(timeout=300) as connection:
            while True:
                with lock:
                    turn = next(turns, None)
                    if turn is None:
                        return
                    is_bad = turn % BAD_EVERY == BAD_EVERY - 1
                    name, body = next(bad_ones) if is_bad else ("good", None)
                if not is_bad:
                    body, expected = good[turn % len(good)]
                start = time.monotonic()
                try:
                    response = connection.post(f"{url}:predict", content=body)
                except httpx.TransportError as error:
                    wrong.append((name, repr(error)))
                    continue
                elapsed = time.monotonic() - start
                if is_bad:
                    answers[response.status_code] += 1
                    if not 400 <= response.status_code < 500:
                        wrong.append((name, response.status_code))
                    continue
                latencies.append(elapsed)
                picture = picture_in(response)
                if response.status_code != 200 or picture is None:
                    wrong.append((name, response.status_code))
                elif not expected:
                    expected.append(picture)
                elif not is_close(picture, expected[0]):
                    wrong.append((name, "another picture"))

    start = time.monotonic()
    with concurrent.futures.ThreadPoolExecutor(clients) as pool:
        for done in [pool.submit(client) for _ in range(clients)]:
            done.result()
    seconds = time.monotonic() - start
    ordered = sorted(latencies)
    figures = {
        "clients": clients,
        "good_per_s": round(len(latencies) / seconds, 2),
        "p50_ms": round(1000 * statistics.median(ordered)),
        "p99_ms": round(1000 * ordered[int(0.99 * (len(ordered) - 1))]),
        "bad": dict(answers),
        "wrong": wrong,
        "server_peak_mib": peak_mib(server.pid),
    }
    report(**figures)
    return not wrong and server.poll() is None


def is_close(picture, expected):
    """Whether two PNGs show the same, but for the order of additions."""
    first, second = (
        np.asarray(Image.open(io.BytesIO(encoded)), int)
        for encoded in (picture, expected)
    )
    return first.shape == second.shape and np.abs(first - second).max() <= 1


def picture_in(response):
    """The PNG in an answer, or None."""
    try:
        return base64.b64decode(response.json()["predictions"][0]["b64"])
    except (ValueError, KeyError, IndexError, TypeError):
        return None


def good_requests(side):
    """Bodies, each with the list that will hold its first answer."""
    requests = []
    for seed in range(4):
        coarse = np.random.default_rng(seed).integers(0, 256, (8, 8, 3), np.uint8)
        picture = Image.fromarray(coarse).resize((side, side), Image.Resampling.BICUBIC)
        image_format = ("PNG", "JPEG")[seed % 2]
        requests.append((bytes_body(encoded(picture, image_format)), []))
    return requests


def bad_requests():
    """What people and machines send by mistake, by name."""
    picture = Image.fromarray(np.zeros((64, 64, 3), np.uint8))
    jpeg = encoded(picture, "JPEG")
    return {
        "not JSON": b"{",
        "no instances": json.dumps({"signature_name": "a_to_b"}).encode(),
        "unknown signature": json.dumps(
            {"signature_name": "c_to_d", "instances": [0]}
        ).encode(),
        "wrong dtype": pixels_body([[[[0.5, 0.5, 0.5]] * 32] * 32]),
        "text for pixels": pixels_body([[[["a", "b", "c"]] * 32] * 32]),
        "above 255": pixels_body([[[[256, 0, 0]] * 32] * 32]),
        "wrong rank": pixels_body([[[0] * 32] * 32]),
        "four channels": pixels_body([[[[0, 0, 0, 0]] * 32] * 32]),
        "ragged": pixels_body([[[[0, 0, 0]] * 32] * 31 + [[[0, 0, 0]]]]),
        "0 x 0": pixels_body([[]]),
        "8 x 8": pixels_body([[[[0, 0, 0]] * 8] * 8]),
        "not an image": bytes_body(b"hello"),
        "empty image": bytes_body(b""),
        "not base64": json.dumps(
            {"signature_name": "a_to_b_bytes", "instances": [{"b64": "?"}]}
        ).encode(),
        "truncated JPEG": bytes_body(jpeg[: len(jpeg) // 2]),
        "100 megapixels": bytes_body(png_header(10_000, 10_000)),
        "4 gigapixels": bytes_body(png_header(65_500, 65_500)),
        "50 MB": bytes_body(b"\xff\xd8\xff\xe0" + bytes(50_000_000)),
    }


def encoded(picture, image_format):
    """The file's bytes."""
    file = io.BytesIO()
    picture.save(file, image_format)
    return file.getvalue()


def bytes_body(data):
    """A request to translate one file."""
    instance = {"b64": base64.b64encode(data).decode()}
    body = {"signature_name": "a_to_b_bytes", "instances": [instance]}
    return json.dumps(body).encode()


def pixels_body(instances):
    """A request to translate pixels."""
    return json.dumps({"signature_name": "a_to_b", "instances": instances}).encode()


def png_header(width, height):
    """A small PNG file that claims to be large."""

    def chunk(kind, data):
        check = struct.pack(">I", zlib.crc32(kind + data))
        return struct.pack(">I", len(data)) + kind + data + check

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    rows = zlib.compress(bytes(1000))
    parts = chunk(b"IHDR", header), chunk(b"IDAT", rows), chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def peak_mib(pid):
    """Peak resident memory of a process; None where the system does not tell."""
    status = pathlib.Path(f"/proc/{pid}/status")
    if not status.exists():
        return None
    return int(re.search(r"VmHWM:\s+(\d+) kB", status.read_text())[1]) // 1024


if __name__ == "__main__":
    script(main, Options, __doc__)

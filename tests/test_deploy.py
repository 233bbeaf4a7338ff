"""What is in deploy/, as far as it can be checked without Docker and a cluster."""

import http.server
import pathlib
import re
import subprocess
import sys

import pytest

from tests.helpers import ROOT, local_server

DEPLOY = ROOT / "deploy"
COMPOSE = DEPLOY / "compose.yaml"
BIN = pathlib.Path(sys.executable).parent


def checked(*command):
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_dockerfile_has_no_findings():
    checked(BIN / "hadolint", DEPLOY / "Dockerfile")


def test_dockerfile_copies_what_is_there_and_not_ignored():
    ignored = (DEPLOY / "Dockerfile.dockerignore").read_text().splitlines()
    assert ignored[0] == "*"
    text = (DEPLOY / "Dockerfile").read_text()
    for sources in re.findall(r"^COPY (.+) \S+$", text, re.M):
        for source in sources.split():
            assert (ROOT / source).exists() and f"!{source}" in ignored


def test_compose_file_is_valid():
    schema = ("--builtin-schema", "vendor.compose-spec")
    checked(BIN / "check-jsonschema", *schema, COMPOSE)


@pytest.mark.parametrize("state", ["AVAILABLE", "LOADING", None])
def test_health_check_is_that_the_model_is_available(state):
    yaml = pytest.importorskip("ruamel.yaml").YAML(typ="safe")
    check = yaml.load(COMPOSE)["services"]["serving"]["healthcheck"]["test"]
    asked = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append(self.path)
            self.send_response(200 if state else 404)
            self.end_headers()
            self.wfile.write(f'{{"model_version_status": "{state}"}}'.encode())

    with local_server(Handler) as server:
        program = check[-1].replace("$$", "$").replace("8501", str(server.server_port))
        environment = {"MODEL_NAME": "horse2zebra"}
        done = subprocess.run([*check[1:-1], program], env=environment, timeout=60)
    assert asked == ["/v1/models/horse2zebra"]
    assert (done.returncode == 0) == (state == "AVAILABLE")


def test_inference_service_has_only_what_the_resource_has():
    kserve = pytest.importorskip("kserve")
    yaml = pytest.importorskip("ruamel.yaml").YAML(typ="safe")

    def check(content, model):
        for name, value in content.items():
            kinds = {model.attribute_map[key]: key for key in model.attribute_map}
            assert name in kinds, name
            kind = getattr(kserve, model.openapi_types[kinds[name]], None)
            if kind is not None:
                check(value, kind)

    content = yaml.load(DEPLOY / "inferenceservice.yaml")
    check(content, kserve.V1beta1InferenceService)
    assert content["spec"]["predictor"]["model"]["modelFormat"]["name"] == "tensorflow"

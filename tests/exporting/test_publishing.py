"""Models of the Hugging Face Hub, which is not at hand.

In its place stand a cache as huggingface_hub leaves it, and a server of this machine
that answers what the library asks for when it uploads and downloads.
"""

import base64
import dataclasses
import hashlib
import http.server
import json
import pathlib
import re
import shutil

import numpy as np
import pytest
from huggingface_hub import ModelCard, constants

from cyclegan_tf.common.errors import InputError
from cyclegan_tf.config import ExportConfig, TrainConfig, TranslateConfig
from cyclegan_tf.exporting import exporter, publishing
from cyclegan_tf.inference import run_exported, translator
from cyclegan_tf.runs import generators
from tests.helpers import (
    assert_one_line_error,
    local_server,
    random_pixels,
    run_here,
    tiny_model,
)

ADDRESS = "hf://user/horse2zebra"


class StandIn(http.server.BaseHTTPRequestHandler):
    """The Hub with one repository; `server.files` is what is in it, by name."""

    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def answer(self, content, status=200, **headers):
        if not isinstance(content, bytes):
            content = json.dumps(content).encode()
        self.send_response(status)
        for name, value in {"Content-Length": len(content), **headers}.items():
            self.send_header(name.replace("_", "-"), str(value))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        server, path = self.server, self.path
        server.asked.append(path)
        if path == "/api/repos/create":
            server.made = json.loads(body)
            self.answer({"url": f"{constants.ENDPOINT}/user/horse2zebra"})
        elif path == "/api/validate-yaml":
            self.answer({"errors": [], "warnings": []})
        elif "/preupload/" in path:
            files = json.loads(body)["files"]
            answers = [
                {"path": f["path"], "uploadMode": "regular", "shouldIgnore": False}
                for f in files
            ]
            self.answer({"files": answers})
        elif "/commit/" in path:
            for line in map(json.loads, body.splitlines()):
                if line["key"] == "deletedFile":
                    del server.files[line["value"]["path"]]
                elif line["key"] == "file":
                    content = base64.b64decode(line["value"]["content"])
                    server.files[line["value"]["path"]] = content
            self.answer(
                {
                    "commitUrl": f"{constants.ENDPOINT}/user/horse2zebra/commit/1",
                    "commitOid": sha(server),
                }
            )

    def do_GET(self):
        server = self.server
        server.asked.append(self.path)
        found = re.fullmatch(r"/user/horse2zebra/resolve/[^/]+/(.+)", self.path)
        if found and found[1] in server.files:
            content = server.files[found[1]]
            tag = hashlib.sha1(content).hexdigest()
            self.answer(content, ETag=f'"{tag}"', X_Repo_Commit=sha(server))
        elif "/tree/" in self.path:
            self.answer(
                [
                    {"type": "file", "path": name, "size": len(content), "oid": "0"}
                    for name, content in server.files.items()
                ]
            )
        elif self.path.startswith("/api/models/user/horse2zebra"):
            names = [{"rfilename": name} for name in server.files]
            self.answer(
                {"id": "user/horse2zebra", "sha": sha(server), "siblings": names}
            )
        else:
            self.answer({"error": "none"}, 404, X_Error_Code="RepoNotFound")

    do_HEAD = do_GET


def sha(server):
    return hashlib.sha1(repr(sorted(server.files)).encode()).hexdigest()


@pytest.fixture
def hub(tmp_path, monkeypatch):
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_PROGRESS_BARS", True)
    monkeypatch.setenv("HF_TOKEN", "hf_stand_in")
    with local_server(StandIn) as server:
        server.files, server.asked, server.made = {}, [], None
        url = f"http://127.0.0.1:{server.server_port}"
        monkeypatch.setattr(constants, "ENDPOINT", url)
        template = url + "/{repo_id}/resolve/{revision}/{filename}"
        monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
        yield server


def test_pushed_model_is_loaded_from_there_and_from_the_cache(
    hub, one_way, tmp_path, monkeypatch
):
    # With averages, which are what is exported.
    averages, raw = generators.load_generators(one_way), tiny_model(seed=1).generators
    run_dir = pathlib.Path(shutil.copytree(one_way, tmp_path / "run"))
    raw.pop("b_to_a")
    generators.save_generators(run_dir, raw, {"step": 0}, averages)
    output = tmp_path / "exports"
    list(exporter.export(ExportConfig(str(run_dir), str(output), push=ADDRESS)))
    assert hub.made["name"] == "horse2zebra" and hub.made["visibility"] == "private"
    assert {"config.json", "model/generators.npz", "savedmodel/1/saved_model.pb"} <= {
        *hub.files
    }
    # Nothing of this machine is told.
    for name in ("config.json", "README.md", "model/model.json"):
        assert str(run_dir.parent) not in hub.files[name].decode()
    card = ModelCard(hub.files["README.md"].decode())
    assert card.data.pipeline_tag == "image-to-image"

    pixels = random_pixels(20, 24)
    expected = translator.load(run_dir)(pixels)
    assert "Its weights are averages" in card.text
    hub.asked.clear()
    assert np.array_equal(translator.load(ADDRESS)(pixels), expected)
    assert not any("savedmodel" in path for path in hub.asked)
    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
    assert np.array_equal(translator.load(ADDRESS)(pixels), expected)

    monkeypatch.chdir(tmp_path)
    (exported,) = exporter.export(ExportConfig(ADDRESS, format="onnx"))
    assert exported.directory == pathlib.Path("exports/horse2zebra/onnx/1")
    run = run_exported.onnx(exported.directory).run
    translated = run("a_to_b", pixels[None])[0].astype(int)
    assert np.abs(translated - expected).max() <= 1
    card = (exported.directory / "MODEL_CARD.md").read_text()
    assert "Its weights are averages" in card


@pytest.mark.parametrize("source", ["teacher", "init_from"])
def test_published_options_name_no_place_of_this_machine(tmp_path, source):
    names = ("domain_a", "domain_b", "data_dir", "run_dir", source)
    options = TrainConfig(**{name: f"{tmp_path}/{name}" for name in names})
    told = dataclasses.asdict(publishing._without_places(options))
    assert not [x for x in told.values() if str(tmp_path) in str(x)]


@pytest.fixture
def cached(tmp_path, monkeypatch):
    """The cache with a repository in it, and no network; the folder of its files."""
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    repository = tmp_path / "cache" / "models--user--horse2zebra"
    snapshot = repository / "snapshots" / "f00d"
    snapshot.mkdir(parents=True)
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text("f00d")
    return snapshot


def test_links_of_the_cache_are_followed_and_programs_left_there(
    cached, run_dir, tmp_path
):
    (tmp_path / "blob").write_bytes((run_dir / "config.json").read_bytes())
    (cached / "config.json").symlink_to(tmp_path / "blob")
    (cached / "model").mkdir()
    for path in (run_dir / "model").iterdir():
        (cached / "model" / path.name).symlink_to(path)
    # Beside the run a SavedModel, which is not loaded.
    (cached / "saved_model.pb").write_bytes(b"a program")
    pixels = random_pixels(20, 24)
    expected = translator.load(run_dir)(pixels)
    assert np.array_equal(translator.load(ADDRESS)(pixels), expected)


@pytest.mark.parametrize(
    "files, problem",
    [
        ({"saved_model.pb": b"a program"}, "has no config.json"),
        ({"config.json": b"{}"}, "config.json is damaged or of another version"),
        (None, "hf auth login"),
    ],
)
def test_export_of_what_is_no_run_is_one_line(
    cached, capsys, tmp_path, monkeypatch, files, problem
):
    for name, content in (files or {}).items():
        (cached / name).write_bytes(content)
    monkeypatch.chdir(tmp_path)
    address = "hf://user/none" if files is None else ADDRESS
    done = run_here(capsys, "export", "--run-dir", address)
    assert_one_line_error(done, f"error: {address}", problem)
    assert not (tmp_path / "exports").exists()


def test_objects_of_a_run_there_are_not_unpickled_by_an_export(
    cached, capsys, run_dir, tmp_path, monkeypatch
):
    shutil.copytree(run_dir, cached, dirs_exist_ok=True)
    arrays = {"gen_ab/stem/kernel": np.array([{"an": "object"}])}
    np.savez(cached / "model" / "generators.npz", **arrays)
    monkeypatch.chdir(tmp_path)
    done = run_here(capsys, "export", "--run-dir", ADDRESS)
    assert_one_line_error(done, f"{ADDRESS}/model/generators.npz", "pickle")


def test_push_that_is_refused_is_one_line_before_the_export(hub, run_dir, capsys):
    hub.RequestHandlerClass = type(
        "Refusing", (StandIn,), {"do_POST": lambda self: self.answer({}, 401)}
    )
    arguments = ("--run-dir", run_dir, "--output", run_dir / "no", "--push", ADDRESS)
    done = run_here(capsys, "export", *arguments)
    assert_one_line_error(done, ADDRESS, "hf auth login")
    assert not (run_dir / "no").exists()


@pytest.mark.parametrize("value", ["hf://name", "hf://a/b/c", "hf://a/../b", "user/x"])
def test_other_addresses_are_refused(value):
    with pytest.raises(InputError, match="--push .* expected hf://user/name"):
        ExportConfig(push=value)
    if value.startswith("hf:"):
        with pytest.raises(InputError, match="--model .* expected hf://user/name"):
            TranslateConfig(model=value)
        with pytest.raises(InputError, match="--run-dir .* expected hf://user/name"):
            ExportConfig(value)

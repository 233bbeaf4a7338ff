"""The page in deploy/web, in a browser: a picture is uploaded, its pixels compared."""

import base64
import functools
import http.server
import importlib.util
import io
import shutil
import subprocess
import threading

import keras
import numpy as np
import pytest
from PIL import Image

from cyclegan_tf.config import ExportConfig
from cyclegan_tf.data.domain import Domains
from cyclegan_tf.exporting.formats import onnx
from cyclegan_tf.inference import run_exported
from cyclegan_tf.model.networks import build_generator
from tests.browser import chromium, requested
from tests.helpers import ROOT, random_pixels

WEB = ROOT / "deploy" / "web"


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    """A copy of the folder as its README makes it, with a small model."""
    if shutil.which("npm") is None:
        pytest.skip("no npm is installed")
    folder = tmp_path_factory.mktemp("web") / "page"
    shutil.copytree(WEB, folder, ignore=shutil.ignore_patterns("node_modules"))
    done = subprocess.run(["npm", "install", "--no-audit", "--no-fund"], cwd=folder)
    if done.returncode:
        pytest.skip("npm installs nothing here")
    keras.utils.set_random_seed(0)
    generator = build_generator(4, 1)
    for variable in generator.variables:
        variable.assign(variable * 5)
    onnx.write({"model": generator}, Domains(), folder, ExportConfig())
    return folder


def isolated(folder):
    spec = importlib.util.spec_from_file_location("serve", folder / "serve.py")
    serve = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(serve)
    return serve.server(0, folder)


def plain(folder):
    handler = functools.partial(
        http.server.SimpleHTTPRequestHandler, directory=str(folder)
    )
    return http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)


@pytest.mark.parametrize("serve", [isolated, plain])
def test_uploaded_picture_becomes_what_onnx_runtime_makes_of_it(page, tmp_path, serve):
    from selenium.webdriver.support.ui import WebDriverWait

    pixels = random_pixels(45, 64)
    Image.fromarray(pixels).save(tmp_path / "given.png")
    with serve(page) as server, chromium(tmp_path / "profile") as driver:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{server.server_port}/"
        driver.get(address)

        def status_begins(word):
            WebDriverWait(driver, 120).until(
                lambda _: status().startswith(word),
                f"{word}: {driver.get_log('browser')}",
            )

        def status():
            return driver.find_element("id", "status").text

        status_begins("Ready")
        is_isolated = driver.execute_script("return crossOriginIsolated")
        assert is_isolated == (serve is isolated)
        assert ("one thread" in status()) != is_isolated
        driver.find_element("id", "file").send_keys(str(tmp_path / "given.png"))
        status_begins("Translated 64×45 pixels")
        data = driver.execute_script(
            "return document.getElementById('translated').toDataURL('image/png')"
        )
        asked = {a for a in requested(driver) if a.startswith("http")}
        server.shutdown()
    png = base64.b64decode(data.split(",")[1])
    translated = np.asarray(Image.open(io.BytesIO(png)).convert("RGB"))
    (expected,) = run_exported.onnx(page).run("model", pixels[None])
    assert np.ptp(expected) > 50
    assert np.abs(translated.astype(int) - expected).max() <= 1
    assert asked and all(place.startswith(address) for place in asked)

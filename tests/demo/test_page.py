"""The page as somebody uses it, in Chromium; `make test-extras` has what it needs."""

import subprocess
import sys
import urllib.parse

import numpy as np
import pytest
from PIL import Image

from cyclegan_tf.inference import translator
from tests.browser import chromium, requested
from tests.helpers import assert_one_line_error, free_port, random_pixels, run_here


@pytest.fixture(scope="module")
def shown(scored_run, tmp_path_factory):
    """Chromium with the page of a run."""
    pytest.importorskip("gradio")
    command = [sys.executable, "-m", "cyclegan_tf", "demo", "--model", scored_run]
    command = [*map(str, command), "--port", str(free_port())]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        address = server.stdout.readline().split()[0]
        with chromium(tmp_path_factory.mktemp("chrome")) as driver:
            driver.set_window_size(1400, 1000)
            driver.get(address)
            find(driver, "#direction")
            yield driver
    finally:
        server.terminate()
        server.communicate()


def wait(driver, condition):
    from selenium.webdriver.support.ui import WebDriverWait

    return WebDriverWait(driver, 60).until(condition)


def find(driver, selector):
    """An element that is seen, or soon will be."""

    def seen(driver):
        found = driver.find_elements("css selector", selector)
        return found and found[-1].is_displayed() and found[-1]

    return wait(driver, seen)


def upload(driver, path):
    (picture,) = driver.find_elements("css selector", "#picture input[type=file]")
    picture.send_keys(str(path))


def test_upload_is_translated_there_and_back(shown, scored_run, tmp_path):
    pixels = random_pixels(50, 70)
    Image.fromarray(pixels).save(tmp_path / "horse.png")
    upload(shown, tmp_path / "horse.png")
    shown.execute_cdp_cmd(
        "Browser.setDownloadBehavior",
        {"behavior": "allow", "downloadPath": str(tmp_path)},
    )
    find(shown, "#a_to_b-download").click()
    file = tmp_path / "horse-a_to_b.png"
    wait(shown, lambda _: file.exists())
    expected = translator.load(scored_run)(pixels)
    assert np.array_equal(np.asarray(Image.open(file)), expected)
    for what in ("translated", "cycled"):
        assert find(shown, f"#a_to_b-{what} img").get_property("naturalWidth") == 70


def test_example_is_translated_and_in_both_directions(shown):
    shown.find_elements("css selector", "#examples button")[-1].click()
    assert find(shown, "#b_to_a-cycled img").get_property("naturalWidth") == 32
    assert not shown.find_elements("id", "a_to_b-cycled")
    shown.find_elements("css selector", "#direction input")[-1].click()
    assert find(shown, "#a_to_b-cycled img").get_property("naturalWidth") == 32


def test_bad_file_is_a_message(shown, tmp_path):
    (tmp_path / "bad.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    upload(shown, tmp_path / "bad.png")
    message = find(shown, "#problem textarea").get_property("value")
    assert "not a JPEG, JPEG 2000" in message
    assert not shown.find_elements("id", "a_to_b-cycled")


def test_nothing_is_asked_of_another_machine(shown):
    """Of all that the tests above have done."""
    hosts = {urllib.parse.urlsplit(url).netloc for url in requested(shown)}
    (address,) = {host for host in hosts if "." in host}
    assert address.startswith("127.0.0.1:")


def test_without_gradio_is_one_line(monkeypatch, capsys, tmp_path):
    monkeypatch.setitem(sys.modules, "gradio", None)
    (tmp_path / "a_to_b.onnx").touch()
    done = run_here(capsys, "demo", "--model", tmp_path / "a_to_b.onnx")
    assert_one_line_error(done, "pip install '.[demo]'")

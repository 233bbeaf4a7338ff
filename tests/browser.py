"""Chromium without a window, for what is seen in one."""

import contextlib
import json
import shutil

import pytest

FLAGS = (
    *("--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update"),
    *("--disable-sync", "--hide-scrollbars"),
)


@contextlib.contextmanager
def chromium(profile):
    """A driver that logs what its pages request; `profile` is a folder of its own."""
    webdriver = pytest.importorskip("selenium.webdriver")
    from selenium.webdriver.chrome.service import Service

    places = [
        next(filter(None, map(shutil.which, names)), None)
        for names in (
            ("chromium", "chromium-browser", "google-chrome"),
            ["chromedriver"],
        )
    ]
    if None in places:
        pytest.skip("no chromium, or no chromedriver, is installed")
    options = webdriver.ChromeOptions()
    options.binary_location = places[0]
    for flag in (*FLAGS, f"--user-data-dir={profile}"):
        options.add_argument(flag)
    options.set_capability(
        "goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"}
    )
    driver = webdriver.Chrome(options=options, service=Service(places[1]))
    try:
        yield driver
    finally:
        driver.quit()


def requested(driver):
    """The addresses that pages have asked for since the last call, without queries."""
    messages = [json.loads(entry["message"]) for entry in driver.get_log("performance")]
    return {
        message["message"]["params"]["request"]["url"].split(",")[0]
        for message in messages
        if message["message"]["method"] == "Network.requestWillBeSent"
    }

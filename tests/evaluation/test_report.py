"""The page, read as text and used in a browser."""

import dataclasses
import html.parser
import itertools
import json
import shutil

import numpy as np
import pytest

from cyclegan_tf.config.commands import MAX_COMPARED_RUNS, EvaluateConfig
from cyclegan_tf.evaluation import pictures, report, scoring
from cyclegan_tf.runs import directory as run_directory
from cyclegan_tf.runs import history
from tests.browser import chromium, requested
from tests.helpers import (
    random_pixels,
    tiny_config,
    tiny_model,
    write_images,
    write_run,
)

# What a dataset's author could call a folder, to run a script in the reader's browser.
HOSTILE = "<img src=x onerror=alert(1)> \"'&{{7*7}}$x"


@pytest.fixture(scope="module")
def hostile_run(tmp_path_factory):
    """What a run of two epochs leaves, on a folder of pairs, all with hostile names."""
    directory = tmp_path_factory.mktemp("report")
    folder, run_dir = directory / HOSTILE, directory / "runs" / HOSTILE
    for split, count in (("trainA", 2), ("trainB", 2), ("testA", 5), ("testB", 5)):
        write_images(folder / split, count, suffix=f"{HOSTILE}.png")
    config = tiny_config(directory, dataset=str(folder), run_dir=str(run_dir))
    write_run(config, tiny_model().generators)
    names = ("G_A", "G_B", "swd_a_to_b", "swd_b_to_a", "cycle_mae_a_to_b")
    rows = [{"epoch": i, "step": 2 * i} | dict.fromkeys(names, 1 / i) for i in (1, 2)]
    history.write_history(run_dir / history.METRICS, rows)
    (run_dir / "samples").mkdir()
    for epoch, domain in itertools.product((1, 2), "ab"):
        picture = random_pixels(80, 64, seed=epoch)
        pictures.save_png(run_dir / f"samples/epoch-000{epoch}-{domain}.png", picture)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(scoring, "_network_if_possible", lambda *_: None)
        scoring.evaluate(EvaluateConfig([str(run_dir)]))
    return run_dir


@pytest.fixture
def run_dir(hostile_run, tmp_path):
    """A copy of the run, to be changed."""
    return shutil.copytree(hostile_run, tmp_path / "run")


@pytest.fixture(scope="module")
def page_path(hostile_run, tmp_path_factory):
    """The report on two runs; the second has no picture of its last epoch."""
    first, second = (
        shutil.copytree(hostile_run, tmp_path_factory.mktemp("page") / name)
        for name in (HOSTILE, "second")
    )
    change_options(second, seed=7)
    for domain in "ab":
        (second / "samples" / f"epoch-0002-{domain}.png").unlink()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(scoring, "_network_if_possible", lambda *_: None)
        write(first, second, paired=True)
    return first / "report.html"


def change_options(run_dir, **changed):
    recorded = run_directory.read_config(run_dir)
    options = dataclasses.replace(recorded.options, **changed)
    run_directory.write_config(run_dir, recorded._replace(options=options))


def write(*run_dirs, **options):
    paths = [str(path) for path in run_dirs]
    return report.write(EvaluateConfig(paths, report=True, **options))


class Page(html.parser.HTMLParser):
    """The elements of a page as `(tag, attributes)`, and its text."""

    def __init__(self, path):
        super().__init__()
        self.elements, self.text = [], []
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))

    def handle_data(self, data):
        self.text.append(data.strip())

    def attributes(self, tag):
        return [attributes for name, attributes in self.elements if name == tag]


# The file.


def test_page_is_small_and_whole(page_path):
    assert page_path.stat().st_size < 10e6
    page = Page(page_path)
    assert not page.attributes("link") and not page.attributes("iframe")
    for tag, attributes in page.elements:
        for name, value in attributes.items():
            if name in ("src", "href"):
                assert value.startswith(("data:image/", "#")), (tag, name)
        if tag == "img":
            assert attributes["alt"]
    assert not list(page_path.parent.glob(".partial-*"))


def test_hostile_names_are_text(page_path):
    page = Page(page_path)
    assert page.text.count(HOSTILE) >= 3  # the run and its dataset
    assert f"testA/004{HOSTILE}.png" in page.text
    assert len(page.attributes("script")) == 1
    for _, attributes in page.elements:
        assert not [name for name in attributes if name.startswith("on")]


def test_page_names_no_place_on_the_machine(page_path, hostile_run):
    assert str(hostile_run.parent.parent) not in page_path.read_text(encoding="utf-8")


def test_runs_stand_side_by_side(page_path):
    page = Page(page_path)
    assert "second" in page.text
    for entry in json.loads((page_path.parent / "scores.json").read_text())[
        "evaluations"
    ][-1]["scores"]:
        # Of both runs, which have the same generators.
        value = f"{entry['scores']['cycle_mae']:.2f}"
        assert page.text.count(value) >= 2
        assert entry["protocol"]["compared_with"] in " ".join(page.text)
    charts = [image["alt"] for image in page.attributes("img")]
    assert {"G over the epochs", "cycle_mae over the epochs"} <= set(charts)
    assert "differs" in [
        attributes.get("class") for attributes in page.attributes("tr")
    ]


def test_other_protocols_do_not_compare(run_dir, tmp_path, no_weights):
    other = shutil.copytree(run_dir, tmp_path / "other")
    change_options(other, image_size=16)
    write(run_dir, other)
    page = Page(run_dir / "report.html")
    text = " ".join(page.text)
    assert "value best" not in [cell.get("class") for cell in page.attributes("td")]
    assert "to 16x16" in text and "to 32x32" in text


def test_other_images_do_not_compare(run_dir, tmp_path, no_weights):
    for split, count in (("trainA", 2), ("trainB", 2), ("testA", 5), ("testB", 5)):
        write_images(tmp_path / "other images" / split, count)
    config = tiny_config(tmp_path, dataset=str(tmp_path / "other images"))
    other = dataclasses.replace(config, run_dir=str(tmp_path / "other"))
    write(run_dir, write_run(other, tiny_model().generators))
    page = Page(run_dir / "report.html")
    assert page.text.count("doing nothing") == 4
    assert "value best" not in [cell.get("class") for cell in page.attributes("td")]


def test_run_without_its_images_is_shown_with_what_is_left(
    run_dir, tmp_path, no_weights, capsys
):
    change_options(run_dir, dataset="gone", data_dir=str(tmp_path / "d"))
    before = (run_dir / "scores.json").read_bytes()
    text = write(run_dir)
    assert "going on with what" in capsys.readouterr().err
    assert text.startswith(str(run_dir / "report.html"))
    page = " ".join(Page(run_dir / "report.html").text)
    # The scores are those of the end of training.
    assert "images that it is scored on are not there" in page
    assert "5 images of testB" in page
    assert (run_dir / "scores.json").read_bytes() == before


def test_run_without_test_images_is_shown_beside_others(
    run_dir, tmp_path, no_weights, capsys
):
    for split in ("trainA", "trainB"):
        write_images(tmp_path / "few" / split, 1)
    config = tiny_config(tmp_path, dataset=str(tmp_path / "few"))
    other = dataclasses.replace(config, run_dir=str(tmp_path / "other"))
    write(run_dir, write_run(other, tiny_model().generators))
    assert "few has no test images; try --split train" in capsys.readouterr().err
    assert "5 images of testB" in " ".join(Page(run_dir / "report.html").text)


def test_imported_run_has_a_page(tmp_path, no_weights):
    config = tiny_config(tmp_path, dataset="unknown")
    models = {"b_to_a": tiny_model().generators["b_to_a"]}
    run_dir = write_run(config, models, step=None)
    write(run_dir)
    page = " ".join(Page(run_dir / "report.html").text)
    for part in ("imported", "Not scored", "No epoch", "drawn no samples"):
        assert part in page


def test_page_stays_below_its_limit_with_many_pictures(hostile_run):
    config = EvaluateConfig([str(hostile_run)], report=True)
    runs = []
    large = random_pixels(1200, 1200)
    noise = np.random.default_rng(0).normal(0, 10, large.shape)
    sheet = np.uint8(np.clip(large + noise, 0, 255))
    for _ in range(MAX_COMPARED_RUNS):
        run = report._read_run(hostile_run, "run", "#000000", config)
        run.samples = {domain: dict.fromkeys(range(3), sheet) for domain in "ab"}
        runs.append(run)
    assert 5e5 < len(report.render(runs, config).encode()) < 10e6


def test_names_that_are_no_text_are_replaced(hostile_run):
    config = EvaluateConfig([str(hostile_run)], report=True)
    run = report._read_run(hostile_run, "caf\udce9", "#000000", config)
    assert "<title>caf? –" in report.render([run], config)


# What is on it.


def test_picture_that_cannot_be_read_is_left_out(run_dir, capsys):
    (run_dir / "samples" / "epoch-0001-a.png").write_bytes(b"nothing")
    config = EvaluateConfig([str(run_dir)], report=True)
    run = report._read_run(run_dir, "run", "#000000", config)
    assert [list(run.samples[domain]) for domain in "ab"] == [[2], [1, 2]]
    assert "going on without a picture" in capsys.readouterr().err


def test_long_runs_show_some_epochs_the_first_and_the_last(run_dir):
    samples = run_dir / "samples"
    for epoch in range(3, 101):
        shutil.copy(samples / "epoch-0001-a.png", samples / f"epoch-{epoch:04d}-a.png")
    first, *others, last = report._read_samples(samples, "a", limit=12)
    assert (first, len(others), last) == (1, 10, 100)


# In a browser.


@pytest.fixture(scope="module")
def browser(page_path, tmp_path_factory):
    """Chromium without a window, with the page open."""
    with chromium(tmp_path_factory.mktemp("chrome")) as driver:
        driver.get(page_path.as_uri())
        yield driver


def shown(browser):
    """What is seen of A in each run: alternative text and picture."""
    return browser.execute_script(
        "return [...document.querySelectorAll('.sheet img[alt^=\"samples of A\"]')]"
        ".filter(image => image.checkVisibility() && image.naturalWidth > 0)"
        ".map(image => [image.alt, image.src])"
    )


def test_slider_shows_another_epoch(browser):
    from selenium.webdriver.common.keys import Keys

    at_last = shown(browser)
    # The second run has no picture of its last epoch: the one before is said to be it.
    assert [alt[-7:] for alt, _ in at_last] == ["epoch 2", "epoch 1"]
    captions = [x.text for x in browser.find_elements("class name", "epoch")]
    assert captions == ["2", "2", "1", "1"]
    browser.find_element("id", "epoch").send_keys(Keys.ARROW_LEFT)
    at_first = shown(browser)
    assert [alt[-7:] for alt, _ in at_first] == ["epoch 1"] * 2
    assert at_first[0][1] != at_last[0][1] and at_first[1][1] == at_last[1][1]
    assert browser.find_element("id", "shown").text == "1"


@pytest.mark.parametrize("width", [1400, 400])
def test_page_is_as_wide_as_the_window(browser, width):
    browser.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride",
        {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False},
    )
    widths = browser.execute_script(
        "return [innerWidth, document.documentElement.scrollWidth]"
    )
    assert widths == [width, width]


def test_nothing_is_fetched_and_nothing_fails(browser, page_path):
    browser.get_log("performance")  # what Chromium itself did when it started
    browser.refresh()
    assert browser.get_log("browser") == []
    requests = requested(browser)
    pictures = {url for url in requests if url.startswith("data:image/")}
    assert pictures
    assert requests - pictures == {page_path.as_uri()}
    assert browser.execute_script(
        "return [...document.images].every(image => image.naturalWidth > 0)"
    )


def test_policy_stops_what_is_not_the_pages(browser):
    assert not browser.execute_script(
        "const script = document.createElement('script');"
        "script.textContent = 'window.hostile = true';"
        "document.body.append(script);"
        "return window.hostile === true"
    )
    browser.get_log("browser")  # takes what this logged

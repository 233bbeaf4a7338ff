"""One page on one run, or on several side by side: `report.html`.

It is a single file that fetches nothing, and that can be mailed. Names of images and
runs may hold anything; jinja2 escapes all of them, and by the page's content security
policy only the script in `report.js` runs.
"""

import base64
import collections
import dataclasses
import hashlib
import io
import itertools
import json
import pathlib
from typing import Any

import jinja2
import numpy as np
from markupsafe import Markup
from PIL import Image

import cyclegan_tf
from cyclegan_tf.common.console import say, show
from cyclegan_tf.common.errors import InputError
from cyclegan_tf.common.files import write_text
from cyclegan_tf.config import EvaluateConfig, flag
from cyclegan_tf.data.shards import names_of
from cyclegan_tf.data.sources.tfds import in_words
from cyclegan_tf.evaluation import pictures, scoring
from cyclegan_tf.evaluation.rankings import RANKINGS, Ranking
from cyclegan_tf.evaluation.results import (
    DOMAINS,
    DirectionScores,
    recorded,
    score_text,
)
from cyclegan_tf.evaluation.scores import SCORES
from cyclegan_tf.runs import history
from cyclegan_tf.runs.generators import Trained
from cyclegan_tf.runs.run_dir import RunDir

REPORT = "report.html"
HERE = pathlib.Path(__file__).parent
# Epochs with samples, of all runs together; of longer runs evenly chosen ones.
MAX_EPOCHS = 24
# Of all sheets of samples, and of all pictures of best and worst images: as JPEG in
# text, they take less than 10 MB together.
MAX_PIXELS = 5_000_000
MAX_RANKED = 96  # pictures of a run's best and worst images
QUALITY = 75
# Dark enough to be read on white.
COLOURS = "#1f5fa8 #c1440e #2e7d32 #7b3fa0 #8a6d00 #0f7c85 #b0256f #555555".split()
# Columns of `metrics.csv` that share a chart differ in these ends.
ENDS = (("_A", "_B"), tuple(f"_{direction}" for direction in DOMAINS))
# The ends of an interval are not better or worse.
INTERVAL = ("kid_low", "kid_high")


@dataclasses.dataclass
class Run:
    """What the page shows of a run."""

    opened: RunDir
    trained: Trained  # the checkpoint that is scored
    name: str
    colour: str  # of its curves
    epochs: list[dict[str, float]]  # rows of `metrics.csv`
    samples: dict[str, dict[int, np.ndarray]]  # sheets by domain and epoch
    # By direction: scores, rankings by name, and names of the test images.
    results: dict[str, DirectionScores] = dataclasses.field(default_factory=dict)
    rankings: dict[str, dict[str, Ranking]] = dataclasses.field(
        default_factory=lambda: collections.defaultdict(_new_rankings)
    )
    names: dict[str, list[str]] = dataclasses.field(default_factory=dict)
    scored_on: str | None = None  # fingerprint of the dataset, if that is known
    missing: str = ""  # why it has no scores or no pictures of test images

    @property
    def options(self) -> dict[str, Any]:
        """Those that it was trained with, by flag."""
        shown = self.opened.options.shown()
        return {flag(option): value for option, value in shown.items()}


def _new_rankings():
    return {name: Ranking(pair) for name, pair in RANKINGS.items()}


def write(config: EvaluateConfig) -> str:
    """Scores the runs and writes the page into the directory of the first.

    A run whose images are gone, or that has no test images, is shown with what its
    directory holds. Returns where the page is, and its size.
    """
    paths = config.run_dirs
    names = [path.resolve().name for path in paths]
    if len(set(names)) < len(names):
        names = map(str, paths)
    # All are read before any is scored: what is wrong shows at once.
    places = zip(paths, names, COLOURS, strict=False)
    runs = [_read_run(*place, config) for place in places]
    for run in runs:
        _score(run, config)
    page = render(runs, config)
    write_text(paths[0] / REPORT, page)
    return f"{paths[0] / REPORT}, {len(page.encode()) / 1e6:.1f} MB"


def _read_run(path, name, colour, config):
    opened = RunDir.open(path, config.data_dir)
    trained = opened.generators(config.checkpoint, config.weights)
    limit = max(2, MAX_EPOCHS // len(config.run_dir))
    samples = {
        domain: _read_samples(path / "samples", domain, limit) for domain in "ab"
    }
    rows = history.read_history(path / history.METRICS)
    return Run(opened, trained, name, colour, rows, samples)


def _read_samples(folder, domain, limit):
    """Sheets by epoch, of evenly chosen epochs with the first and the last."""
    paths = sorted(folder.glob(f"epoch-[0-9]*-{domain}.png"))
    samples = {}
    for i in np.linspace(0, len(paths) - 1, min(len(paths), limit)):
        path = paths[round(i)]
        try:
            samples[int(path.stem.split("-")[1])] = pictures.read_png(path)
        except InputError as error:
            say(f"going on without a picture: {error}")
    return samples


def _score(run, config):
    """Adds the scores, which are shown, and the best and worst images."""

    def rank(direction, batch):
        for ranking in run.rankings[direction].values():
            ranking.add(batch)

    try:
        run.opened.convert_if_never()
        images = run.opened.images(config.split)
        scoring.require_images(run.opened.dataset.directory, images.values())
    except InputError as error:
        say(f"going on with what {run.opened.path} holds: {error}")
        run.missing = "The images that it is scored on are not there."
        earlier = run.opened.scores(*run.trained[1:])
        entries = earlier[-1]["scores"] if earlier else []
        scored = [recorded(DirectionScores, entry) for entry in entries]
        run.scored_on = run.opened.fingerprint
    else:
        run.scored_on = run.opened.dataset.fingerprint
        scored, table = scoring.score(run.opened, run.trained, config, rank)
        show(f"{table}\n")
        for direction, (source, _) in DOMAINS.items():
            names = names_of(images[source])
            run.names[direction] = list(map(in_words, names))
    run.results = {result.direction: result for result in scored}


def render(runs: list[Run], config: EvaluateConfig) -> str:
    """The page as HTML."""
    script = (HERE / "report.js").read_text(encoding="utf-8")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(HERE),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["number"] = score_text
    environment.filters["jpeg"] = _jpeg
    drawn = [epochs for run in runs for epochs in run.samples.values()]
    page = environment.get_template("report.html.jinja").render(
        runs=runs,
        checkpoint=config.checkpoint,
        version=cyclegan_tf.__version__,
        script=Markup(script),
        script_hash=f"sha256-{digest}",
        score_tables=_score_tables(runs),
        charts=_charts(runs),
        num_sheets=sum(map(len, drawn)),
        num_ranked=MAX_RANKED * len(runs),
        epochs=sorted({epoch for epochs in drawn for epoch in epochs}),
        hottest=round(pictures.HOTTEST),
        scale=pictures.error_map(np.linspace(0, pictures.HOTTEST, 128)[None]),
    )
    # Names of files need not be text.
    return page.encode("utf-8", "replace").decode()


def _score_tables(runs):
    """Runs of one protocol and dataset share a table.

    That is its direction, protocol, runs, and rows.

    A row is a score, its values of the runs, the best one, and that of doing nothing.
    """
    groups = {}
    for direction, run in itertools.product(DOMAINS, runs):
        if direction in run.results:
            protocol = json.dumps(run.results[direction].protocol)
            key = direction, protocol, run.scored_on
            groups.setdefault(key, []).append(run)
    tables = []
    for (direction, protocol, _), alike in groups.items():
        nothing = alike[0].results[direction].nothing
        rows = []
        for score in SCORES:
            values = [run.results[direction].scores.get(score.name) for run in alike]
            known = [value for value in values if value is not None]
            best = None
            if len(known) > 1 and score.name not in INTERVAL:
                best = (max if score.is_higher_better else min)(known)
            if known:
                rows.append((score, values, best, nothing.get(score.name)))
        tables.append((direction, protocol, alike, rows))
    return tables


def _charts(runs):
    """Charts as SVG in data URIs, by the measure that they show both ends of."""
    columns = dict.fromkeys(name for run in runs for row in run.epochs for name in row)
    measures = dict.fromkeys(
        (name.removesuffix(end), ends)
        for name in columns
        for ends in ENDS
        for end in ends
        if name.endswith(end) and name.removesuffix(end) not in INTERVAL
    )
    charts = {}
    for measure, ends in measures:
        curves = [
            (run.epochs, measure + end, run.colour, style)
            for run in runs
            for end, style in zip(ends, ("-", "--"), strict=True)
        ]
        charts[measure] = _data_uri("svg+xml", pictures.chart(curves))
    return charts


def _jpeg(pixels, number):
    """A picture, one of so many, as a data URI; made smaller where it is large."""
    image = Image.fromarray(pixels)
    side = (MAX_PIXELS / number) ** 0.5
    image.thumbnail((side, side))
    buffer = io.BytesIO()
    # Full resolution of the colours: thin stripes would lose theirs.
    image.save(buffer, "JPEG", quality=QUALITY, subsampling=0)
    return _data_uri("jpeg", buffer.getvalue())


def _data_uri(kind, content):
    return f"data:image/{kind};base64,{base64.b64encode(content).decode()}"

"""One page on one run, or on several side by side: `report.html`.

The page is a single file that fetches nothing, and that can be mailed. The names
of images and runs may hold anything; jinja2 escapes all of them, and by the page's
content security policy only the script in `report.js` runs.
"""

import base64
import dataclasses
import functools
import hashlib
import io
import math
import pathlib
from typing import Any

import jinja2
import numpy as np
from markupsafe import Markup
from PIL import Image

import cyclegan_tf
from cyclegan_tf.common.console import say
from cyclegan_tf.common.errors import InputError
from cyclegan_tf.common.files import write_text
from cyclegan_tf.config import EvaluateConfig, flag
from cyclegan_tf.data import pipeline
from cyclegan_tf.evaluation import pictures
from cyclegan_tf.evaluation import scores as run_scores
from cyclegan_tf.evaluation.rankings import Rankings
from cyclegan_tf.evaluation.results import (
    DOMAINS,
    SCORES,
    DirectionScores,
    score_text,
)
from cyclegan_tf.runs import directory as run_directory
from cyclegan_tf.runs import generators, history

REPORT = "report.html"
HERE = pathlib.Path(__file__).parent
MAX_BYTES = 10_000_000
# Of the JPEG pictures: the first that the page is small enough with.
QUALITIES = (85, 60, 30)
MAX_SIDE = 160  # of the pictures, in pixels
# Epochs in the gallery, of all runs together; of longer runs evenly chosen ones.
MAX_EPOCHS = 24
# Dark enough to be read on white.
COLOURS = "#1f5fa8 #c1440e #2e7d32 #7b3fa0 #8a6d00 #0f7c85 #b0256f #555555".split()
# The columns of the grids in samples/, see `pictures.sample_grid`.
VIEWS = ("real", "translated", "translated back", "identity")
# Columns of `metrics.csv` that share a chart differ in these ends.
PAIRS = {"Losses": ("_A", "_B"), "Scores": tuple(f"_{name}" for name in DOMAINS)}
# The ends of an interval are not better or worse.
INTERVAL = ("kid_low", "kid_high")


@dataclasses.dataclass
class Run:
    """What the page shows of a run.

    Attributes:
        path, name: of its directory.
        colour: of its curves.
        step: of the checkpoint that is scored, None of imported models.
        options: that it was trained with, by flag.
        epochs: rows of `metrics.csv`; none of imported models.
        samples: uint8 `(rows, columns, side, side, 3)` by domain and epoch.
        results: the scores by direction.
        rankings, names: of the test images; the names by direction.
        missing: why it has no scores or no pictures of test images.
    """

    path: pathlib.Path
    name: str
    colour: str
    step: int | None
    options: dict[str, Any]
    epochs: list[dict[str, float]]
    samples: dict[str, dict[int, np.ndarray]]
    results: dict[str, DirectionScores] = dataclasses.field(default_factory=dict)
    rankings: Rankings = dataclasses.field(default_factory=Rankings)
    names: dict[str, list[str]] = dataclasses.field(default_factory=dict)
    missing: str = ""


def write(config: EvaluateConfig) -> str:
    """Scores the runs and writes the page into the directory of the first.

    A run whose images are gone is shown with what its directory holds.

    Returns:
        The scores as lines of text, and where the page is.

    Raises:
        InputError: something the user can mend.
    """
    paths = config.run_dirs
    names = [path.resolve().name for path in paths]
    if len(set(names)) < len(names):
        names = [str(path) for path in paths]
    # All are read before any is scored: what is wrong shows at once.
    runs = [
        _read_run(*place, config)
        for place in zip(paths, names, COLOURS[: len(paths)], strict=True)
    ]
    tables = [_score(run, config) for run in runs]
    page = render(runs, config)
    write_text(paths[0] / REPORT, page)
    written = f"{paths[0] / REPORT}, {len(page.encode()) / 1e6:.1f} MB"
    return "\n\n".join([*filter(None, tables), written])


def _read_run(path, name, colour, config):
    options, _ = run_directory.read_config(path)
    _, step = generators.load(path, config.checkpoint)
    return Run(
        path,
        name,
        colour,
        step,
        {flag(name): value for name, value in options.shown().items()},
        history.read(path / "metrics.csv"),
        {
            domain: _read_samples(
                sorted((path / "samples").glob(f"epoch-[0-9]*-{domain}.png")),
                options.image_size,
                max(2, MAX_EPOCHS // len(config.run_dir)),
            )
            for domain in "ab"
        },
    )


def _read_samples(paths, image_size, limit):
    """By epoch the pictures of some, evenly chosen, with the first and the last."""
    count = min(len(paths), limit)
    samples = {}
    for path in [paths[round(i)] for i in np.linspace(0, len(paths) - 1, count)]:
        try:
            cells = pictures.grid_cells(path, len(VIEWS), image_size)
            samples[int(path.stem.split("-")[1])] = cells
        except InputError as error:
            say(f"going on without a picture: {error}")
    return samples


def _score(run, config):
    """Adds the scores and the best and worst images; returns the table."""
    try:
        run_scores.find_dataset(run.path, config)
    except InputError as error:
        say(f"going on with what {run.path} holds: {error}")
        run.missing = "The images that it is scored on are not there."
        earlier = [e for e in run_scores.read(run.path) if e["step"] == run.step]
        results = [DirectionScores(**x) for e in earlier[-1:] for x in e["scores"]]
        table = ""
    else:
        run.step, results, table, splits = run_scores.score(
            run.path, config, run.rankings.add
        )
        for direction, (source, _) in DOMAINS.items():
            run.names[direction] = pipeline.load_names(splits[source])
    run.results = {result.direction: result for result in results}
    return table


def render(runs: list[Run], config: EvaluateConfig) -> str:
    """The page as HTML.

    Raises:
        InputError: it would be too large.
    """
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
    template = environment.get_template("report.html.jinja")
    content = {
        "runs": runs,
        "config": config,
        "version": cyclegan_tf.__version__,
        "script": Markup(script),
        "script_hash": f"sha256-{digest}",
        "score_tables": _score_tables(runs),
        "charts": _charts(runs),
        "views": VIEWS,
        "gallery": {domain: _gallery(runs, domain) for domain in "ab"},
        "epochs": sorted({e for run in runs for x in run.samples.values() for e in x}),
        "hottest": round(pictures.HOTTEST),
        "scale": pictures.error_map(np.linspace(0, pictures.HOTTEST, 128)[None]),
    }
    for quality in QUALITIES:
        page = template.render(content, jpeg=functools.partial(_jpeg, quality=quality))
        # Names of files need not be text.
        encoded = page.encode("utf-8", "replace")
        if len(encoded) <= MAX_BYTES:
            return encoded.decode()
    raise InputError(
        f"The report would be larger than {MAX_BYTES // 10**6} MB; give fewer runs."
    )


def _score_tables(runs):
    """Of each direction the runs with scores, whether they compare, and the rows."""
    tables = {}
    for direction in DOMAINS:
        scored = [run for run in runs if direction in run.results]
        results = [run.results[direction] for run in scored]
        is_comparable = all(r.protocol == results[0].protocol for r in results)
        rows = []
        for score in SCORES:
            values = [result.scores.get(score.name) for result in results]
            known = [v for v in values if v is not None and math.isfinite(v)]
            best = None
            if is_comparable and len(known) > 1 and score.name not in INTERVAL:
                best = (max if score.is_higher_better else min)(known)
            if any(value is not None for value in values):
                rows.append((score, values, best))
        if scored:
            tables[direction] = {
                "runs": scored,
                "is_comparable": is_comparable,
                # The same images, the same scores of doing nothing.
                "distinct": scored[:1] if is_comparable else scored,
                "rows": rows,
            }
    return tables


def _charts(runs):
    """`(title, description, SVG as a data URI)` of each measure, by group."""
    known = dict.fromkeys(name for run in runs for row in run.epochs for name in row)
    groups = {}
    for group, ends in PAIRS.items():
        measures = dict.fromkeys(
            name.removesuffix(end)
            for name in known
            for end in ends
            if name.endswith(end)
        )
        groups[group] = [
            (measure, *_chart(runs, [measure + end for end in ends]))
            for measure in measures
            if measure not in INTERVAL
        ]
    return groups


def _chart(runs, columns):
    curves, description = [], []
    for run in runs:
        for is_dashed, column in enumerate(columns):
            rows = [row for row in run.epochs if math.isfinite(row.get(column, np.nan))]
            if rows:
                x, y = ([row[name] for row in rows] for name in ("epoch", column))
                curves.append(pictures.Curve(x, y, run.colour, bool(is_dashed)))
                first, last = score_text(y[0]), score_text(y[-1])
                description.append(f"{run.name}: {column} from {first} to {last}")
    svg = base64.b64encode(pictures.chart(curves)).decode()
    return "; ".join(description), f"data:image/svg+xml;base64,{svg}"


def _gallery(runs, domain):
    """By image the runs that have drawn it, each with its row of pictures by epoch."""
    images = {}
    for run in runs:
        for epoch, cells in run.samples[domain].items():
            for number, row in enumerate(cells):
                own = images.setdefault(number, {})
                own.setdefault(run.name, (run, {}))[1][epoch] = row
    return images


def _jpeg(pixels, quality):
    """A picture as a data URI, made smaller where it is large."""
    image = Image.fromarray(pixels)
    image.thumbnail((MAX_SIDE, MAX_SIDE))
    buffer = io.BytesIO()
    # Full resolution of the colours: thin stripes would lose theirs.
    image.save(buffer, "JPEG", quality=quality, subsampling=0)
    return f"data:image/jpeg;base64,{base64.b64encode(buffer.getvalue()).decode()}"

"""One page on one run, or on several side by side: `report.html`.

The page is a single file that fetches nothing, and that can be mailed. The names
of images and runs may hold anything; jinja2 escapes all of them, and by the page's
content security policy only the script in `report.js` runs.

The charts are SVG files by matplotlib, which is here anyway: a library of interactive
ones would add 4 MB to every page, for curves that have a table beside them.
"""

import base64
import csv
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
from cyclegan_tf.config.losses import LOSSES
from cyclegan_tf.data import pipeline
from cyclegan_tf.evaluation import pictures
from cyclegan_tf.evaluation import scores as run_scores
from cyclegan_tf.evaluation.evaluator import (
    DOMAINS,
    DirectionScores,
    flat_name,
    score_text,
)
from cyclegan_tf.evaluation.pictures import HOTTEST
from cyclegan_tf.evaluation.rankings import Rankings
from cyclegan_tf.runs import checkpoint, generators
from cyclegan_tf.runs import directory as run_directory

REPORT = "report.html"
HERE = pathlib.Path(__file__).parent
MAX_BYTES = 10_000_000
# Of the JPEG pictures: the first that the page is small enough with.
QUALITIES = (85, 60, 30)
MAX_SIDE = 160  # of the pictures, in pixels
# Epochs in the gallery, of all runs together; of longer runs evenly chosen ones.
MAX_EPOCHS = 24
# Dark enough to be read on white.
COLOURS = (
    *("#1f5fa8", "#c1440e", "#2e7d32", "#7b3fa0"),
    *("#8a6d00", "#0f7c85", "#b0256f", "#555555"),
)
# What a column of a panel of samples shows, as `callbacks.Samples` draws it.
VIEWS = {"fake": "translated", "cycled": "translated back", "identity": "identity"}


@dataclasses.dataclass
class Run:
    """What the page shows of a run.

    Attributes:
        name: of its directory.
        colour: of its curves.
        step: of the checkpoint that is scored, None of imported models.
        options: that it was trained with, by flag.
        epochs: rows of `metrics.csv` as numbers; none of imported models.
        samples: panels' cells `(rows, columns, side, side, 3)` by domain and epoch.
        results: the scores of each direction.
        rankings: of the test images.
        names: of the test images by direction.
        missing: why it has no scores or no pictures of test images.
    """

    name: str
    colour: str
    step: int | None
    options: dict[str, Any]
    epochs: list[dict[str, float]]
    samples: dict[str, dict[int, np.ndarray]]
    results: list[DirectionScores] = dataclasses.field(default_factory=list)
    rankings: Rankings = dataclasses.field(default_factory=Rankings)
    names: dict[str, list[str]] = dataclasses.field(default_factory=dict)
    missing: str = ""

    def result(self, direction: str) -> DirectionScores | None:
        """The scores of a direction, if there are any."""
        return next((r for r in self.results if r.direction == direction), None)


def write(config: EvaluateConfig) -> str:
    """Scores the runs and writes the page into the directory of the first.

    A run whose images are gone is shown with what its directory holds.

    Returns:
        The scores as lines of text, and where the page is.

    Raises:
        InputError: something the user can mend.
    """
    names = _names(config.run_dirs)
    # All are read before any is scored: what is wrong shows at once.
    runs = [
        _read_run(path, name, colour, config)
        for path, name, colour in zip(config.run_dirs, names, COLOURS, strict=False)
    ]
    tables = [
        _score(run, path, config)
        for run, path in zip(runs, config.run_dirs, strict=True)
    ]
    page = render(runs, config)
    path = config.run_dirs[0] / REPORT
    write_text(path, page)
    size = len(page.encode()) / 1e6
    return "\n\n".join([*filter(None, tables), f"{path}, {size:.1f} MB"])


def _names(paths):
    """What the runs are called: the name of the directory, where it says enough."""
    names = [path.resolve().name for path in paths]
    if len(set(names)) < len(names):
        names = [str(path) for path in paths]
    return names


def _read_run(path, name, colour, config):
    options, _ = run_directory.read_config(path)
    run_directory.require_own_models(path)
    if config.checkpoint != generators.LAST:
        checkpoint.find(path / generators.CHECKPOINTS, config.checkpoint)
    return Run(
        name,
        colour,
        generators.step_of(path, config.checkpoint),
        {flag(name): value for name, value in options.shown().items()},
        _read_epochs(path / "metrics.csv"),
        {
            domain: _read_samples(path / "samples", domain, len(config.run_dir))
            for domain in "ab"
        },
    )


def _read_epochs(path):
    if not path.exists():
        return []
    try:
        with path.open(newline="", encoding="utf-8") as file:
            rows = [
                {name: float(value) for name, value in row.items() if value}
                for row in csv.DictReader(file)
            ]
        for row in rows:
            row["epoch"] = int(row["epoch"])
    except (ValueError, KeyError, TypeError, csv.Error) as error:
        reason = f"{type(error).__name__}: {error}"
        raise InputError(f"{path} is damaged ({reason}).") from None
    return rows


def _read_samples(folder, domain, num_runs):
    """The cells of some epochs' panels, evenly chosen, with the first and the last."""
    paths = sorted(folder.glob(f"epoch-[0-9]*-{domain}.png"))
    count = min(len(paths), max(2, MAX_EPOCHS // num_runs))
    chosen = [paths[round(i)] for i in np.linspace(0, len(paths) - 1, count)]
    other = {"a": "B", "b": "A"}[domain]
    headings = [
        *(f"real {domain.upper()}", f"fake {other}"),
        *(f"{view} {domain.upper()}" for view in ("cycled", "identity")),
    ]
    samples = {}
    for path in chosen:
        try:
            cells = pictures.panel_cells(path, headings)
            samples[int(path.stem.split("-")[1])] = cells
        except (InputError, ValueError) as error:
            say(f"going on without a picture: {error}")
    return samples


def _score(run, path, config):
    """Adds the scores and the best and worst images; returns the table."""
    try:
        run_scores.find_dataset(path, config)
    except InputError as error:
        say(f"going on with what {path} holds: {error}")
        run.missing = "The images that it is scored on are not there."
        run.results = _earlier_results(path, run.step)
        return ""
    scored = run_scores.score(path, config, run.rankings.add)
    run.step, run.results = scored.step, scored.results
    for direction, (source, _) in DOMAINS.items():
        run.names[direction] = pipeline.load_names(scored.evaluator.splits[source])
    return scored.table


def _earlier_results(path, step):
    evaluations = [e for e in run_scores.read(path) if e["step"] == step]
    try:
        return [DirectionScores(**x) for e in evaluations[-1:] for x in e["scores"]]
    except TypeError:  # of another version
        return []


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
    for quality in QUALITIES:
        page = template.render(
            jpeg=functools.partial(_jpeg, quality=quality),
            runs=runs,
            config=config,
            version=cyclegan_tf.__version__,
            script=Markup(script),
            script_hash=f"sha256-{digest}",
            score_tables=_score_tables(runs),
            charts=_charts(runs),
            gallery=_gallery(runs),
            options=_options(runs),
            views=VIEWS,
            ranking_names={
                "cycle_mae": "error of the round trip",
                "truth_mae": "error to the truth",
            },
            hottest=round(HOTTEST),
            scale=pictures.error_map(np.linspace(0, HOTTEST, 128)[None]),
        )
        # Names of files need not be text.
        encoded = page.encode("utf-8", "replace")
        if len(encoded) <= MAX_BYTES:
            return encoded.decode()
    raise InputError(
        f"The report would be larger than {MAX_BYTES // 10**6} MB; give fewer runs."
    )


def _score_tables(runs):
    """Of each direction the rows, the protocols, and whether they are all the same."""
    tables = {}
    for direction in DOMAINS:
        results = [run.result(direction) for run in runs]
        present = [result for result in results if result is not None]
        if not present:
            continue
        protocols = [result.protocol for result in present]
        is_comparable = all(protocol == protocols[0] for protocol in protocols)
        rows = {}
        for name in dict.fromkeys(name for r in present for name in r.scores):
            values = [None if r is None else r.scores.get(name) for r in results]
            is_higher_better = name.endswith(("ssim", "psnr"))
            known = [v for v in values if v is not None and math.isfinite(v)]
            rows[name] = {
                "values": values,
                "nothing": [
                    None if r is None else r.nothing.get(name) for r in results
                ],
                "is_higher_better": is_higher_better,
                "best": (max if is_higher_better else min)(known)
                if is_comparable and len(known) > 1 and "kid_" not in name
                else None,
            }
        tables[direction] = {
            "rows": rows,
            "is_comparable": is_comparable,
            # The same images, the same scores of doing nothing: one column.
            "num_nothing": 1 if is_comparable else len(runs),
            "protocols": [
                (run.name, _flat(result.protocol))
                for run, result in zip(runs, results, strict=True)
                if result is not None
            ],
        }
    return tables


def _flat(protocol, prefix=""):
    """Nested entries as `(name, value)`."""
    entries = []
    for name, value in protocol.items():
        if isinstance(value, dict):
            entries += _flat(value, f"{prefix}{name}: ")
        else:
            entries.append((prefix + name, value))
    return entries


def _charts(runs):
    """`(group, title, description, SVG as a data URI)` of each measure."""
    names = dict.fromkeys(name for run in runs for row in run.epochs for name in row)
    pairs = {
        kind: (f"{kind}_A", f"{kind}_B")
        for kind in ("G", "cycle", "identity", "D")
        if {f"{kind}_A", f"{kind}_B"} <= {*LOSSES} & {*names}
    }
    groups = {"Losses": pairs, "Scores": {}}
    first, second = DOMAINS
    for name in names:
        measure = name.removesuffix(f"_{first}").removesuffix(f"_{second}")
        if measure not in (name, "kid_low", "kid_high"):
            columns = (flat_name(measure, first), flat_name(measure, second))
            groups["Scores"][measure] = columns
    return {
        group: [(title, *_chart(runs, columns)) for title, columns in measures.items()]
        for group, measures in groups.items()
        if measures
    }


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


def _gallery(runs):
    """The samples by domain, row and run, each with the places of the epoch slider.

    A run that has no picture of an epoch shows its latest one before it.
    """
    epochs = sorted({e for run in runs for x in run.samples.values() for e in x})
    domains = {}
    for domain in "ab":
        num_rows = max(
            (len(c) for run in runs for c in run.samples[domain].values()), default=0
        )
        domains[domain] = [
            [(run, _frames(run.samples[domain], row, epochs)) for run in runs]
            for row in range(num_rows)
        ]
    return {"epochs": epochs, "domains": domains}


def _frames(samples, row, epochs):
    """`(epoch, first place, place after the last, cells)` of a row of samples."""
    own = [epoch for epoch in sorted(samples) if row < len(samples[epoch])]
    starts = [0, *(epochs.index(epoch) for epoch in own[1:])]
    ends = [*starts[1:], len(epochs)]
    return [
        (
            epoch,
            start,
            end,
            dict(zip(("real", *VIEWS), samples[epoch][row], strict=True)),
        )
        for epoch, start, end in zip(own, starts, ends, strict=False)
    ]


def _options(runs):
    """`(flag, values, whether they differ)` of each option."""
    rows = []
    for name in runs[0].options:
        values = ["" if (v := run.options[name]) is None else str(v) for run in runs]
        rows.append((name, values, len(set(values)) > 1))
    return rows


def _jpeg(pixels, quality):
    """A picture as a data URI, made smaller where it is large."""
    image = Image.fromarray(pixels)
    image.thumbnail((MAX_SIDE, MAX_SIDE))
    buffer = io.BytesIO()
    # Full resolution of the colours: thin stripes would lose theirs.
    image.save(buffer, "JPEG", quality=quality, subsampling=0)
    return f"data:image/jpeg;base64,{base64.b64encode(buffer.getvalue()).decode()}"

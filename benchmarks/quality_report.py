"""What `quality.py` found: a table in Markdown, and a sheet of pictures."""

import statistics

import numpy as np
from matplotlib.figure import Figure
from PIL import Image, ImageDraw

COLUMNS = {
    "swd": "swd",
    "kid": "kernel distance",
    "coat_distance": "coats",
    "background_error": "background",
    "cycle_mae": "cycle",
    "truth_mae": "truth",
}
DIRECTIONS = {"a_to_b": "A→B", "b_to_a": "B→A"}
LABEL = 160  # pixels for the names on the left of a sheet
TIMES = 2  # pixels are enlarged, not smoothed, so that they can be judged


def score_table(entries: list[dict], base: str) -> str:
    """Means over the seeds, and CPU time as a multiple of that of variant `base`."""
    names = [f"{c} {d}" for c in COLUMNS.values() for d in DIRECTIONS.values()]
    titles = ["", "weights", "seeds", *names, "CPU time"]
    lines = [f"| {' | '.join(titles)} |", "|" + "-|" * len(titles)]
    groups = {}
    for entry in entries:
        key = entry["variant"], entry.get("weights", "")
        groups.setdefault(key, []).append(entry)
    for (variant, weights), group in groups.items():
        values = [
            [e["scores"].get(f"{name}_{d}") for e in group]
            for name in COLUMNS
            for d in DIRECTIONS
        ]
        spent, usual = cpu_of(entries, variant), cpu_of(entries, base)
        multiple = f"{spent / usual:.2f}" if spent and usual else ""
        row = [variant, weights, str(len(group)), *map(mean_and_spread, values)]
        lines.append(f"| {' | '.join([*row, multiple])} |")
    return "\n".join(lines)


def mean_and_spread(values):
    """Of the seeds; nothing where a score does not exist."""
    if None in values:
        return ""
    mean = f"{statistics.mean(values):.1f}"
    return f"{mean} ± {statistics.stdev(values):.1f}" if len(values) > 1 else mean


def cpu_of(entries, variant):
    """Mean CPU seconds of the runs of a variant that were not cut."""
    spent = [
        e["cpu_seconds"]
        for e in entries
        if e["variant"] == variant and "cpu_seconds" in e
    ]
    return statistics.mean(spent) if spent else None


def curve_chart(entries: list[dict], bounds: dict[str, list[dict]]) -> Figure:
    """KID over the minutes, of each run and kind of weights; bounds across it."""
    figure = Figure(figsize=(10, 4), layout="constrained")
    panels = figure.subplots(1, len(DIRECTIONS), sharex=True, sharey=True)
    curves = {}
    for entry in entries:
        curves.setdefault((entry["variant"], entry["seed"]), []).append(entry)
    for axis, (direction, title) in zip(panels, DIRECTIONS.items(), strict=True):
        column = f"kid_{direction}"
        for style, (name, found) in zip(("--", "-."), bounds.items(), strict=False):
            for entry in found:
                axis.axhline(entry["scores"][column], label=name, color="0.5", ls=style)
        for i, ((variant, seed), run) in enumerate(curves.items()):
            for weights, style in {"average": ".-", "raw": ":"}.items():
                points = [point for point in run if point["weights"] == weights]
                axis.plot(
                    [point["seconds"] / 60 for point in points],
                    [point["scores"][column] for point in points],
                    style,
                    color=f"C{i}",
                    label=f"{variant}, seed {seed}, {weights}",
                )
        axis.set(title=title, xlabel="minutes")
        axis.grid(True, alpha=0.3)
    panels[0].set(xlim=(0, None), ylim=(0, None), ylabel=COLUMNS["kid"])
    panels[0].legend(fontsize=8)
    return figure


def picture_sheet(rows: dict[str, np.ndarray]) -> Image.Image:
    """Images, uint8 `(n, side, side, 3)`, in a row for each label."""
    strips = {
        label: Image.fromarray(np.concatenate(list(images), axis=1))
        for label, images in rows.items()
    }
    width, height = (TIMES * x for x in next(iter(strips.values())).size)
    sheet = Image.new("RGB", (LABEL + width, len(strips) * height))
    draw = ImageDraw.Draw(sheet)
    for i, (label, strip) in enumerate(strips.items()):
        enlarged = strip.resize((width, height), Image.Resampling.NEAREST)
        sheet.paste(enlarged, (LABEL, height * i))
        draw.multiline_text((4, height * i + height // 3), label, font_size=16)
    return sheet

"""Pictures of a run: grids of samples, curves, and maps of errors."""

import io
import pathlib

import matplotlib
import numpy as np
from matplotlib.figure import Figure
from PIL import Image, ImageDraw, ImageFont

from cyclegan_tf.common.errors import InputError
from cyclegan_tf.common.files import written_aside
from cyclegan_tf.config.losses import (
    DISCRIMINATOR_LOSSES,
    GENERATOR_LOSSES,
    TEACHER_TERMS,
)

STRIP_HEIGHT = 16  # pixels, of the headings above a grid
MIN_WIDTH = 64  # pixels, that the longest heading takes
HOTTEST = 64.0  # grey levels, of maps of errors
MAX_DOTS = 30  # longer curves have no dot at each epoch


def sample_grid(columns: dict[str, np.ndarray]) -> np.ndarray:
    """A table of pictures, one image per row, below a strip of headings.

    Columns, by their headings, are uint8 `(rows, height, width, 3)`. Returns uint8
    `(height, width, 3)`; small pictures are so many times as large that headings fit.
    """
    pictures = []
    for name, images in columns.items():
        scale = -(-MIN_WIDTH // images.shape[2])
        images = images.repeat(scale, axis=1).repeat(scale, axis=2)
        pictures.append(np.concatenate([_heading(name, images.shape[2]), *images]))
    return np.concatenate(pictures, axis=1)


def _heading(text, width):
    strip = Image.new("RGB", (width, STRIP_HEIGHT), "white")
    draw = ImageDraw.Draw(strip)
    draw.text((3, 2), text, fill="black", font=ImageFont.load_default())
    return np.asarray(strip)


def read_png(path: pathlib.Path) -> np.ndarray:
    """A picture of a run, uint8 `(height, width, 3)`, or `InputError`."""
    try:
        with Image.open(path, formats=["PNG"]) as image:
            return np.asarray(image.convert("RGB"))
    # Pillow raises a SyntaxError for a damaged PNG file.
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise InputError(f"{path} cannot be read ({error}).") from None


def save_png(path: pathlib.Path, pixels: np.ndarray) -> None:
    """Writes a picture, uint8 `(height, width, 3)`, aside and renames it."""
    with written_aside(path) as aside:
        Image.fromarray(pixels).save(aside, "PNG")


def loss_plot(rows: list[dict[str, float]]) -> bytes:
    """Generators' losses left and discriminators' right over the epochs, as PNG.

    Losses that the rows of `metrics.csv` lack are left out.
    """
    figure = Figure(figsize=(10, 4), layout="tight")
    of_teacher = [t.name for t in TEACHER_TERMS if any(t.name in row for row in rows)]
    players = {
        "generators": [*GENERATOR_LOSSES, *of_teacher],
        "discriminators": DISCRIMINATOR_LOSSES,
    }
    axes = figure.subplots(1, 2)
    for axis, (title, names) in zip(axes, players.items(), strict=True):
        for name in names:
            _plot(axis, rows, name, label=name)
        axis.set(title=title, xlabel="epoch", ylabel="unweighted mean over the epoch")
        axis.legend(fontsize=8)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=100)
    return buffer.getvalue()


def chart(curves: list[tuple[list[dict[str, float]], str, str, str]]) -> bytes:
    """Lines over the epochs, without any text but the numbers at the axes, as SVG.

    Each curve is rows of `metrics.csv`, a column, the colour, and "-" or "--".
    """
    # Letters as text, not as outlines: a tenth of the size.
    with matplotlib.rc_context({"svg.fonttype": "none"}):
        figure = Figure(figsize=(4, 2.4), layout="constrained")
        axis = figure.subplots()
        for rows, column, colour, style in curves:
            _plot(axis, rows, column, color=colour, linestyle=style)
        axis.spines[["top", "right"]].set_visible(False)
        buffer = io.BytesIO()
        figure.savefig(buffer, format="svg")
    return buffer.getvalue()


def _plot(axis, rows, column, **style):
    known = [row for row in rows if column in row]
    x, y = ([row[name] for row in known] for name in ("epoch", column))
    axis.plot(x, y, marker="." if len(x) < MAX_DOTS else "", **style)
    axis.xaxis.get_major_locator().set_params(integer=True)
    axis.grid(True, alpha=0.3)


def error_map(errors: np.ndarray) -> np.ndarray:
    """Errors in grey levels `(height, width)` as colours, uint8 `(height, width, 3)`.

    From black over red to yellow, which stands for `HOTTEST` grey levels and more.
    """
    colours = matplotlib.colormaps["inferno"](np.clip(errors / HOTTEST, 0, 1))
    return np.uint8(np.round(colours[..., :3] * 255))

"""Pictures of a run: panels of translations, curves, and maps of errors."""

import functools
import io
import math
import pathlib
from collections.abc import Sequence
from typing import NamedTuple

import matplotlib
import numpy as np
from PIL import Image

matplotlib.use("Agg")  # draws into memory: no display is needed

from matplotlib import pyplot as plt  # noqa: E402

from cyclegan_tf.common.errors import InputError  # noqa: E402
from cyclegan_tf.common.files import written_aside  # noqa: E402
from cyclegan_tf.config.losses import DISCRIMINATOR_LOSSES, GENERATOR_LOSSES  # noqa: E402
from cyclegan_tf.runs.history import read_rows  # noqa: E402

CELL_INCHES, TITLE_INCHES = 1.6, 0.6
DPI = 100
# Smaller pictures are enlarged without blur, so that pixels can be judged.
INTERPOLATION = "nearest"
HOTTEST = 64.0  # grey levels, of maps of errors


def translation_panel(columns: dict[str, np.ndarray], title: str) -> bytes:
    """A table of pictures, one image per row.

    Args:
        columns: uint8 `(rows, height, width, 3)` by column heading, such as "real",
            "fake", "cycled", "identity".
        title: shown above.

    Returns:
        The panel as PNG bytes.
    """
    return _to_png(_panel(columns, title)[0])


def panel_cells(path: pathlib.Path, headings: Sequence[str]) -> np.ndarray:
    """The pictures in a file of `translation_panel`, as they were drawn.

    Args:
        path: the PNG file.
        headings: of its columns.

    Returns:
        uint8 `(rows, columns, side, side, 3)`; a side has about 140 pixels.

    Raises:
        InputError: it cannot be read, or has another layout.
    """
    try:
        with Image.open(path) as image:
            num_rows = round((image.height / DPI - TITLE_INCHES) / CELL_INCHES)
            boxes, size = _panel_layout(tuple(headings), min(max(1, num_rows), 100))
            if image.size != size:
                raise InputError(f"{path} is not a table of samples.")
            pixels = np.asarray(image.convert("RGB"))
    except (
        *(OSError, SyntaxError, ValueError),
        Image.DecompressionBombError,
    ) as error:
        reason = f"{type(error).__name__}: {error}"
        raise InputError(f"{path} cannot be read ({reason}).") from None
    cells = [pixels[top:bottom, left:right] for left, top, right, bottom in boxes]
    return np.reshape(cells, (-1, len(headings), *cells[0].shape))


@functools.lru_cache
def _panel_layout(headings, num_rows):
    """Where the pictures of a panel are, row by row, and how large the panel is.

    Found by drawing one again: nobody but matplotlib knows the sizes of its letters.
    """
    blank = dict.fromkeys(headings, np.zeros((num_rows, 1, 1, 3), np.uint8))
    figure, axes = _panel(blank, "after epoch 1")
    size = _size_of(_to_png(figure))
    boxes = [axis.get_window_extent() for axis in axes.flat]
    # Whole pixels inside, all of one size.
    side = min(int(min(box.width, box.height)) for box in boxes) - 1
    corners = [(math.ceil(box.x0), math.ceil(size[1] - box.y1)) for box in boxes]
    return [(x, y, x + side, y + side) for x, y in corners], size


def _size_of(png):
    with Image.open(io.BytesIO(png)) as image:
        return image.size


def _panel(columns, title):
    num_rows = len(next(iter(columns.values())))
    size = (CELL_INCHES * len(columns), CELL_INCHES * num_rows + TITLE_INCHES)
    figure, axes = plt.subplots(
        num_rows, len(columns), figsize=size, dpi=DPI, squeeze=False
    )
    for column, (heading, images) in enumerate(columns.items()):
        axes[0, column].set_title(heading, fontsize=10)
        for row, image in enumerate(images):
            axes[row, column].imshow(image, interpolation=INTERPOLATION)
            axes[row, column].set_axis_off()
    figure.suptitle(title, fontsize=11)
    return figure, axes


def loss_plot(metrics_csv: pathlib.Path) -> bytes:
    """The losses over the epochs, generators left and discriminators right, as PNG."""
    rows = read_rows(metrics_csv)
    epochs = [int(row["epoch"]) for row in rows]
    figure, axes = plt.subplots(1, 2, figsize=(10, 4), dpi=DPI)
    for axis, names in zip(axes, (GENERATOR_LOSSES, DISCRIMINATOR_LOSSES), strict=True):
        for name in names:
            values = [float(row[name]) for row in rows]
            axis.plot(epochs, values, marker="." if len(rows) < 30 else "", label=name)
        axis.set_xlabel("epoch")
        axis.set_ylabel("loss, unweighted mean over the epoch")
        axis.xaxis.get_major_locator().set_params(integer=True)
        axis.grid(alpha=0.3)
        axis.legend(fontsize=8)
    axes[0].set_title("generators")
    axes[1].set_title("discriminators")
    return _to_png(figure)


class Curve(NamedTuple):
    """A line of a chart."""

    x: list[float]
    y: list[float]
    colour: str
    is_dashed: bool


def chart(curves: list[Curve]) -> bytes:
    """Lines over the epochs, without any text but the numbers at the axes, as SVG."""
    # Letters as text, not as outlines: a tenth of the size.
    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": "chart"}):
        # "constrained" is laid out when it is saved, with the ticks of the SVG file.
        figure, axis = plt.subplots(figsize=(4, 2.4), layout="constrained")
        for curve in curves:
            style = "--" if curve.is_dashed else "-"
            marker = "." if len(curve.x) < 30 else ""
            axis.plot(curve.x, curve.y, style, marker=marker, color=curve.colour)
        axis.xaxis.get_major_locator().set_params(integer=True)
        axis.grid(alpha=0.3)
        axis.spines[["top", "right"]].set_visible(False)
        buffer = io.BytesIO()
        figure.savefig(buffer, format="svg", metadata={"Date": None})
    plt.close(figure)
    return buffer.getvalue()


def error_map(errors: np.ndarray) -> np.ndarray:
    """Errors as colours, from black over red to yellow, always on the same scale.

    Args:
        errors: `(height, width)` in grey levels.

    Returns:
        uint8 `(height, width, 3)`; `HOTTEST` grey levels and more are the last colour.
    """
    colours = matplotlib.colormaps["inferno"](np.clip(errors / HOTTEST, 0, 1))
    return np.uint8(np.round(colours[..., :3] * 255))


def save_png(path: pathlib.Path, png: bytes) -> None:
    """Writes PNG bytes aside and renames."""
    with written_aside(path) as aside:
        aside.write_bytes(png)


def _to_png(figure):
    figure.tight_layout()
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    plt.close(figure)
    return buffer.getvalue()

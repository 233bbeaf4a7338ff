"""Pictures of a run: panels of translations, and the curves of the losses."""

import csv
import io
import pathlib

import matplotlib
import numpy as np

matplotlib.use("Agg")  # draws into memory: no display is needed

from matplotlib import pyplot as plt  # noqa: E402

from cyclegan_tf.cyclegan import DISCRIMINATOR_LOSSES, GENERATOR_LOSSES  # noqa: E402
from cyclegan_tf.files import written_aside  # noqa: E402

CELL_INCHES = 1.6
DPI = 100
# Smaller pictures are enlarged without blur, so that pixels can be judged.
INTERPOLATION = "nearest"


def translation_panel(columns: dict[str, np.ndarray], title: str) -> bytes:
    """A table of pictures, one image per row.

    Args:
        columns: uint8 `(rows, height, width, 3)` by column heading, such as "real",
            "fake", "cycled", "identity".
        title: shown above.

    Returns:
        The panel as PNG bytes.
    """
    num_rows = len(next(iter(columns.values())))
    size = (CELL_INCHES * len(columns), CELL_INCHES * num_rows + 0.6)
    figure, axes = plt.subplots(
        num_rows, len(columns), figsize=size, dpi=DPI, squeeze=False
    )
    for column, (heading, images) in enumerate(columns.items()):
        axes[0, column].set_title(heading, fontsize=10)
        for row, image in enumerate(images):
            axes[row, column].imshow(image, interpolation=INTERPOLATION)
            axes[row, column].set_axis_off()
    figure.suptitle(title, fontsize=11)
    return _to_png(figure)


def loss_plot(metrics_csv: pathlib.Path) -> bytes:
    """The losses over the epochs, generators left and discriminators right, as PNG."""
    with metrics_csv.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
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

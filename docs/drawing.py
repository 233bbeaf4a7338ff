"""What the pictures of `figures.py` are drawn with: colours, scenes, boxes, arrows."""

import io

import matplotlib
import numpy as np
from matplotlib import pyplot as plt
from matplotlib.patches import FancyBboxPatch, Rectangle
from PIL import Image

from cyclegan_tf.data.drawing import draw

BLUE, ORANGE, GREEN, GREY, INK = "#2266aa", "#cc5522", "#2f7d4f", "#8a8f98", "#22262b"
PALE = {BLUE: "#e3eefa", ORANGE: "#fbe7dc", GREEN: "#e0f1e6", GREY: "#eff0f2"}
RULE = {"color": GREY, "lw": 0.8, "ls": ":"}
STYLE = {
    "font.size": 10,
    "axes.titlesize": 10,
    "axes.edgecolor": GREY,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "text.color": INK,
    "axes.labelcolor": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "legend.frameon": False,
    "figure.dpi": 125,
    "savefig.dpi": 125,
}


def begin():
    """Sets what all pictures have in common."""
    matplotlib.use("Agg")
    plt.rcParams.update(STYLE)


def save(canvas, path):
    """Writes a PNG of 256 colours, which is a third of the bytes."""
    whole = io.BytesIO()
    canvas.savefig(whole, facecolor="white", bbox_inches="tight")
    plt.close(canvas)
    picture = Image.open(whole).convert("RGB")
    picture.quantize(256, dither=Image.Dither.NONE).save(path, optimize=True)


def scene(seed, coat, size=96):
    """A picture of the embedded dataset, uint8 `(size, size, 3)`."""
    return draw((7, seed), coat, size)[0]


def unit(pixels):
    """A batch of one in [-1, 1]."""
    return np.float32(pixels)[None] / 127.5 - 1


def show(axis, values, title="", note=""):
    """A picture in [-1, 1], without axes."""
    axis.imshow(np.clip((np.asarray(values) + 1) / 2, 0, 1))
    clear(axis, title, note)


def clear(axis, title="", note=""):
    """No ticks and no frame, a title above and a small note below."""
    axis.set(xticks=[], yticks=[], title=title)
    axis.set_xlabel(note, fontsize=8)
    axis.spines[:].set_visible(False)


def blank(axis, across, up):
    """An empty canvas with square units."""
    axis.set(xlim=across, ylim=up, aspect="equal")
    axis.axis("off")


def outline(axis, corner, width, height, colour, lw=2, **more):
    """The frame of a rectangle."""
    look = {"fill": False, "edgecolor": colour, "lw": lw}
    axis.add_patch(Rectangle(corner, width, height, **look, **more))


def place(axis, pixels, x, y, side, frame=None):
    """A picture at a place of a diagram."""
    axis.imshow(pixels, extent=(x, x + side, y, y + side), zorder=2)
    if frame:
        outline(axis, (x, y), side, side, frame, lw=1.6, zorder=3)


def box(axis, corner, width, height, label, colour, **font):
    """A rounded box with a label."""
    style = "round,pad=0.05,rounding_size=0.25"
    look = {"boxstyle": style, "facecolor": PALE[colour], "edgecolor": colour}
    axis.add_patch(FancyBboxPatch(corner, width, height, **look))
    middle = (corner[0] + width / 2, corner[1] + height / 2)
    axis.text(*middle, label, ha="center", va="center", fontsize=9, **font)


def arrow(axis, start, end):
    """An arrow."""
    axis.annotate("", end, start, arrowprops={"arrowstyle": "-|>", "color": INK})


def numbers(axis, values, title):
    """A grid of numbers, the larger the darker."""
    axis.imshow(values, cmap="Blues", vmin=0, vmax=values.max() * 1.8)
    for (row, column), value in np.ndenumerate(values):
        axis.text(column, row, f"{value:.0f}", ha="center", va="center", fontsize=8)
    clear(axis, title)

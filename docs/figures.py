"""Draws the pictures of `docs/how-it-works.md` from our own layers.

    python docs/figures.py              writes docs/figures/*.png

What can be computed is computed: shapes, padded and normalized pixels, receptive
fields, the pool's ages, the curves of losses and optimizers. Networks have random
weights of a fixed seed. `cyclegan_tf` and matplotlib are all that is needed.
"""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))

import keras
import numpy as np
from keras import layers
from matplotlib import pyplot as plt
from matplotlib.patches import Rectangle

import docs.figures_of_training as training
from cyclegan_tf.model import (
    InstanceNormalization,
    ReflectionPadding2D,
    build_generator,
)
from docs.drawing import (
    BLUE,
    GREEN,
    GREY,
    INK,
    ORANGE,
    PALE,
    arrow,
    begin,
    blank,
    box,
    clear,
    numbers,
    outline,
    place,
    save,
    scene,
    show,
    unit,
)

OUTPUT = pathlib.Path(__file__).resolve().parent / "figures"


def main():
    """Draws all."""
    begin()
    OUTPUT.mkdir(exist_ok=True)
    keras.utils.set_random_seed(0)
    for figure in (
        unpaired,
        cycle,
        generator,
        padding,
        normalization,
        downsampling,
        residual,
        transposed,
        training.checkerboard,
        training.tanh,
        training.patches,
        training.pool,
        training.losses,
        training.least_squares,
        training.optimizer,
    ):
        path = OUTPUT / f"{figure.__name__.replace('_', '-')}.png"
        save(figure(), path)
        print(f"docs/figures/{path.name}  {path.stat().st_size / 1024:.0f} KiB")


def unpaired():
    """Pairs, and two sets without."""
    canvas, axes = plt.subplots(1, 2, figsize=(8.4, 3.9))
    titles = "pairs: each picture has its answer", "no pairs: two sets, that is all"
    for axis, title, first_other in zip(axes, titles, (0, 20), strict=True):
        blank(axis, (0, 10), (0, 10))
        axis.set_title(title, pad=12)
        axis.text(2, 9.5, "A", color=BLUE, weight="bold", ha="center")
        axis.text(8, 9.5, "B", color=ORANGE, weight="bold", ha="center")
        for row in range(3):
            low = 6.5 - 3.15 * row
            place(axis, scene(row, "brown"), 0.55, low, 2.9)
            place(axis, scene(row + first_other, "striped"), 6.55, low, 2.9)
            if not first_other:
                arrow(axis, (3.7, low + 1.45), (6.3, low + 1.45))
    axes[1].text(5, 4.8, "?", fontsize=42, color=GREY, ha="center", va="center")
    return canvas


def cycle():
    """What a round trip must give back, with a drawn scene for the ideal."""
    canvas, axis = plt.subplots(figsize=(8.4, 2.6))
    blank(axis, (0, 20), (0, 6))
    brown, striped = scene(3, "brown"), scene(3, "striped")
    for x, pixels, label, colour in (
        (0.3, brown, "real a", BLUE),
        (8.1, striped, "fake b", ORANGE),
        (15.9, brown, "cycled a", BLUE),
    ):
        place(axis, pixels, x, 1.2, 3.8, colour)
        axis.text(x + 1.9, 5.3, label, ha="center", color=colour)
    for x, label in ((4.4, "gen_ab"), (12.2, "gen_ba")):
        arrow(axis, (x, 3.1), (x + 3.4, 3.1))
        axis.text(x + 1.65, 3.45, label, ha="center", family="monospace")
    axis.plot([2.2, 2.2, 17.8, 17.8], [1.05, 0.55, 0.55, 1.05], color=GREEN, lw=1.4)
    text = "must be equal: the cycle loss"
    axis.text(10, 0.05, text, ha="center", va="center", color=GREEN)
    return canvas


def generator():
    """The shape after each stage of our generator, for 256 px."""
    network = build_generator()
    probe = keras.Model(network.input, [layer.output for layer in network.layers])
    names = [layer.name for layer in network.layers]
    shapes = dict(zip(names, probe.compute_output_shape((1, 256, 256, 3)), strict=True))
    stages = [
        ("image", "image", BLUE),
        ("stem_relu", "7×7", GREY),
        ("down1_relu", "3×3\nstride 2", GREY),
        ("down2_relu", "3×3\nstride 2", GREY),
        *((f"residual{i}_sum", "", GREEN) for i in range(1, 10)),
        ("up1_relu", "transposed\n3×3", GREY),
        ("up2_relu", "transposed\n3×3", GREY),
        ("translated", "7×7\ntanh", ORANGE),
    ]
    canvas, axis = plt.subplots(figsize=(9, 3.6))
    x, small = 0.0, {"ha": "center", "fontsize": 9}
    for name, label, colour in stages:
        _, side, _, channels = shapes[name]
        width, height = 4 + channels / 24, side / 256 * 100
        look = {"facecolor": PALE[colour], "edgecolor": colour}
        axis.add_patch(Rectangle((x, 50 - height / 2), width, height, **look))
        middle = x + width / 2
        if label:
            axis.text(middle, 104, label, va="bottom", **small)
            axis.text(middle, -4, f"{side}²\n×{channels}", va="top", **small)
        if name == "residual5_sum":
            text = f"9 residual blocks, {side}²×{channels}"
            axis.text(middle, 68, text, color=GREEN, **small)
            text = f"{network.count_params():,} parameters in all"
            axis.text(middle, -4, text, va="top", color=GREY, **small)
        is_inside = "residual" in name and name != "residual9_sum"
        x += width + (4 if is_inside else 42 if "up" in name else 20)
    axis.set(xlim=(-10, x - 8), ylim=(-24, 122))
    axis.axis("off")
    return canvas


def padding():
    """Reflection and zeros around a picture, and what a blur makes of its corner."""
    pixels = scene(3, "striped", 64)[36:60, 10:34] * 0.45 + 140
    mirrored = ReflectionPadding2D(3)(unit(pixels))
    zeros = layers.ZeroPadding2D(3)(unit(pixels))
    kernel = np.broadcast_to(np.eye(3) / 49, (7, 7, 3, 3))
    mean = with_kernel(layers.Conv2D(3, 7, use_bias=False), mirrored, kernel)
    canvas, axes = plt.subplots(1, 4, figsize=(8.8, 2.5))
    for (left, right), padded, title in (
        (axes[:2], mirrored, "3 px reflected"),
        (axes[2:], zeros, "3 px of zeros"),
    ):
        show(left, padded.numpy()[0], title)
        outline(left, (2.5, 2.5), *pixels.shape[1::-1], ORANGE, lw=1.5)
        show(right, mean(padded).numpy()[0], "then 7×7, a mean")
    return canvas


def with_kernel(layer, like, kernel):
    """A convolution without bias that has this kernel, built for such a batch."""
    layer.build(like.shape)
    layer.set_weights([kernel])
    return layer


def normalization():
    """Two pictures, by instance and by batch normalization."""
    bright = scene(5, "striped", 96).astype(np.float32) * 0.5 + 120
    dark = scene(8, "striped", 96).astype(np.float32) * 0.3
    batch = np.stack([bright, dark]) / 127.5 - 1
    ways = {
        "before": (batch, GREY),
        "instance": (InstanceNormalization()(batch).numpy(), BLUE),
        "batch": (
            layers.BatchNormalization(epsilon=1e-5)(batch, training=True).numpy(),
            ORANGE,
        ),
    }
    canvas, axes = plt.subplots(2, 4, figsize=(8.8, 4.4), width_ratios=[1, 1, 1, 1.25])
    for row, (*pictures, chart) in enumerate(axes):
        for axis, (name, (images, colour)) in zip(pictures, ways.items(), strict=True):
            # Normalized values have a deviation of about 1: 2.5 of them fill the range.
            scale = 1 if name == "before" else 2.5
            title = name if name == "before" else f"{name} normalization"
            image = images[row]
            mean, deviation = image.mean().round(2) + 0, image.std()
            note = f"mean {mean:.2f}, deviation {deviation:.2f}"
            show(axis, image / scale, "" if row else title, note)
            values, look = image[..., 0].ravel(), {"color": colour, "label": name}
            chart.hist(values, 60, range=(-3, 3), histtype="step", **look)
        chart.set(yticks=[], title="" if row else "red channel")
        chart.spines["left"].set_visible(False)
    axes[0][3].legend(fontsize=8, handlelength=1, loc="upper left")
    canvas.tight_layout()
    return canvas


def downsampling():
    """Where a 3x3 convolution of stride 2 looks, and what becomes of a picture."""
    canvas, axes = plt.subplots(1, 3, figsize=(8.8, 3.1))
    blank(axes[0], (-1.2, 9.2), (9.2, -1.2))
    for row, column in np.ndindex(10, 10):
        is_inside = 0 < row < 9 and 0 < column < 9
        look = {"facecolor": "white" if is_inside else PALE[GREY], "lw": 0.7}
        square = Rectangle((column - 1, row - 1), 1, 1, edgecolor="#c9ccd1", **look)
        axes[0].add_patch(square)
    for row, column, colour in ((0, 0, BLUE), (0, 1, ORANGE), (1, 0, GREEN)):
        outline(axes[0], (2 * column - 1, 2 * row - 1), 3, 3, colour)
    for row, column in np.ndindex(4, 4):
        axes[0].plot(2 * column + 0.5, 2 * row + 0.5, "o", color=INK, ms=4)
    axes[0].set_title("3×3 windows, two pixels apart,\nover 8×8 with zeros around")
    # The weights of a smoothing, to see a picture and not noise.
    kernel = np.outer([1, 2, 1], [1, 2, 1])[..., None, None] * np.eye(3) / 16
    image = unit(scene(3, "striped", 64))
    padded = layers.ZeroPadding2D(1)(image)
    half = with_kernel(layers.Conv2D(3, 3, 2, use_bias=False), padded, kernel)(padded)
    show(axes[1], image[0], "64×64")
    title = f"{half.shape[1]}×{half.shape[2]}, smoothing weights"
    show(axes[2], half.numpy()[0], title)
    return canvas


def residual():
    """A block of our generator: what comes in, what it adds, what goes out."""
    network = build_generator(filters=32, num_residual_blocks=1)
    names = ("down2_relu", "residual1_conv2_norm", "residual1_sum")
    probe = keras.Model(network.input, [network.get_layer(n).output for n in names])
    maps = [x.numpy()[0] for x in probe(unit(scene(3, "striped", 256)), training=False)]
    channel = int(np.argmax(maps[0].std(axis=(0, 1))))
    canvas, axes = plt.subplots(1, 4, figsize=(8.8, 2.9), width_ratios=[1.5, 1, 1, 1])
    axis = axes[0]
    blank(axis, (0, 10), (-1.2, 12.5))
    steps = ("pad, 3×3", "instance norm", "ReLU", "pad, 3×3", "instance norm")
    for i, label in enumerate(steps):
        box(axis, (4, 10.2 - 1.75 * i), 5.4, 1.2, label, GREEN if i != 2 else GREY)
    axis.plot([6.7] * 2, [12.3, 11.4], color=INK)
    axis.plot([6.7, 1.2, 1.2, 6.1], [11.9, 11.9, 1.6, 1.6], color=BLUE, lw=1.6)
    axis.plot([6.7] * 2, [3.2, 2.2], color=INK)
    axis.text(6.7, 1.6, "+", fontsize=13, ha="center", va="center")
    axis.add_patch(plt.Circle((6.7, 1.6), 0.6, fill=False, edgecolor=INK))
    arrow(axis, (6.7, 1.1), (6.7, -1.2))
    axis.text(0.9, 6.5, "unchanged", rotation=90, va="center", ha="right", color=BLUE)
    titles = ("comes in: x", "the block adds: F(x)", "goes out: x + F(x)")
    for axis, values, title in zip(axes[1:], maps, titles, strict=True):
        values = values[..., channel]
        limit = np.abs(values).max()
        axis.imshow(values, cmap="RdBu_r", vmin=-limit, vmax=limit)
        clear(axis, title)
    clear(axes[2], titles[1], "one channel of 128, random weights")
    canvas.tight_layout()
    return canvas


def transposed():
    """A transposed convolution, pixel after pixel, by Keras' own layer."""
    pixels = np.arange(1, 10, dtype=np.float32).reshape(3, 3)
    kernel = np.ones((3, 3, 1, 1), np.float32)
    layer = layers.Conv2DTranspose(1, 3, strides=2, use_bias=False)
    with_kernel(layer, pixels[None, ..., None], kernel)

    def result(of):
        return layer(of[None, ..., None]).numpy()[0, ..., 0]

    first, second = np.zeros_like(pixels), np.zeros_like(pixels)
    first[0, 0] = pixels[0, 0]
    second[0, :2] = pixels[0, :2]
    ones = result(np.ones_like(pixels))[1:, 1:]
    widths = [0.62, 1, 1, 1, 1]
    canvas, axes = plt.subplots(1, 5, figsize=(10.4, 2.8), width_ratios=widths)
    numbers(axes[0], pixels, "3×3 goes in")
    numbers(axes[1], result(first), "the first pixel\nis stamped, 3×3")
    numbers(axes[2], result(second), "the next one two\nfurther: sums overlap")
    numbers(axes[3], result(pixels), "all nine: 7×7")
    outline(axes[3], (0.5, 0.5), 6, 6, ORANGE, clip_on=False)
    numbers(axes[4], ones, "6×6 is kept; of ones\nit would be this")
    canvas.tight_layout()
    return canvas


if __name__ == "__main__":
    main()

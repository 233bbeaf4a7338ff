"""Draws the pictures of `docs/how-it-works.md` from our own layers.

    python docs/figures.py              writes docs/figures/*.png

What can be computed is computed: shapes, padded and normalized pixels, receptive
fields, the pool's ages, the curves of losses and optimizers. Networks have random
weights of a fixed seed. `cyclegan_tf` and matplotlib are all that is needed.
"""

import io
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))

import keras
import matplotlib
import numpy as np
import tensorflow as tf
from keras import layers
from matplotlib import pyplot as plt
from matplotlib.patches import FancyBboxPatch, Rectangle
from PIL import Image

from cyclegan_tf.data.drawing import draw
from cyclegan_tf.model import (
    Adam,
    ImagePool,
    InstanceNormalization,
    LinearDecay,
    ReflectionPadding2D,
    build_discriminator,
    build_generator,
)
from cyclegan_tf.model.losses import adversarial_loss, discriminator_loss

ROOT = pathlib.Path(__file__).resolve().parent.parent
OUTPUT = ROOT / "docs" / "figures"
BLUE, ORANGE, GREEN, GREY, INK = "#2266aa", "#cc5522", "#2f7d4f", "#8a8f98", "#22262b"
PALE = {BLUE: "#e3eefa", ORANGE: "#fbe7dc", GREEN: "#e0f1e6", GREY: "#eff0f2"}
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


def main():
    """Draws all."""
    matplotlib.use("Agg")
    OUTPUT.mkdir(exist_ok=True)
    plt.rcParams.update(STYLE)
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
        checkerboard,
        tanh,
        patches,
        pool,
        losses,
        least_squares,
        optimizer,
    ):
        path = OUTPUT / f"{figure.__name__.replace('_', '-')}.png"
        save(figure(), path)
        print(f"{path.relative_to(ROOT)}  {path.stat().st_size / 1024:.0f} KiB")


# Pictures.


def unpaired():
    """Pairs, and two sets without."""
    canvas, axes = plt.subplots(1, 2, figsize=(8.4, 3.9))
    for axis, title in zip(
        axes,
        ("pairs: each picture has its answer", "no pairs: two sets, that is all"),
        strict=True,
    ):
        blank(axis, (0, 10), (0, 10))
        axis.set_title(title, pad=12)
        axis.text(2, 9.5, "A", color=BLUE, weight="bold", ha="center")
        axis.text(8, 9.5, "B", color=ORANGE, weight="bold", ha="center")
    for row in range(3):
        low = 6.5 - 3.15 * row
        for axis, other in zip(axes, (row, row + 20), strict=True):
            place(axis, scene(row, "brown"), 0.55, low, 2.9)
            place(axis, scene(other, "striped"), 6.55, low, 2.9)
        arrow(axes[0], (3.7, low + 1.45), (6.3, low + 1.45), INK)
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
        arrow(axis, (x, 3.1), (x + 3.4, 3.1), INK)
        axis.text(x + 1.65, 3.45, label, ha="center", family="monospace")
    axis.plot([2.2, 2.2, 17.8, 17.8], [1.05, 0.55, 0.55, 1.05], color=GREEN, lw=1.4)
    text = "must be equal: the cycle loss"
    axis.text(10, 0.05, text, ha="center", va="center", color=GREEN)
    return canvas


def generator():
    """The shape after each stage of our generator, for 256 px."""
    network = build_generator()
    probe = keras.Model(
        network.input, [layer.output for layer in network.layers], name="probe"
    )
    shapes = dict(
        zip(
            [layer.name for layer in network.layers],
            probe.compute_output_shape((1, 256, 256, 3)),
            strict=True,
        )
    )
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
    x = 0.0
    for name, label, colour in stages:
        side, channels = shapes[name][1], shapes[name][3]
        width, height = 4 + channels / 24, side / 256 * 100
        corner = (x, 50 - height / 2)
        look = {"facecolor": PALE[colour], "edgecolor": colour}
        axis.add_patch(Rectangle(corner, width, height, **look))
        middle = x + width / 2
        if label:
            axis.text(middle, 104, label, ha="center", va="bottom", fontsize=9)
            text = f"{side}²\n×{channels}"
            axis.text(middle, -4, text, ha="center", va="top", fontsize=9)
        if name == "residual5_sum":
            text = f"9 residual blocks, {side}²×{channels}"
            axis.text(middle, 68, text, ha="center", color=GREEN, fontsize=9)
            text = f"{network.count_params():,} parameters in all"
            axis.text(middle, -4, text, ha="center", va="top", color=GREY, fontsize=9)
        is_inside = "residual" in name and name != "residual9_sum"
        x += width + (4 if is_inside else 42 if "up" in name else 20)
    axis.set_xlim(-10, x - 8)
    axis.set_ylim(-24, 122)
    axis.axis("off")
    return canvas


def padding():
    """Reflection and zeros around a picture, and what a blur makes of its corner."""
    pixels = scene(3, "striped", 64)[36:60, 10:34] * 0.45 + 140
    mirrored = ReflectionPadding2D(3)(unit(pixels))
    zeros = layers.ZeroPadding2D(3)(unit(pixels))
    mean = layers.Conv2D(3, 7, use_bias=False)
    mean.build(mirrored.shape)
    mean.set_weights([np.broadcast_to(np.eye(3) / 49, (7, 7, 3, 3))])
    canvas, axes = plt.subplots(1, 4, figsize=(8.8, 2.5))
    for axis, padded, title in (
        (axes[0], mirrored, "3 px reflected"),
        (axes[2], zeros, "3 px of zeros"),
    ):
        show(axis, padded.numpy()[0], title)
        frame = {"fill": False, "edgecolor": ORANGE, "lw": 1.5}
        axis.add_patch(Rectangle((2.5, 2.5), *pixels.shape[1::-1], **frame))
    for axis, padded in ((axes[1], mirrored), (axes[3], zeros)):
        show(axis, mean(padded).numpy()[0], "then 7×7, a mean")
    return canvas


def normalization():
    """Two pictures, by instance and by batch normalization."""
    bright = scene(5, "striped", 96).astype(np.float32) * 0.5 + 120
    dark = scene(8, "striped", 96).astype(np.float32) * 0.3
    batch = np.stack([bright, dark]) / 127.5 - 1
    instance = InstanceNormalization()(batch).numpy()
    together = layers.BatchNormalization(epsilon=1e-5)(batch, training=True).numpy()
    canvas, axes = plt.subplots(2, 4, figsize=(8.8, 4.4), width_ratios=[1, 1, 1, 1.25])
    titles = ("before", "instance normalization", "batch normalization")
    for row in range(2):
        for axis, images, title in zip(
            axes[row], (batch, instance, together), titles, strict=False
        ):
            # Normalized values have a deviation of about 1: 2.5 of them fill the range.
            scale = 1 if images is batch else 2.5
            show(axis, images[row] / scale, title if row == 0 else "")
            axis.set_xlabel(
                f"mean {images[row].mean().round(2) + 0:.2f}, "
                f"deviation {images[row].std():.2f}",
                fontsize=8,
            )
        chart = axes[row][3]
        for images, colour, label in (
            (batch, GREY, "before"),
            (instance, BLUE, "instance"),
            (together, ORANGE, "batch"),
        ):
            values = images[row][..., 0].ravel()
            chart.hist(
                values, 60, range=(-3, 3), histtype="step", color=colour, label=label
            )
        chart.set_yticks([])
        chart.set_title("red channel" if row == 0 else "")
        chart.spines["left"].set_visible(False)
    axes[0][3].legend(fontsize=8, handlelength=1, loc="upper left")
    canvas.tight_layout()
    return canvas


def downsampling():
    """Where a 3x3 convolution of stride 2 looks, and what becomes of a picture."""
    canvas, axes = plt.subplots(1, 3, figsize=(8.8, 3.1))
    axis = axes[0]
    blank(axis, (-1.2, 9.2), (9.2, -1.2))
    for row in range(-1, 9):
        for column in range(-1, 9):
            is_inside = 0 <= row < 8 and 0 <= column < 8
            axis.add_patch(
                Rectangle(
                    (column, row),
                    1,
                    1,
                    facecolor="white" if is_inside else PALE[GREY],
                    edgecolor="#c9ccd1",
                    lw=0.7,
                )
            )
    for row, column, colour in ((0, 0, BLUE), (0, 1, ORANGE), (1, 0, GREEN)):
        axis.add_patch(
            Rectangle(
                (2 * column - 1, 2 * row - 1), 3, 3, fill=False, edgecolor=colour, lw=2
            )
        )
    for row in range(4):
        for column in range(4):
            axis.plot(2 * column + 0.5, 2 * row + 0.5, "o", color=INK, ms=4)
    axis.set_title("3×3 windows, two pixels apart,\nover 8×8 with zeros around")
    # The weights of a smoothing, to see a picture and not noise.
    kernel = np.outer([1, 2, 1], [1, 2, 1])[..., None, None] * np.eye(3) / 16
    image = unit(scene(3, "striped", 64))
    convolution = layers.Conv2D(3, 3, 2, use_bias=False)
    padded = layers.ZeroPadding2D(1)(image)
    convolution.build(padded.shape)
    convolution.set_weights([kernel])
    half = convolution(padded)
    show(axes[1], image[0], "64×64")
    show(
        axes[2], half.numpy()[0], f"{half.shape[1]}×{half.shape[2]}, smoothing weights"
    )
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
    arrow(axis, (6.7, 1.1), (6.7, -1.2), INK)
    axis.text(0.9, 6.5, "unchanged", rotation=90, va="center", ha="right", color=BLUE)
    titles = ("comes in: x", "the block adds: F(x)", "goes out: x + F(x)")
    for axis, values, title in zip(axes[1:], maps, titles, strict=True):
        limit = np.abs(values[..., channel]).max()
        axis.imshow(values[..., channel], cmap="RdBu_r", vmin=-limit, vmax=limit)
        axis.set_title(title)
        clear(axis)
    axes[2].set_xlabel("one channel of 128, random weights", fontsize=8)
    canvas.tight_layout()
    return canvas


def transposed():
    """A transposed convolution, pixel after pixel, by Keras' own layer."""
    kernel = np.ones((3, 3, 1, 1), np.float32)
    layer = layers.Conv2DTranspose(1, 3, strides=2, use_bias=False)
    layer.build((None, 3, 3, 1))
    layer.set_weights([kernel])

    def result(pixels):
        return layer(pixels[None, ..., None]).numpy()[0, ..., 0]

    pixels = np.arange(1, 10, dtype=np.float32).reshape(3, 3)
    first, second = np.zeros_like(pixels), np.zeros_like(pixels)
    first[0, 0] = pixels[0, 0]
    second[0, :2] = pixels[0, :2]
    whole = result(pixels)
    canvas, axes = plt.subplots(
        1, 5, figsize=(10.4, 2.8), width_ratios=[0.62, 1, 1, 1, 1]
    )
    numbers(axes[0], pixels, "3×3 goes in")
    numbers(axes[1], result(first), "the first pixel\nis stamped, 3×3")
    numbers(axes[2], result(second), "the next one two\nfurther: sums overlap")
    numbers(axes[3], whole, "all nine: 7×7")
    axes[3].add_patch(
        Rectangle((0.5, 0.5), 6, 6, fill=False, edgecolor=ORANGE, lw=2, clip_on=False)
    )
    numbers(
        axes[4],
        result(np.ones_like(pixels))[1:, 1:],
        "6×6 is kept; of ones\nit would be this",
    )
    canvas.tight_layout()
    return canvas


def checkerboard():
    """What the two ways of upsampling make of a smooth picture, untrained."""
    image = unit(scene(3, "brown", 96))
    part = slice(24, 72)
    canvas, axes = plt.subplots(1, 3, figsize=(8.4, 2.9))
    show(axes[0], image[0, part, part], "a part of an image")
    for axis, upsampling in ((axes[1], "transpose"), (axes[2], "resize")):
        keras.utils.set_random_seed(3)
        network = build_generator(16, 1, upsampling=upsampling)
        out = network(image, training=False).numpy()[0].mean(axis=-1)
        axis.imshow(out[part, part], cmap="gray")
        axis.set_title(f"--upsampling {upsampling}", family="monospace")
        clear(axis)
        axis.set_xlabel("random weights, in grey", fontsize=8)
    return canvas


def tanh():
    """From the last convolution to pixels."""
    canvas, axis = plt.subplots(figsize=(5.6, 2.7))
    x = np.linspace(-4, 4, 200, dtype=np.float32)
    y = keras.ops.tanh(x).numpy()
    axis.plot(x, y, color=BLUE, lw=2)
    axis.set_xlabel("what the last convolution gives")
    axis.set_ylabel("tanh, in [−1, 1]")
    levels = axis.secondary_yaxis(
        "right", functions=(lambda v: (v + 1) * 127.5, lambda g: g / 127.5 - 1)
    )
    levels.set_ylabel("grey level")
    levels.set_yticks([0, 64, 128, 191, 255])
    axis.axhline(1, color=GREY, lw=0.8, ls=":")
    axis.axhline(-1, color=GREY, lw=0.8, ls=":")
    return canvas


def patches():
    """The pixels that one score depends on, measured by its gradient."""
    pixels = scene(3, "striped", 256)
    canvas, axes = plt.subplots(1, 3, figsize=(8.8, 3.2))
    show(axes[0], unit(pixels)[0], "what one score sees")
    for axis, kind, colour in (
        (axes[1], "patch46", BLUE),
        (axes[2], "patch70", ORANGE),
    ):
        network = build_discriminator(kind, filters=16)
        scores = network(unit(pixels), training=False).numpy()[0, ..., 0]
        top, left, height, width = seen_by_the_middle(kind)
        axes[0].add_patch(
            Rectangle(
                (left - 0.5, top - 0.5), width, height, fill=False, ec=colour, lw=2
            )
        )
        axes[0].text(
            0,
            274 if kind == "patch46" else 294,
            f"{kind}: {height}×{width} px",
            color=colour,
            fontsize=9,
        )
        axis.imshow(scores, cmap="gray")
        rows, columns = scores.shape
        axis.set_title(f"{kind}: {rows}×{columns} scores")
        axis.add_patch(
            Rectangle(
                (columns // 2 - 0.5, rows // 2 - 0.5), 1, 1, fill=False, ec=colour, lw=2
            )
        )
        clear(axis)
    axes[1].set_xlabel("random weights", fontsize=8)
    axes[2].set_xlabel("random weights", fontsize=8)
    return canvas


def seen_by_the_middle(kind, size=256):
    """Top, left, height and width of the pixels that the middle score depends on.

    Normalization would let every score depend a little on all pixels, by their mean
    and deviation; it is left out, as in any count of a receptive field.
    """
    network = build_discriminator(kind, filters=2)
    bare = keras.Sequential(
        [layer for layer in network.layers if "norm" not in layer.name]
    )
    images = tf.random.stateless_normal((1, size, size, 3), (0, 0))
    with tf.GradientTape() as tape:
        tape.watch(images)
        scores = bare(images)
        middle = scores[0, scores.shape[1] // 2, scores.shape[2] // 2, 0]
    is_seen = np.any(tape.gradient(middle, images).numpy()[0] != 0, axis=-1)
    rows, columns = np.flatnonzero(is_seen.any(1)), np.flatnonzero(is_seen.any(0))
    return (
        int(rows[0]),
        int(columns[0]),
        int(rows[-1] - rows[0] + 1),
        int(columns[-1] - columns[0] + 1),
    )


def pool():
    """How old the fakes are that the pool returns."""
    steps, size = 600, 50
    kept = ImagePool(size, (1, 1, 1), seed=1)
    returned = []
    for step in range(steps):
        fakes = tf.fill((1, 1, 1, 1), float(step))
        plan = kept.plan(1, step)
        returned.append(float(kept.exchange(plan, fakes)[0, 0, 0, 0]))
        kept.store(plan, fakes)
    ages = np.arange(steps) - np.array(returned)
    canvas, axes = plt.subplots(1, 2, figsize=(8.6, 2.8), width_ratios=[2, 1])
    axes[0].scatter(np.arange(steps), ages, s=7, color=BLUE, linewidths=0)
    axes[0].axvline(size, color=ORANGE, lw=1)
    axes[0].text(size + 8, ages.max() * 0.95, "full: 50 fakes", color=ORANGE, va="top")
    axes[0].set_xlabel("step")
    axes[0].set_ylabel("age of the fake, steps")
    full = ages[size:]
    axes[1].bar(
        ["made now", "from the pool"],
        [np.mean(full == 0), np.mean(full > 0)],
        color=[GREY, BLUE],
        width=0.6,
    )
    axes[1].set_ylim(0, 1)
    axes[1].set_ylabel("share, once it is full")
    axes[1].set_title(f"mean age of a drawn fake: {full[full > 0].mean():.0f} steps")
    canvas.tight_layout()
    return canvas


def losses():
    """The eight terms, and which network each one trains."""
    canvas, axis = plt.subplots(figsize=(9.6, 6.3))
    blank(axis, (0, 24), (-1.6, 16))
    for low, names, colours in (
        (9, ("a", "b", "A", "B"), (BLUE, ORANGE)),
        (1, ("b", "a", "B", "A"), (ORANGE, BLUE)),
    ):
        x, y, upper_x, upper_y = names
        own, other = colours
        forth, back = f"gen_{x}{y}", f"gen_{y}{x}"
        middle = low + 2.6
        picture = scene(3, "brown" if x == "a" else "striped", 64)
        translated = scene(3, "striped" if x == "a" else "brown", 64)
        place(axis, picture, 0.3, middle - 1.1, 2.2, own)
        axis.text(1.4, middle - 1.6, f"real {x}", ha="center", color=own)
        place(axis, translated, 8.0, middle - 1.1, 2.2, other)
        axis.text(9.1, middle - 1.6, f"fake {y}", ha="center", color=other)
        place(axis, picture, 15.7, middle - 1.1, 2.2, own)
        axis.text(16.8, middle - 1.6, f"cycled {x}", ha="center", color=own)
        for left, name in ((3.6, forth), (11.3, back)):
            box(axis, (left, middle - 0.55), 3.3, 1.1, name, GREEN, mono=True)
            arrow(axis, (left - 1.0, middle), (left - 0.05, middle), INK)
            arrow(axis, (left + 3.4, middle), (left + 4.3, middle), INK)
        # The judge of the fake, above.
        box(axis, (7.45, middle + 2.4), 3.3, 1.1, f"disc_{y}", GREY, mono=True)
        arrow(axis, (9.1, middle + 1.2), (9.1, middle + 2.35), INK)
        term(axis, 11.4, middle + 3.25, f"G_{upper_x}", "(score − 1)²: be judged real")
        term(
            axis,
            11.4,
            middle + 2.55,
            f"D_{upper_y}",
            f"½[(score of real {y} − 1)² + (of a pooled fake)²]",
            GREY,
        )
        # Identity, below: what is in the target domain already.
        axis.text(0.3, low - 0.15, f"real {y}", color=other)
        arrow(axis, (2.2, low), (3.4, low), INK)
        axis.text(3.6, low, forth, color=GREEN, family="monospace", va="center")
        arrow(axis, (6.1, low), (7.4, low), INK)
        axis.text(7.6, low - 0.15, f"same {y}", color=other)
        term(axis, 11.0, low, f"identity_{upper_x}", f"|same {y} − real {y}|   × 5")
        term(axis, 18.4, middle, f"cycle_{upper_x}", "")
        axis.text(18.4, middle - 0.7, f"|cycled {x} − real {x}|   × 10", va="center")
    axis.axhline(8, color="#d5d8dc", lw=1)
    axis.text(0.3, -0.4, "green: one sum, which trains both generators", color=GREEN)
    text = "grey: trains the discriminators, on fakes that are data to them"
    axis.text(0.3, -1.2, text, color="#666b73")
    return canvas


def least_squares():
    """The adversarial losses as functions of a score."""
    scores = np.linspace(-1, 2, 121, dtype=np.float32)
    canvas, axes = plt.subplots(1, 2, figsize=(8.4, 2.8), sharey=True)
    fooled = [float(adversarial_loss(s)) for s in scores]
    axes[0].plot(scores, fooled, color=BLUE, lw=2)
    axes[0].set_title("generator: (score of its fake − 1)²")
    one, zero = np.float32(1), np.float32(0)
    on_real = [float(discriminator_loss(s, zero)) for s in scores]
    on_fake = [float(discriminator_loss(one, s)) for s in scores]
    axes[1].plot(scores, on_real, color=GREEN, lw=2, label="score of a real image")
    axes[1].plot(scores, on_fake, color=ORANGE, lw=2, label="score of a fake")
    half = np.float32(0.5)
    undecided = float(discriminator_loss(half, half))
    axes[1].plot(0.5, undecided, "o", color=INK, ms=5)
    axes[1].annotate(
        f"0.5 to everything:\nboth together {undecided:.2f}",
        (0.5, undecided),
        (0.5, 1.0),
        ha="center",
        fontsize=8,
        arrowprops={"arrowstyle": "-", "color": GREY},
    )
    axes[1].legend(fontsize=8, loc="upper center")
    axes[1].set_title("discriminator, the half in front")
    for axis in axes:
        axis.set_xlabel("score: 0 is fake, 1 is real")
        axis.axvline(0, color=GREY, lw=0.6, ls=":")
        axis.axvline(1, color=GREY, lw=0.6, ls=":")
        axis.set_ylim(-0.1, 4)
    axes[0].set_ylabel("loss")
    canvas.tight_layout()
    return canvas


def optimizer():
    """Adam's step after a gradient turns, and the learning rate of 200 epochs."""
    canvas, axes = plt.subplots(1, 2, figsize=(8.6, 2.8))
    gradients = [1.0] * 15 + [-1.0] * 15
    for beta_1, colour in ((0.5, BLUE), (0.9, ORANGE)):
        weight = keras.Variable([0.0])
        adam = Adam(2e-4, beta_1=beta_1, beta_2=0.999, epsilon=1e-8)
        adam.build([weight])
        places = [0.0]
        for gradient in gradients:
            adam.apply([tf.constant([gradient])], [weight])
            places.append(float(weight.numpy()[0]))
        moves = np.diff(places) * 1e4
        axes[0].plot(moves, "o-", ms=3, color=colour, label=f"β₁ = {beta_1}")
    axes[0].axvline(14.5, color=GREY, lw=0.8, ls=":")
    axes[0].set_xlabel("step; the gradient turns from 1 to −1 at the line")
    axes[0].set_ylabel("move of the weight, 10⁻⁴")
    axes[0].legend(fontsize=8)
    schedule = LinearDecay(2e-4, 100, 100, steps_per_epoch=1)
    rates = [float(schedule(epoch)) * 1e4 for epoch in range(200)]
    axes[1].plot(rates, color=GREEN, lw=2)
    axes[1].set_xlabel("epoch")
    axes[1].set_ylabel("learning rate, 10⁻⁴")
    axes[1].set_ylim(0, 2.2)
    canvas.tight_layout()
    return canvas


# Tools.


def save(canvas, path):
    """Writes a PNG of 256 colours, which is a third of the bytes."""
    whole = io.BytesIO()
    canvas.savefig(whole, facecolor="white", bbox_inches="tight")
    plt.close(canvas)
    picture = Image.open(whole).convert("RGB")
    picture.quantize(256, dither=Image.Dither.NONE).save(path, optimize=True)


def scene(seed, coat, size=96):
    """A picture of the embedded dataset, uint8 `(size, size, 3)`."""
    return draw((7, seed), coat, size).image


def unit(pixels):
    """A batch of one in [-1, 1]."""
    return np.float32(pixels)[None] / 127.5 - 1


def show(axis, values, title="", **font):
    """A picture in [-1, 1], without axes."""
    axis.imshow(np.clip((np.asarray(values) + 1) / 2, 0, 1))
    axis.set_title(title, **font)
    clear(axis)


def clear(axis):
    """No ticks and no frame."""
    axis.set_xticks([])
    axis.set_yticks([])
    for spine in axis.spines.values():
        spine.set_visible(False)


def blank(axis, across, up):
    """An empty canvas with square units."""
    axis.set_xlim(across)
    axis.set_ylim(up)
    axis.set_aspect("equal")
    axis.axis("off")


def place(axis, pixels, x, y, side, frame=None):
    """A picture at a place of a diagram."""
    axis.imshow(pixels, extent=(x, x + side, y, y + side), zorder=2)
    if frame:
        axis.add_patch(
            Rectangle((x, y), side, side, fill=False, ec=frame, lw=1.6, zorder=3)
        )


def box(axis, corner, width, height, label, colour, mono=False):
    """A rounded box with a label."""
    axis.add_patch(
        FancyBboxPatch(
            corner,
            width,
            height,
            boxstyle="round,pad=0.05,rounding_size=0.25",
            facecolor=PALE[colour],
            edgecolor=colour,
        )
    )
    font = {"family": "monospace"} if mono else {}
    middle = (corner[0] + width / 2, corner[1] + height / 2)
    axis.text(*middle, label, ha="center", va="center", fontsize=9, **font)


def arrow(axis, start, end, colour):
    """An arrow."""
    axis.annotate("", end, start, arrowprops={"arrowstyle": "-|>", "color": colour})


def term(axis, x, y, name, text, colour=GREEN):
    """A loss's name, and what it is."""
    axis.text(x, y, name, va="center", family="monospace", weight="bold", color=colour)
    if text:
        axis.text(x + 0.36 * len(name) + 0.6, y, text, va="center")


def numbers(axis, values, title):
    """A grid of numbers, the larger the darker."""
    rows, columns = values.shape
    axis.imshow(values, cmap="Blues", vmin=0, vmax=values.max() * 1.8)
    for row, column in np.ndindex(rows, columns):
        text = f"{values[row, column]:.0f}"
        axis.text(column, row, text, ha="center", va="center", fontsize=8)
    axis.set_title(title)
    clear(axis)


if __name__ == "__main__":
    main()

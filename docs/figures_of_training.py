"""Pictures for `figures.py`: outputs, discriminators, and training."""

import keras
import numpy as np
import tensorflow as tf
from matplotlib import pyplot as plt

from cyclegan_tf.model import (
    Adam,
    ImagePool,
    LinearDecay,
    build_discriminator,
    build_generator,
)
from cyclegan_tf.model.losses import adversarial_loss, discriminator_loss
from docs.drawing import (
    BLUE,
    GREEN,
    GREY,
    INK,
    ORANGE,
    RULE,
    arrow,
    blank,
    box,
    clear,
    outline,
    place,
    scene,
    show,
    unit,
)


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
        clear(axis, note="random weights, in grey")
        axis.set_title(f"--upsampling {upsampling}", family="monospace")
    return canvas


def tanh():
    """From the last convolution to pixels."""
    canvas, axis = plt.subplots(figsize=(5.6, 2.7))
    x = np.linspace(-4, 4, 200, dtype=np.float32)
    axis.plot(x, keras.ops.tanh(x).numpy(), color=BLUE, lw=2)
    axis.set(xlabel="what the last convolution gives", ylabel="tanh, in [−1, 1]")
    levels = axis.secondary_yaxis(
        "right", functions=(lambda v: (v + 1) * 127.5, lambda g: g / 127.5 - 1)
    )
    levels.set(ylabel="grey level", yticks=[0, 64, 128, 191, 255])
    axis.axhline(1, **RULE)
    axis.axhline(-1, **RULE)
    return canvas


def patches():
    """The pixels that one score depends on, measured by its gradient."""
    pixels = scene(3, "striped", 256)
    canvas, (whole, *axes) = plt.subplots(1, 3, figsize=(8.8, 3.2))
    show(whole, unit(pixels)[0], "what one score sees")
    kinds = ("patch46", BLUE, 274), ("patch70", ORANGE, 294)
    for axis, (kind, colour, y) in zip(axes, kinds, strict=True):
        network = build_discriminator(kind, filters=16)
        scores = network(unit(pixels), training=False).numpy()[0, ..., 0]
        top, left, height, width = seen_by_the_middle(kind)
        outline(whole, (left - 0.5, top - 0.5), width, height, colour)
        text = f"{kind}: {height}×{width} px"
        whole.text(0, y, text, color=colour, fontsize=9)
        axis.imshow(scores, cmap="gray")
        rows, columns = scores.shape
        outline(axis, (columns // 2 - 0.5, rows // 2 - 0.5), 1, 1, colour)
        clear(axis, f"{kind}: {rows}×{columns} scores", "random weights")
    return canvas


def seen_by_the_middle(kind, size=256):
    """Top, left, height and width of the pixels that the middle score depends on.

    Normalization would let every score depend a little on all pixels, by their mean
    and deviation; it is left out, as in any count of a receptive field.
    """
    network = build_discriminator(kind, filters=2)
    bare = keras.Sequential([x for x in network.layers if "norm" not in x.name])
    images = tf.random.stateless_normal((1, size, size, 3), (0, 0))
    with tf.GradientTape() as tape:
        tape.watch(images)
        scores = bare(images)
        middle = scores[0, scores.shape[1] // 2, scores.shape[2] // 2, 0]
    is_seen = np.any(tape.gradient(middle, images).numpy()[0] != 0, axis=-1)
    spans = [np.flatnonzero(is_seen.any(axis)) for axis in (1, 0)]
    return *(int(x[0]) for x in spans), *(int(np.ptp(x)) + 1 for x in spans)


def pool():
    """How old the fakes are that the pool returns."""
    steps, size = 600, 50
    kept = ImagePool(size, (1, 1, 1), seed=1)
    ages = []
    for step in range(steps):
        fakes = tf.fill((1, 1, 1, 1), float(step))
        plan = kept.plan(1, step)
        ages.append(step - float(kept.exchange(plan, fakes)[0, 0, 0, 0]))
        kept.store(plan, fakes)
    ages = np.array(ages)
    full = ages[size:]
    canvas, axes = plt.subplots(1, 2, figsize=(8.6, 2.8), width_ratios=[2, 1])
    axes[0].scatter(np.arange(steps), ages, s=7, color=BLUE, linewidths=0)
    axes[0].axvline(size, color=ORANGE, lw=1)
    axes[0].text(size + 8, ages.max() * 0.95, "full: 50 fakes", color=ORANGE, va="top")
    axes[0].set(xlabel="step", ylabel="age of the fake, steps")
    shares = {"made now": np.mean(full == 0), "from the pool": np.mean(full > 0)}
    axes[1].bar([*shares], [*shares.values()], color=[GREY, BLUE], width=0.6)
    title = f"mean age of a drawn fake: {full[full > 0].mean():.0f} steps"
    axes[1].set(ylim=(0, 1), ylabel="share, once it is full", title=title)
    canvas.tight_layout()
    return canvas


def losses():
    """The eight terms, and which network each one trains."""
    canvas, axis = plt.subplots(figsize=(9.6, 6.3))
    blank(axis, (0, 24), (-1.6, 16))
    direction_terms(axis, 9, "ab", "brown", "striped", (BLUE, ORANGE))
    direction_terms(axis, 1, "ba", "striped", "brown", (ORANGE, BLUE))
    axis.axhline(8, color="#d5d8dc", lw=1)
    axis.text(0.3, -0.4, "green: one sum, which trains both generators", color=GREEN)
    text = "grey: trains the discriminators, on fakes that are data to them"
    axis.text(0.3, -1.2, text, color="#666b73")
    return canvas


def direction_terms(axis, low, names, coat, other_coat, colours):
    """The terms of the generator from one domain to the other, and of its judge."""
    (x, y), (own, other), middle = names, colours, low + 2.6
    forth, back = f"gen_{x}{y}", f"gen_{y}{x}"
    picture, translated = scene(3, coat, 64), scene(3, other_coat, 64)
    for left, pixels, label, colour in (
        (0.3, picture, f"real {x}", own),
        (8.0, translated, f"fake {y}", other),
        (15.7, picture, f"cycled {x}", own),
    ):
        place(axis, pixels, left, middle - 1.1, 2.2, colour)
        axis.text(left + 1.1, middle - 1.6, label, ha="center", color=colour)
    for left, name in ((3.6, forth), (11.3, back)):
        corner = (left, middle - 0.55)
        box(axis, corner, 3.3, 1.1, name, GREEN, family="monospace")
        arrow(axis, (left - 1.0, middle), (left - 0.05, middle))
        arrow(axis, (left + 3.4, middle), (left + 4.3, middle))
    # The judge of the fake, above.
    corner = (7.45, middle + 2.4)
    box(axis, corner, 3.3, 1.1, f"disc_{y}", GREY, family="monospace")
    arrow(axis, (9.1, middle + 1.2), (9.1, middle + 2.35))
    text = "(score − 1)²: be judged real"
    term(axis, 11.4, middle + 3.25, f"G_{x.upper()}", text)
    text = f"½[(score of real {y} − 1)² + (of a pooled fake)²]"
    term(axis, 11.4, middle + 2.55, f"D_{y.upper()}", text, GREY)
    # Identity, below: what is in the target domain already.
    axis.text(0.3, low - 0.15, f"real {y}", color=other)
    arrow(axis, (2.2, low), (3.4, low))
    axis.text(3.6, low, forth, color=GREEN, family="monospace", va="center")
    arrow(axis, (6.1, low), (7.4, low))
    axis.text(7.6, low - 0.15, f"same {y}", color=other)
    text = f"|same {y} − real {y}|   × 5"
    term(axis, 11.0, low, f"identity_{x.upper()}", text)
    term(axis, 18.4, middle, f"cycle_{x.upper()}", "")
    axis.text(18.4, middle - 0.7, f"|cycled {x} − real {x}|   × 10", va="center")


def term(axis, x, y, name, text, colour=GREEN):
    """A loss's name, and what it is."""
    axis.text(x, y, name, va="center", family="monospace", weight="bold", color=colour)
    if text:
        axis.text(x + 0.36 * len(name) + 0.6, y, text, va="center")


def least_squares():
    """The adversarial losses as functions of a score."""
    scores = np.linspace(-1, 2, 121, dtype=np.float32)
    zero, half, one = np.float32(0), np.float32(0.5), np.float32(1)
    canvas, axes = plt.subplots(1, 2, figsize=(8.4, 2.8), sharey=True)
    fooled = [float(adversarial_loss(s)) for s in scores]
    axes[0].plot(scores, fooled, color=BLUE, lw=2)
    axes[0].set(title="generator: (score of its fake − 1)²", ylabel="loss")
    on_real = [float(discriminator_loss(s, zero)) for s in scores]
    on_fake = [float(discriminator_loss(one, s)) for s in scores]
    axes[1].plot(scores, on_real, color=GREEN, lw=2, label="score of a real image")
    axes[1].plot(scores, on_fake, color=ORANGE, lw=2, label="score of a fake")
    undecided = float(discriminator_loss(half, half))
    axes[1].plot(0.5, undecided, "o", color=INK, ms=5)
    look = {"ha": "center", "fontsize": 8}
    look["arrowprops"] = {"arrowstyle": "-", "color": GREY}
    text = f"0.5 to everything:\nboth together {undecided:.2f}"
    axes[1].annotate(text, (0.5, undecided), (0.5, 1.0), **look)
    axes[1].legend(fontsize=8, loc="upper center")
    axes[1].set_title("discriminator, the half in front")
    for axis in axes:
        axis.set(xlabel="score: 0 is fake, 1 is real", ylim=(-0.1, 4))
        for x in (0, 1):
            axis.axvline(x, **(RULE | {"lw": 0.6}))
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
    axes[0].axvline(14.5, **RULE)
    text = "step; the gradient turns from 1 to −1 at the line"
    axes[0].set(xlabel=text, ylabel="move of the weight, 10⁻⁴")
    axes[0].legend(fontsize=8)
    schedule = LinearDecay(2e-4, 100, 100, steps_per_epoch=1)
    rates = [float(schedule(epoch)) * 1e4 for epoch in range(200)]
    axes[1].plot(rates, color=GREEN, lw=2)
    axes[1].set(xlabel="epoch", ylabel="learning rate, 10⁻⁴", ylim=(0, 2.2))
    canvas.tight_layout()
    return canvas

"""`synthetic/horse2zebra`: brown and striped animals on meadows, drawn from numbers.

Every picture is a function of `(seed, coat, size)`: the same seed gives the same
meadow, animals and poses in either coat, which is what lets a translation be scored
against the truth. Nothing is shipped and nothing is downloaded.

Lengths are in units of the picture's side.
"""

from typing import Literal

import numpy as np
from PIL import Image

from cyclegan_tf.data.animals import blend, draw_animal, place_animals, ramp

# Raise it with every change that changes a pixel, here or of the animals.
VERSION = 1

Coat = Literal["brown", "striped"]

# Small pictures are drawn twice as large and averaged: thin legs stay smooth at 64 px.
SUPERSAMPLED_BELOW = 128

SKIES = np.array(  # top, bottom
    [
        [[92, 148, 214], [190, 216, 238]],
        [[126, 170, 216], [226, 232, 236]],
        [[150, 166, 184], [206, 212, 216]],
        [[98, 128, 190], [244, 208, 176]],
        [[70, 124, 190], [168, 206, 232]],
    ],
    np.float32,
)
GRASSES = np.array(  # far, near
    [
        [[150, 168, 92], [84, 126, 48]],
        [[166, 172, 104], [112, 136, 58]],
        [[128, 160, 96], [62, 112, 50]],
        [[180, 172, 108], [132, 138, 66]],
    ],
    np.float32,
)


def draw(seed: tuple[int, ...], coat: Coat, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Draws one scene.

    Args:
        seed: non-negative integers; all but the coat is a function of them alone.
        coat: of the animals.
        size: side of the square picture in pixels; below 32 an animal has no legs left.

    Returns:
        uint8 `(size, size, 3)`; and its mask, uint8 `(size, size)`, 255 on the animals
        and 0 on the background.
    """
    rng = np.random.default_rng(seed)
    factor = 2 if size < SUPERSAMPLED_BELOW else 1
    side = size * factor
    horizon = rng.uniform(0.26, 0.44)
    canvas = _draw_background(rng, side, horizon)
    mask = np.zeros((side, side), np.float32)
    for animal in place_animals(rng, horizon):
        draw_animal(canvas, mask, animal, coat == "striped")
    canvas += rng.normal(0, 2.0, canvas.shape).astype(np.float32)
    image = np.clip(np.rint(_shrink(canvas, factor)), 0, 255).astype(np.uint8)
    return image, np.where(_shrink(mask, factor) >= 0.5, 255, 0).astype(np.uint8)


def _shrink(pixels, factor):
    size = len(pixels) // factor
    blocks = (size, factor, size, factor, *pixels.shape[2:])
    return pixels.reshape(blocks).mean(axis=(1, 3))


def _noise(rng, side, rows, columns):
    """Smooth noise in about [-1, 1] from a grid of `rows` x `columns` numbers."""
    grid = rng.uniform(-1, 1, (rows, columns)).astype(np.float32)
    resized = Image.fromarray(grid).resize((side, side), Image.Resampling.BICUBIC)
    return np.asarray(resized)


def _draw_background(rng, side, horizon):
    axis = ((np.arange(side) + 0.5) / side).astype(np.float32)
    y = np.broadcast_to(axis[:, None], (side, side))

    # Sky with a layer of clouds.
    top, bottom = SKIES[rng.integers(len(SKIES))] + rng.uniform(-8, 8, 3)
    canvas = top + (bottom - top) * np.clip(y / horizon, 0, 1)[..., None]
    clouds = _noise(rng, side, 7, 4) + 0.5 * _noise(rng, side, 16, 9)
    threshold = rng.uniform(0.1, 0.9)
    blend(canvas, np.float32(246), 0.75 * ramp(threshold, threshold + 0.6, clouds))

    # Two ranges of hills and a hedge, each paler the farther away it is.
    for height, colour, knots in (
        (0.10, (142, 164, 176), 6),
        (0.06, (116, 144, 112), 8),
        (0.03, (72, 98, 58), 40),
    ):
        profile = _noise(rng, side, 1, knots)[0] * 0.5 + 0.5
        crest = horizon - height * rng.uniform(0.2, 1.0) * (0.35 + profile)
        tint = np.array(colour, np.float32) + rng.uniform(-10, 10, 3)
        blend(canvas, tint, np.clip(0.5 + (y - crest[None]) * side, 0, 1))

    # Meadow: large patches, and blades that grow taller towards the viewer.
    far, near = GRASSES[rng.integers(len(GRASSES))] + rng.uniform(-8, 8, 3)
    depth = np.clip((y - horizon) / (1 - horizon), 0, 1)
    patches = _noise(rng, side, 10, 5)
    blades = _noise(rng, side, 48, 96) * (0.4 + 0.6 * depth)
    grass = far + (near - far) * depth[..., None] ** 0.7
    grass = grass * (1 + 0.10 * patches + 0.13 * blades)[..., None]
    blend(canvas, grass, np.clip(0.5 + (y - horizon) * side, 0, 1))
    return canvas.astype(np.float32)

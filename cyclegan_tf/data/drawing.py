"""The embedded dataset: brown and striped animals on meadows, drawn from numbers.

Every picture is a function of `(seed, coat, size)`: the same seed gives the same
meadow, animals and poses in either coat, which is what lets a translation be scored
against the truth. Nothing is shipped and nothing is downloaded.

Shapes are signed distance fields of tapered capsules in the plane, so that a picture
can be drawn at any size with smooth edges; the along-axis coordinate of a capsule is
what its stripes follow. Lengths are in units of the picture's side unless said
otherwise; an animal's own coordinates have its trunk along x, about 1 unit long, the
feet at y = 0.72, and y pointing down.
"""

import dataclasses
from typing import Literal

import numpy as np
from PIL import Image

# Raise it with every change that changes a pixel.
VERSION = 1

Coat = Literal["brown", "striped"]

MIN_SIZE = 32
# Small pictures are drawn twice as large and averaged: thin legs stay smooth at 64 px.
SUPERSAMPLED_BELOW = 128
FOOT_Y = 0.72

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
BROWNS = np.array(
    [[134, 80, 44], [112, 62, 34], [152, 92, 48], [94, 56, 36], [142, 76, 36]],
    np.float32,
)
DARK = np.array([38, 30, 28], np.float32)
WHITE = np.array([236, 232, 222], np.float32)
BLACK = np.array([30, 27, 28], np.float32)


@dataclasses.dataclass(frozen=True)
class Picture:
    """One drawn scene.

    Attributes:
        image: uint8 `(size, size, 3)`.
        mask: uint8 `(size, size)`, 255 on the animals and 0 on the background.
    """

    image: np.ndarray
    mask: np.ndarray


def draw(seed: tuple[int, ...], coat: Coat, size: int) -> Picture:
    """Draws one scene.

    Args:
        seed: non-negative integers; the scene is a function of them alone.
        coat: which coat the animals wear; all else is the same for both.
        size: side of the square picture in pixels, at least 32.

    Raises:
        ValueError: `size` is below 32, where an animal has no legs left.
    """
    if size < MIN_SIZE:
        raise ValueError(f"size must be at least {MIN_SIZE}, got {size}.")
    rng = np.random.default_rng(seed)
    factor = 2 if size < SUPERSAMPLED_BELOW else 1
    side = size * factor
    horizon = rng.uniform(0.26, 0.44)
    canvas = _draw_background(rng, side, horizon)
    mask = np.zeros((side, side), np.float32)
    for animal in _place_animals(rng, horizon):
        _draw_animal(canvas, mask, animal, coat)
    canvas += rng.normal(0, 2.0, canvas.shape).astype(np.float32)
    image = np.clip(np.rint(_shrink(canvas, factor)), 0, 255).astype(np.uint8)
    return Picture(
        image, np.where(_shrink(mask, factor) >= 0.5, 255, 0).astype(np.uint8)
    )


def _shrink(pixels, factor):
    size = len(pixels) // factor
    blocks = (size, factor, size, factor, *pixels.shape[2:])
    return pixels.reshape(blocks).mean(axis=(1, 3))


def _noise(rng, side, rows, columns):
    """Smooth noise in about [-1, 1] from a grid of `rows` x `columns` numbers."""
    grid = rng.uniform(-1, 1, (rows, columns)).astype(np.float32)
    resized = Image.fromarray(grid).resize((side, side), Image.Resampling.BICUBIC)
    return np.asarray(resized)


def _ramp(low, high, x):
    """0 below `low`, 1 above `high`, smooth between."""
    t = np.clip((x - low) / (high - low), 0, 1)
    return t * t * (3 - 2 * t)


def _blend(canvas, colour, alpha):
    canvas += (colour - canvas) * alpha[..., None]


def _draw_background(rng, side, horizon):
    axis = ((np.arange(side) + 0.5) / side).astype(np.float32)
    y = np.broadcast_to(axis[:, None], (side, side))

    # Sky with a layer of clouds.
    top, bottom = SKIES[rng.integers(len(SKIES))] + rng.uniform(-8, 8, 3)
    canvas = top + (bottom - top) * np.clip(y / horizon, 0, 1)[..., None]
    clouds = _noise(rng, side, 7, 4) + 0.5 * _noise(rng, side, 16, 9)
    threshold = rng.uniform(0.1, 0.9)
    _blend(canvas, np.float32(246), 0.75 * _ramp(threshold, threshold + 0.6, clouds))

    # Two ranges of hills and a hedge, each paler the farther away it is.
    for height, colour, knots in (
        (0.10, (142, 164, 176), 6),
        (0.06, (116, 144, 112), 8),
        (0.03, (72, 98, 58), 40),
    ):
        profile = _noise(rng, side, 1, knots)[0] * 0.5 + 0.5
        crest = horizon - height * rng.uniform(0.2, 1.0) * (0.35 + profile)
        tint = np.array(colour, np.float32) + rng.uniform(-10, 10, 3)
        _blend(canvas, tint, np.clip(0.5 + (y - crest[None]) * side, 0, 1))

    # Meadow: large patches, and blades that grow taller towards the viewer.
    far, near = GRASSES[rng.integers(len(GRASSES))] + rng.uniform(-8, 8, 3)
    depth = np.clip((y - horizon) / (1 - horizon), 0, 1)
    patches = _noise(rng, side, 10, 5)
    blades = _noise(rng, side, 48, 96) * (0.4 + 0.6 * depth)
    grass = far + (near - far) * depth[..., None] ** 0.7
    grass = grass * (1 + 0.10 * patches + 0.13 * blades)[..., None]
    _blend(canvas, grass, np.clip(0.5 + (y - horizon) * side, 0, 1))
    return canvas.astype(np.float32)


@dataclasses.dataclass(frozen=True)
class _Animal:
    x: float  # of the middle of the trunk
    ground: float  # y of the feet
    scale: float  # length of the trunk
    facing: int  # +1 right, -1 left
    neck_angle: float  # radians above the horizontal
    stride: tuple[float, ...]  # forward swing of each of the four legs, radians
    tail_swing: float
    bulk: float  # thickness of the trunk relative to the usual
    brown: np.ndarray
    stripe_phase: float
    stripe_density: float  # stripes along the trunk
    light: float


def _place_animals(rng, horizon):
    """One to three animals, the farther ones smaller, sorted back to front."""
    number = rng.choice([1, 2, 3], p=[0.55, 0.3, 0.15])
    grounds = np.sort(rng.uniform(0.45, 1.0, number))
    centres = (rng.permutation(number) + rng.uniform(0.3, 0.7, number)) / number
    animals = []
    for depth, x in zip(grounds, centres, strict=True):
        walking = rng.random() < 0.6
        swing = rng.uniform(0.15, 0.45) if walking else 0.06
        grazing = rng.random() < 0.3
        shrink = {1: 1.0, 2: 0.85, 3: 0.7}[int(number)]
        animals.append(
            _Animal(
                x=float(np.clip(x, 0.3, 0.7) if number == 1 else x),
                ground=horizon + (0.97 - horizon) * depth,
                scale=float(rng.uniform(0.34, 0.46) * shrink * (0.6 + 0.5 * depth)),
                facing=int(rng.choice([-1, 1])),
                neck_angle=rng.uniform(-0.7, -0.35) if grazing else rng.uniform(0.6, 1),
                stride=tuple(swing * rng.uniform(-1, 1, 4)),
                tail_swing=rng.uniform(-0.15, 0.35),
                bulk=rng.uniform(0.9, 1.12),
                brown=BROWNS[rng.integers(len(BROWNS))] + rng.uniform(-8, 8, 3),
                stripe_phase=rng.uniform(0, 1),
                stripe_density=rng.uniform(6.0, 7.5),
                light=rng.uniform(0.92, 1.08),
            )
        )
    return animals


def _capsule(x, y, start, end, start_radius, end_radius):
    """Signed distance to a tapered capsule, and the place along its axis.

    The place is 0 at `start`, 1 at `end` and goes on beyond them.
    """
    # Python floats, so that the pixels stay float32.
    start_x, start_y, end_x, end_y = map(float, (*start, *end))
    along, down = end_x - start_x, end_y - start_y
    place = (x - start_x) * along + (y - start_y) * down
    place = place / (along * along + down * down)
    t = np.clip(place, 0, 1)
    gap = np.hypot(x - start_x - t * along, y - start_y - t * down)
    return gap - (start_radius + (end_radius - start_radius) * t), place


def _smooth_union(first, second, softness):
    h = np.clip(0.5 + 0.5 * (second - first) / softness, 0, 1)
    return second + (first - second) * h - softness * h * (1 - h)


def _swing(origin, angle, length):
    """The point `length` below `origin`, swung forward by `angle`."""
    return origin[0] + length * np.sin(angle), origin[1] + length * np.cos(angle)


class _Brush:
    """Paints one animal's parts in its own coordinates onto a part of the canvas."""

    def __init__(self, canvas, mask, animal, coat):
        side = len(canvas)
        reach = 1.25 * animal.scale
        centre_y = animal.ground - FOOT_Y * animal.scale
        rows = slice(*_clipped(centre_y - reach, centre_y + reach, side))
        columns = slice(*_clipped(animal.x - reach, animal.x + reach, side))
        self.canvas, self.mask = canvas[rows, columns], mask[rows, columns]
        axis = ((np.arange(side) + 0.5) / side).astype(np.float32)
        self.x = (axis[columns] - animal.x)[None] / animal.scale * animal.facing
        self.y = (axis[rows] - centre_y)[:, None] / animal.scale
        self.x, self.y = np.broadcast_arrays(self.x, self.y)
        self.pixels = side * animal.scale  # per unit
        self.animal, self.striped = animal, coat == "striped"

    def paint(self, distance, colour, shade=1.0, form=None):
        """Fills `distance < 0` with `colour`, lit from above and rounded.

        `form` is the distance to the larger shape that the light falls on, where the
        part has grown into one.
        """
        if min(distance.shape) < 2:
            return  # outside the picture
        form = distance if form is None else form
        slope_y, slope_x = np.gradient(form, 1 / self.pixels)
        rim = np.clip(1 + form / 0.16, 0, 1)
        lit = 1 + rim * (-0.30 * slope_y + 0.06 * slope_x)
        pixels = colour * (lit * shade * self.animal.light)[..., None]
        alpha = np.clip(0.5 - distance * self.pixels, 0, 1)
        _blend(self.canvas, pixels, alpha)
        np.maximum(self.mask, alpha, out=self.mask)

    def coat(self, phase, brown):
        """The coat's colour where a stripe ends at every whole `phase`."""
        if not self.striped:
            return np.broadcast_to(brown, (*self.x.shape, 3))
        wave = np.sin(2 * np.pi * (phase + self.animal.stripe_phase))
        white = _ramp(-0.35, 0.35, wave + 0.1)
        return BLACK + (WHITE - BLACK) * white[..., None]


def _clipped(low, high, side):
    return max(0, int(low * side)), min(side, max(0, int(np.ceil(high * side))))


def _draw_animal(canvas, mask, animal, coat):
    brush = _Brush(canvas, mask, animal, coat)
    x, y, bulk = brush.x, brush.y, animal.bulk
    density = animal.stripe_density

    # Shadow on the grass: part of the background, so not in the mask.
    shadow = np.hypot(x / 0.75, (y - FOOT_Y) / 0.09)
    _blend(brush.canvas, np.float32(30), 0.4 * (1 - _ramp(0.35, 1.05, shadow)))

    # Skeleton: where neck, head and tail are.
    withers = (0.40, -0.08)
    up, along = np.sin(animal.neck_angle), np.cos(animal.neck_angle)
    poll = (withers[0] + 0.44 * along, withers[1] - 0.44 * up)
    nod = animal.neck_angle - 1.25 if animal.neck_angle > 0 else -1.15
    muzzle = (poll[0] + 0.28 * np.cos(nod), poll[1] - 0.28 * np.sin(nod))
    dock = (-0.56, -0.10)
    tuft = _swing(dock, -0.25 - animal.tail_swing, 0.52)
    hips = ((-0.44, 0.04), (0.34, 0.06), (-0.36, 0.06), (0.42, 0.04))

    def leg(hip, swing, is_hind, shade, body=None):
        bend = 0.25 if is_hind else -0.1
        knee = _swing(hip, swing + (0.12 if is_hind else 0.0), 0.36)
        hoof = _swing(knee, swing * 0.6 - bend * 0.5, FOOT_Y - 0.04 - knee[1])
        upper, t_upper = _capsule(x, y, hip, knee, 0.125 if is_hind else 0.10, 0.055)
        lower, t_lower = _capsule(x, y, knee, hoof, 0.052, 0.036)
        phase = np.where(upper < lower, 3.2 * t_upper, 3.2 + 3.0 * t_lower)
        brown = animal.brown * (1 - 0.25 * np.clip(t_lower, 0, 1)[..., None])
        whole = _smooth_union(upper, lower, 0.04)
        form = whole if body is None else _smooth_union(whole, body, 0.15)
        brush.paint(whole, brush.coat(phase, brown), shade, form)
        end = (hoof[0] + 0.02, hoof[1] + 0.015)
        brush.paint(_capsule(x, y, hoof, end, 0.04, 0.045)[0], DARK, shade)

    # Far legs and the tail lie behind the body.
    leg(hips[0], animal.stride[0], is_hind=True, shade=0.72)
    leg(hips[1], animal.stride[1], is_hind=False, shade=0.72)
    tail, t = _capsule(x, y, dock, tuft, 0.035, 0.055)
    colour = brush.coat(5.0 * t, animal.brown)
    brush.paint(tail, colour + (DARK - colour) * _ramp(0.35, 0.55, t)[..., None])

    # Mane first, body over it: only a fringe along the crest of the neck stays.
    crest = (-up * 0.10, -along * 0.10)
    mane, t = _capsule(x, y, np.add(withers, crest), np.add(poll, crest), 0.06, 0.05)
    brush.paint(mane, brush.coat(4.5 * t + 0.3, DARK))
    ear = _swing(poll, np.pi - 0.35 + 0.4 * (1 - up), 0.15)
    ear, t = _capsule(x, y, poll, ear, 0.05, 0.02)
    brush.paint(ear, brush.coat(t, animal.brown), shade=0.85)

    # Body: trunk, neck and head grown together; the stripes of each follow its axis
    # and lean backwards over the rump.
    trunk = _capsule(x, y, (-0.38, -0.02), (0.36, -0.01), 0.225 * bulk, 0.205 * bulk)[0]
    belly = _capsule(x, y, (-0.15, 0.04), (0.2, 0.05), 0.2 * bulk, 0.2 * bulk)[0]
    neck, t_neck = _capsule(x, y, withers, poll, 0.175, 0.095)
    head, t_head = _capsule(x, y, poll, muzzle, 0.10, 0.062)
    trunk = _smooth_union(trunk, belly, 0.05)
    body = _smooth_union(_smooth_union(trunk, neck, 0.10), head, 0.03)
    lean = 0.9 * _ramp(0.1, 0.55, -x)
    phase = density * (x + y * (0.12 - lean)) + 0.22 * np.sin(9 * y + 3 * x)
    is_neck = _ramp(-0.04, 0.04, trunk - neck)
    phase = phase + (density * 0.40 + 4.2 * t_neck - phase) * is_neck
    phase = np.where(head < np.minimum(neck, trunk), 7.5 + 3.5 * t_head, phase)
    belly_shade = 1 - 0.18 * _ramp(0.0, 0.3, y)
    colour = brush.coat(phase, animal.brown)
    is_muzzle = _ramp(0.62, 0.8, t_head) * (head < np.minimum(neck, trunk))
    colour = colour + (DARK - colour) * (0.85 * is_muzzle)[..., None]
    brush.paint(body, colour, belly_shade)
    eye = np.add(poll, 0.32 * np.subtract(muzzle, poll))
    brush.paint(np.hypot(x - eye[0], y - eye[1] + 0.03) - 0.022, BLACK, shade=0.6)

    leg(hips[2], animal.stride[2], is_hind=True, shade=1.0, body=body)
    leg(hips[3], animal.stride[3], is_hind=False, shade=1.0, body=body)

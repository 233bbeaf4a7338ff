"""The animals of `synthetic/horse2zebra`.

Shapes are signed distance fields of tapered capsules in the plane, so that an animal
can be drawn at any size with smooth edges; the along-axis coordinate of a capsule is
what its stripes follow. An animal's own coordinates have its trunk along x, about
1 unit long, the feet at y = 0.72, and y pointing down.
"""

import types

import numpy as np

FOOT_Y = 0.72
BROWNS = np.array(
    [[134, 80, 44], [112, 62, 34], [152, 92, 48], [94, 56, 36], [142, 76, 36]],
    np.float32,
)
DARK = np.array([38, 30, 28], np.float32)
WHITE = np.array([236, 232, 222], np.float32)
BLACK = np.array([30, 27, 28], np.float32)


def place_animals(rng, horizon):
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
        animal = types.SimpleNamespace()
        # The middle of the trunk, y of the feet, length of the trunk, in the picture.
        animal.x = float(np.clip(x, 0.3, 0.7) if number == 1 else x)
        animal.ground = horizon + (0.97 - horizon) * depth
        animal.scale = float(rng.uniform(0.34, 0.46) * shrink * (0.6 + 0.5 * depth))
        animal.facing = int(rng.choice([-1, 1]))  # right is +1
        # Radians: the neck above the horizontal, and the forward swing of each leg.
        neck = rng.uniform(-0.7, -0.35) if grazing else rng.uniform(0.6, 1)
        animal.neck_angle = neck
        animal.stride = swing * rng.uniform(-1, 1, 4)
        animal.tail_swing = rng.uniform(-0.15, 0.35)
        animal.bulk = rng.uniform(0.9, 1.12)  # of the trunk, relative to the usual
        animal.brown = BROWNS[rng.integers(len(BROWNS))] + rng.uniform(-8, 8, 3)
        animal.stripe_phase = rng.uniform(0, 1)
        animal.stripe_density = rng.uniform(6.0, 7.5)  # stripes along the trunk
        animal.light = rng.uniform(0.92, 1.08)
        animals.append(animal)
    return animals


def ramp(low, high, x):
    """0 below `low`, 1 above `high`, smooth between."""
    t = np.clip((x - low) / (high - low), 0, 1)
    return t * t * (3 - 2 * t)


def blend(canvas, colour, alpha):
    """Mixes a colour into the canvas, wholly where alpha is 1."""
    canvas += (colour - canvas) * alpha[..., None]


def draw_animal(canvas, mask, animal, striped):
    """Paints one of `place_animals`, back to front.

    Changes the canvas, float32 `(side, side, 3)` grey levels, and the mask, float32
    `(side, side)`, which is raised to 1 on the animal.
    """
    brush = _Brush(canvas, mask, animal, striped)

    # Shadow on the grass: part of the background, so not in the mask.
    shadow = np.hypot(brush.x / 0.75, (brush.y - FOOT_Y) / 0.09)
    blend(brush.canvas, np.float32(30), 0.4 * (1 - ramp(0.35, 1.05, shadow)))

    # Skeleton: where neck, head and hips are.
    withers = (0.40, -0.08)
    up, along = np.sin(animal.neck_angle), np.cos(animal.neck_angle)
    poll = (withers[0] + 0.44 * along, withers[1] - 0.44 * up)
    nod = animal.neck_angle - 1.25 if animal.neck_angle > 0 else -1.15
    muzzle = (poll[0] + 0.28 * np.cos(nod), poll[1] - 0.28 * np.sin(nod))
    hips = ((-0.44, 0.04), (0.34, 0.06), (-0.36, 0.06), (0.42, 0.04))

    # Far legs and the tail lie behind the body, and so does most of the mane.
    for i in (0, 1):
        _draw_leg(brush, hips[i], animal.stride[i], is_hind=i == 0, shade=0.72)
    _draw_tail(brush)
    _draw_mane_and_ear(brush, withers, poll, up, along)
    body = _draw_body(brush, withers, poll, muzzle)
    for i in (2, 3):
        _draw_leg(brush, hips[i], animal.stride[i], is_hind=i == 2, body=body)


def _draw_leg(brush, hip, swing, is_hind, shade=1.0, body=None):
    x, y = brush.x, brush.y
    bend = 0.25 if is_hind else -0.1
    knee = _swing(hip, swing + (0.12 if is_hind else 0.0), 0.36)
    hoof = _swing(knee, swing * 0.6 - bend * 0.5, FOOT_Y - 0.04 - knee[1])
    upper, t_upper = _capsule(x, y, hip, knee, 0.125 if is_hind else 0.10, 0.055)
    lower, t_lower = _capsule(x, y, knee, hoof, 0.052, 0.036)
    phase = np.where(upper < lower, 3.2 * t_upper, 3.2 + 3.0 * t_lower)
    brown = brush.animal.brown * (1 - 0.25 * np.clip(t_lower, 0, 1)[..., None])
    whole = _smooth_union(upper, lower, 0.04)
    form = whole if body is None else _smooth_union(whole, body, 0.15)
    brush.paint(whole, brush.coat(phase, brown), shade, form)
    end = (hoof[0] + 0.02, hoof[1] + 0.015)
    brush.paint(_capsule(x, y, hoof, end, 0.04, 0.045)[0], DARK, shade)


def _draw_tail(brush):
    dock = (-0.56, -0.10)
    tuft = _swing(dock, -0.25 - brush.animal.tail_swing, 0.52)
    tail, t = _capsule(brush.x, brush.y, dock, tuft, 0.035, 0.055)
    colour = brush.coat(5.0 * t, brush.animal.brown)
    brush.paint(tail, colour + (DARK - colour) * ramp(0.35, 0.55, t)[..., None])


def _draw_mane_and_ear(brush, withers, poll, up, along):
    """Before the body: of the mane only a fringe along the neck's crest stays."""
    x, y = brush.x, brush.y
    crest = (-up * 0.10, -along * 0.10)
    mane, t = _capsule(x, y, np.add(withers, crest), np.add(poll, crest), 0.06, 0.05)
    brush.paint(mane, brush.coat(4.5 * t + 0.3, DARK))
    tip = _swing(poll, np.pi - 0.35 + 0.4 * (1 - up), 0.15)
    ear, t = _capsule(x, y, poll, tip, 0.05, 0.02)
    brush.paint(ear, brush.coat(t, brush.animal.brown), shade=0.85)


def _draw_body(brush, withers, poll, muzzle):
    """Trunk, neck and head, grown together, and the eye; returns the body's distance.

    The stripes of each part follow its axis and lean backwards over the rump.
    """
    x, y, bulk = brush.x, brush.y, brush.animal.bulk
    density = brush.animal.stripe_density
    trunk = _capsule(x, y, (-0.38, -0.02), (0.36, -0.01), 0.225 * bulk, 0.205 * bulk)[0]
    belly = _capsule(x, y, (-0.15, 0.04), (0.2, 0.05), 0.2 * bulk, 0.2 * bulk)[0]
    neck, t_neck = _capsule(x, y, withers, poll, 0.175, 0.095)
    head, t_head = _capsule(x, y, poll, muzzle, 0.10, 0.062)
    trunk = _smooth_union(trunk, belly, 0.05)
    body = _smooth_union(_smooth_union(trunk, neck, 0.10), head, 0.03)
    is_head = head < np.minimum(neck, trunk)

    lean = 0.9 * ramp(0.1, 0.55, -x)
    phase = density * (x + y * (0.12 - lean)) + 0.22 * np.sin(9 * y + 3 * x)
    is_neck = ramp(-0.04, 0.04, trunk - neck)
    phase = phase + (density * 0.40 + 4.2 * t_neck - phase) * is_neck
    phase = np.where(is_head, 7.5 + 3.5 * t_head, phase)
    colour = brush.coat(phase, brush.animal.brown)
    is_muzzle = ramp(0.62, 0.8, t_head) * is_head
    colour = colour + (DARK - colour) * (0.85 * is_muzzle)[..., None]
    brush.paint(body, colour, shade=1 - 0.18 * ramp(0.0, 0.3, y))  # a darker belly
    eye = np.add(poll, 0.32 * np.subtract(muzzle, poll))
    brush.paint(np.hypot(x - eye[0], y - eye[1] + 0.03) - 0.022, BLACK, shade=0.6)
    return body


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

    def __init__(self, canvas, mask, animal, striped):
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
        self.animal, self.striped = animal, striped

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
        blend(self.canvas, pixels, alpha)
        np.maximum(self.mask, alpha, out=self.mask)

    def coat(self, phase, brown):
        """The coat's colour where a stripe ends at every whole `phase`."""
        if not self.striped:
            return np.broadcast_to(brown, (*self.x.shape, 3))
        wave = np.sin(2 * np.pi * (phase + self.animal.stripe_phase))
        white = ramp(-0.35, 0.35, wave + 0.1)
        return BLACK + (WHITE - BLACK) * white[..., None]


def _clipped(low, high, side):
    return max(0, int(low * side)), min(side, max(0, int(np.ceil(high * side))))

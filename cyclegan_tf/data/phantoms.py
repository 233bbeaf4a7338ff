"""`synthetic/t1_t2`: slices through heads in two contrasts of MRI, of 16 bits.

A head is a function of `(seed, size)`: nested layers of tissues in a pose of its own.
A contrast is a function of the tissue, from its proton density and relaxation times, so
that the same seed gives the same head in either one, and a translation has one truth.
Tissues that are alike in one contrast differ in the other: what a value becomes has to
be seen from where it lies.

Lengths are in units of half the head's length; v points down, to the back of the head.
"""

from typing import Literal, NamedTuple

import numpy as np

# Raise it with every change that changes a pixel.
VERSION = 1

Contrast = Literal["t1", "t2"]
CONTRASTS = ("t1", "t2")
# Small pictures are drawn twice as large and averaged: thin layers stay whole.
SUPERSAMPLED_BELOW = 128
MAX_VALUE = 4095  # 12 bits, as scanners give them
NOISE = 16.0  # standard deviation of either part of the complex signal, in values


class Tissue(NamedTuple):
    """What determines a tissue's signal, at 1.5 tesla."""

    density: float  # of protons, of water: 1
    t1: float  # relaxation times in ms
    t2: float


AIR = Tissue(0.0, 1000, 1000)
BONE = Tissue(0.02, 500, 30)
# Fat is suppressed in T2, as it mostly is: it shows as if it faded so fast.
MARROW = Tissue(0.55, 300, 40)
SKIN = Tissue(0.72, 700, 60)
FAT = Tissue(0.66, 260, 40)
MUSCLE = Tissue(0.80, 950, 45)
FLUID = Tissue(1.0, 3800, 1500)  # around the brain, in its ventricles, in the eyes
GREY = Tissue(0.82, 950, 100)
WHITE = Tissue(0.70, 600, 78)
PALLIDUM = Tissue(0.74, 750, 65)
LESION = Tissue(0.86, 1050, 210)
TUMOUR = Tissue(0.84, 1250, 130)
LENS = Tissue(0.70, 900, 40)


def draw(seed: tuple[int, ...], contrast: Contrast, size: int) -> np.ndarray:
    """Draws one slice.

    Args:
        seed: non-negative integers; the head is a function of them alone.
        contrast: how its tissues are seen; where they lie is the same for both. The
            noise is drawn for each by itself.
        size: side of the square picture in pixels; below 32 a skull has no thickness
            left.

    Returns:
        uint16 `(size, size, 1)`, 0 to 4095.
    """
    rng = np.random.default_rng(seed)
    factor = 2 if size < SUPERSAMPLED_BELOW else 1
    head = _Head(rng, size * factor, contrast)
    outline, depth = _draw_layers(head, rng)
    white = _draw_folds(head, rng, depth)
    _draw_lesions(head, rng, depth, white)
    _draw_depths(head, rng)
    if head.level < 0.45:
        _draw_face(head, rng, outline)
    # Tissues are uneven, and the coil is nearer to one side: alike in both contrasts.
    texture = 0.025 * head.waves(rng, 9) + 0.02 * head.waves(rng, 22)
    coil = head.waves(rng, 0.35)
    coil = np.exp(0.1 * (coil - coil.mean()))
    values = head.canvas * (1 + texture) * coil
    values = values.reshape(size, factor, size, factor).mean(axis=(1, 3))
    # What a scanner shows is the magnitude of a complex signal.
    noise = np.random.default_rng((*seed, 1 + CONTRASTS.index(contrast)))
    real, imaginary = noise.normal(0, NOISE, (2, size, size))
    magnitude = np.hypot(values + real, imaginary)
    return np.uint16(np.clip(np.rint(magnitude), 0, MAX_VALUE))[..., None]


def signal(tissue: Tissue, contrast: Contrast) -> float:
    """The value of a tissue, before texture, coil and noise.

    T1 by the equation of inversion recovery, T2 by that of spin echo, each with a
    constant gain: the brightest tissue is at about 3000.
    """
    density, t1, t2 = tissue
    if contrast == "t1":
        recovered = 1 - 2 * np.exp(-950 / t1) + np.exp(-2000 / t1)
        return 4700 * density * recovered * np.exp(-4 / t2)
    return 4700 * density * (1 - np.exp(-4000 / t1)) * np.exp(-90 / t2)


class _Head:
    """A canvas, the head's coordinates at each of its pixels, and its pose."""

    def __init__(self, rng, side, contrast):
        self.contrast = contrast
        self.canvas = np.zeros((side, side))
        self.level = rng.uniform()  # of the slice: 0 through the eyes, 1 at the top
        self.size = rng.uniform(0.43, 0.48) * (1 - 0.08 * self.level)
        self.pixels = side * self.size  # per unit
        self.axis = ((np.arange(side) + 0.5) / side - 0.5) / self.size
        x = self.axis + rng.normal(0, 0.04)
        y = self.axis[:, None] + rng.normal(0, 0.03) - 0.08 * (self.level < 0.45)
        turn = rng.normal(0, 0.17)
        self.u = x * np.cos(turn) + y * np.sin(turn)
        self.v = y * np.cos(turn) - x * np.sin(turn)
        # No head is an ellipse, and none symmetric.
        self.u = self.u + 0.02 * self.waves(rng, 0.5) + 0.008 * self.waves(rng, 1.5)
        self.v = self.v + 0.02 * self.waves(rng, 0.5) + 0.008 * self.waves(rng, 1.5)
        self.width = rng.uniform(0.78, 0.88)  # of the head, relative to its length
        self.angle = np.arctan2(self.u, -self.v)  # 0 at the forehead

    def waves(self, rng, frequency, number=8):
        """Smooth noise with a standard deviation of 1, in cycles per unit."""
        turns, phases = rng.uniform(0, 2 * np.pi, (2, number, 1))
        cycles = 2 * np.pi * frequency * rng.uniform(0.5, 1.5, (number, 1))
        across = cycles * np.cos(turns) * self.axis + phases
        down = cycles * np.sin(turns) * self.axis
        # cos(across + down), summed over the waves in an order that no machine changes.
        first = np.concatenate([np.cos(down), -np.sin(down)])
        second = np.concatenate([np.cos(across), np.sin(across)])
        return np.einsum("ki,kj->ij", first, second) * np.sqrt(2 / number)

    def cover(self, distance):
        """How much of each pixel lies where `distance` is negative."""
        return np.clip(0.5 - distance * self.pixels, 0, 1)

    def paint(self, tissue, distance, share=1.0):
        """Fills `distance < 0`; `share` of a tissue is mixed with what is there."""
        mixed = self.cover(distance) * share
        self.canvas += (signal(tissue, self.contrast) - self.canvas) * mixed

    def ellipse(self, centre, radii, turn=0.0):
        """About the distance to an ellipse: negative inside."""
        u, v = self.u - centre[0], self.v - centre[1]
        along = (u * np.cos(turn) + v * np.sin(turn)) / radii[0]
        across = (v * np.cos(turn) - u * np.sin(turn)) / radii[1]
        radius = np.hypot(along, across) + 1e-9
        slope = np.hypot(along / radii[0], across / radii[1]) / radius
        return (radius - 1) / slope

    def capsule(self, start, end, start_radius, end_radius):
        """The distance to a line that has a thickness: negative inside."""
        along, down = end[0] - start[0], end[1] - start[1]
        u, v = self.u - start[0], self.v - start[1]
        t = np.clip((u * along + v * down) / (along**2 + down**2), 0, 1)
        gap = np.hypot(u - t * along, v - t * down)
        return gap - (start_radius + (end_radius - start_radius) * t)


def _draw_layers(head, rng):
    """Skin, fat, muscle, skull; returns the distance to the skin, the brain's depth."""
    outline = head.ellipse((0, 0), (head.width, 1))
    if head.level < 0.45:
        nose = head.ellipse((0, -1.0), (0.13, rng.uniform(0.1, 0.2)))
        outline = np.minimum(outline, nose)
        for side in (-1, 1):
            ear = head.ellipse((side * head.width, 0.1), (0.06, 0.17), side * 0.3)
            head.paint(SKIN, ear)
    head.paint(SKIN, outline)
    # Thicker at the back; the temporal muscles lie on both sides of the forehead.
    unevenness = 1 + 0.3 * head.waves(rng, 0.7)
    fat = rng.uniform(0.06, 0.12) * (1 - 0.4 * np.cos(head.angle)) * unevenness
    temple = np.exp(-(((np.abs(head.angle) - 1.25) / 0.4) ** 2))
    muscle = rng.uniform(0.05, 0.11) * (1.2 - head.level) * temple
    depth = -outline - 0.05
    head.paint(FAT, -depth)
    head.paint(MUSCLE, np.maximum(fat - depth, 0.02 - muscle))
    depth = depth - np.maximum(fat, 0.015) - muscle
    head.paint(BONE, -depth)
    diploe = rng.uniform(0.05, 0.08)
    head.paint(MARROW, np.maximum(0.05 - depth, depth - 0.05 - diploe))
    depth = depth - 0.1 - diploe
    head.paint(FLUID, -depth)
    # The older, the more fluid around the brain.
    head.age = rng.uniform()
    return outline, depth - 0.035 - 0.045 * head.age - 0.008 * head.waves(rng, 2)


def _draw_folds(head, rng, depth):
    """The brain with its folded bark; returns the share of white matter in pixels.

    Furrows run inwards from the surface, each with a depth of its own.
    """
    head.paint(GREY, -depth)
    number = int(rng.integers(8, 12))
    bent = head.angle + 0.1 * head.waves(rng, 1.2) + 0.05 * head.waves(rng, 3)
    place = bent * number / (2 * np.pi) + rng.uniform()
    nearest = np.round(place)
    reach = rng.uniform(0.1, 0.34, number)[nearest.astype(int) % number]
    radius = np.hypot(head.u, head.v)
    gap = np.abs(place - nearest) * 2 * np.pi / number * radius
    open_to = (0.022 + 0.026 * head.age) * (1.1 - depth / reach)
    furrow = np.maximum(gap - open_to, depth - reach)
    # Between the halves of the brain, and at its sides down to the insula.
    middle = 0.016 + 0.014 * head.age
    front, back = (0, 0) if head.level > 0.7 else (-0.36, 0.42)
    clefts = [head.capsule((0, -1), (0, front), middle, middle / 2)]
    clefts.append(head.capsule((0, 1), (0, back), middle, middle / 2))
    if head.level < 0.7:
        for side in (-1, 1):
            outer = (
                side * head.width * rng.uniform(0.72, 0.8),
                rng.normal(-0.12, 0.04),
            )
            inner = (side * head.width * rng.uniform(0.52, 0.6), rng.normal(0.03, 0.03))
            opening = 0.025 + 0.03 * head.age
            clefts.append(head.capsule(outer, inner, opening, opening / 2))
    furrow = np.minimum(furrow, np.minimum.reduce(clefts))
    thickness = rng.uniform(0.08, 0.095) + 0.008 * head.waves(rng, 4)
    white = np.maximum(thickness - depth, thickness - furrow)
    head.paint(WHITE, white)
    head.paint(FLUID, np.maximum(furrow, -depth))
    return head.cover(white)


def _draw_depths(head, rng):
    """Ventricles and the grey matter around them, each side a little different."""
    if head.level > 0.85:
        return
    wide = 0.02 + 0.045 * head.age * rng.uniform(0.7, 1.3)
    low = head.level < 0.65  # through the basal ganglia

    def near(u, v):
        return side * u + rng.normal(0, 0.008), v + rng.normal(0, 0.012)

    for side in (-1, 1):
        horn, trunk = near(0.13, -0.3), near(0.08, -0.08)
        waist, rear = near(0.13, 0.18), near(0.24, 0.42)
        if low:
            head.paint(GREY, head.ellipse(near(0.15, -0.19), (0.07, 0.12), side * 0.3))
            head.paint(GREY, head.ellipse(near(0.12, 0.1), (0.1, 0.15), -side * 0.4))
            putamen = head.ellipse(near(0.34, -0.02), (0.07, 0.19), -side * 0.2)
            head.paint(GREY, putamen)
            pallidum = head.ellipse(near(0.265, 0.0), (0.055, 0.11), -side * 0.25)
            head.paint(PALLIDUM, pallidum)
        head.paint(FLUID, head.capsule(horn, trunk, wide * 1.2, wide * 0.9))
        if not low:
            head.paint(FLUID, head.capsule(trunk, waist, wide * 0.9, wide))
        head.paint(FLUID, head.capsule(waist, rear, wide * 0.9, wide * 1.3))
    if low:
        third = 0.008 + 0.2 * wide
        head.paint(FLUID, head.capsule((0, -0.02), (0, 0.2), third, third * 1.3))


def _draw_lesions(head, rng, depth, white):
    """Spots in the white matter, and in some heads a tumour with its swelling."""
    for _ in range(rng.poisson(3)):
        angle, radius = rng.uniform(0, 2 * np.pi), rng.uniform(0.22, 0.6)
        centre = radius * head.width * np.sin(angle), -radius * np.cos(angle)
        radii = rng.uniform(0.025, 0.075, 2)
        spot = head.ellipse(centre, radii, rng.uniform(0, np.pi))
        head.paint(LESION, spot, white * rng.uniform(0.7, 1))
    if rng.random() < 0.25:
        side = rng.choice([-1, 1])
        centre = side * rng.uniform(0.25, 0.4), rng.uniform(-0.4, 0.45)
        radius = rng.uniform(0.08, 0.17)
        ragged = 0.03 * head.waves(rng, 2)
        swelling = head.ellipse(centre, (1.7 * radius, 1.9 * radius)) + 2 * ragged
        head.paint(LESION, swelling, white)
        core = np.maximum(head.ellipse(centre, (radius, radius)) + ragged, -depth)
        head.paint(TUMOUR, core)
        head.paint(FLUID, core + 0.6 * radius)


def _draw_face(head, rng, outline):
    """Eyes in the fat of their orbits, with lens and nerve, and air in the nose."""
    for side in (-1, 1):
        centre = side * rng.uniform(0.31, 0.34), rng.normal(-0.71, 0.015)
        apex = side * 0.13, -0.38
        orbit = head.capsule(centre, apex, 0.19, 0.05)
        head.paint(BONE, np.maximum(orbit - 0.03, outline + 0.09))
        head.paint(FAT, np.maximum(orbit, outline + 0.05))
        head.paint(GREY, head.capsule(centre, apex, 0.028, 0.028))
        for edge in (-1, 1):
            start = centre[0] + edge * 0.15, centre[1] + 0.02
            head.paint(MUSCLE, head.capsule(start, apex, 0.025, 0.02))
        globe = head.ellipse(centre, (0.135, 0.14))
        head.paint(MUSCLE, globe)
        head.paint(FLUID, globe + 0.025)
        look = rng.normal(0, 0.02)
        front = centre[0] + look, centre[1] - 0.095
        head.paint(LENS, head.ellipse(front, (0.06, 0.028)))
    head.paint(SKIN, head.ellipse((0, -0.75), (0.11, 0.24)))
    for side in (-1, 1):
        cell = head.ellipse((side * 0.05, -0.74), (0.035, 0.19))
        head.paint(AIR, cell + 0.006 * head.waves(rng, 4))

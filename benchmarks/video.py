"""How much do translated videos flicker, with and without `--steady`, and how fast?

    python benchmarks/video.py --run-dir runs/synthetic/horse2zebra

Draws a scene with the noise of a camera, once with animals that walk past and once
panned, and translates both from A to B. One JSON line for each: the flicker that
`translate.py` prints, and frames per second without the start.
"""

import dataclasses
import time

import numpy as np
from common import field, quiet_start, report, script
from PIL import Image

from cyclegan_tf.data.drawing import draw

NOISE = 4  # standard deviation, in grey levels


@dataclasses.dataclass(frozen=True)
class Options:
    """What to translate, and by which run."""

    run_dir: str = field("runs/synthetic/horse2zebra", help="trained run")
    frames: int = field(72, help="of each video")
    side: int = field(96, help="of a frame")


def main(options):
    """Translates the videos in both ways."""
    with quiet_start():
        from cyclegan_tf.inference import flicker, translator

    translate = translator.load(options.run_dir)
    for name, frame in (("animals walk", walking), ("panned", panned)):
        rng = np.random.default_rng(0)
        clean = np.stack([frame(i, options.side) for i in range(options.frames)])
        noise = rng.normal(0, NOISE, clean.shape)
        video = np.clip(np.rint(clean + noise), 0, 255).astype(np.uint8)
        translate(video[:8])  # compiles
        for is_steadied in (False, True):
            measure, steadier = flicker.Flicker(), flicker.Steadier()
            start = time.monotonic()
            for i in range(0, len(video), 8):
                reals = video[i : i + 8]
                for real, fake in zip(reals, translate(reals), strict=True):
                    measure.update(real, steadier(real, fake) if is_steadied else fake)
            real, fake = measure.changes
            report(
                video=name,
                steady=is_steadied,
                flicker=round(fake / real, 2),
                frames_per_s=round(len(video) / (time.monotonic() - start), 1),
            )


def panned(i, side):
    """A window on a larger scene that goes half a pixel a frame, and back."""
    travel = side // 3
    x = travel - abs(i // 2 % (2 * travel) - travel)
    scene = draw((3, 1), "brown", side + travel).image
    return scene[travel // 2 : travel // 2 + side, x : x + side]


def walking(i, side):
    """The same scene standing still, and small animals that go through it."""
    frame = panned(0, side).astype(float)
    animals, size = draw((8, 2), "brown", 128), side * 3 // 5
    drawn = np.dstack([animals.image, animals.mask])
    small = np.asarray(Image.fromarray(drawn).resize((size, size)), float)
    x, opacity = i // 2 % (side - size), small[..., 3:] / 255
    place = frame[side - size - 2 : side - 2, x : x + size]
    place += opacity * (small[..., :3] - place)
    return frame


if __name__ == "__main__":
    script(main, Options, __doc__)

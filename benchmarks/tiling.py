"""Do pictures translated in bounded memory have seams, and how much memory is it?

    python benchmarks/tiling.py
    python benchmarks/tiling.py --run-dir runs/synthetic/horse2zebra --large-side 0

Translates one drawn scene as a whole, by `translate.py --tile` and by naive tiles, each
translated on its own. One JSON line for each: the largest and mean difference from the
whole in grey levels, and the seam, which is the step of that difference across the
tiles' borders (mean of absolute values, in grey levels; 0 is no seam). Then one line
for a large picture: seconds and peak memory of the process, with full-size networks.
"""

import dataclasses
import pathlib
import subprocess
import sys
import tempfile
import time

import numpy as np
import psutil
from common import ROOT, field, quiet_start, report, script
from PIL import Image

from cyclegan_tf.config import TrainConfig
from cyclegan_tf.data.domain import Domains

RGB = Domains()


@dataclasses.dataclass(frozen=True)
class Options:
    """What to measure."""

    run_dir: str | None = field(None, help="trained run; default: random weights")
    side: int = field(1024, help="of the picture that is translated in all ways")
    tile_side: int = field(256, help="of a naive tile")
    large_side: int = field(4096, help="of the picture whose memory is taken; 0: none")
    filters: int = field(64, help="of the network with random weights")
    residual_blocks: int = field(9, help="likewise")


def main(options):
    """Compares at one size, then measures a large picture."""
    with quiet_start():
        from cyclegan_tf.inference.pixels import translate_all
        from cyclegan_tf.inference.tiling import translate_in_stripes
        from cyclegan_tf.model.networks import build_generator
        from cyclegan_tf.runs import directory as run_directory
        from cyclegan_tf.runs import generators

    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        run_dir = pathlib.Path(options.run_dir) if options.run_dir else folder / "run"
        if options.run_dir is None:
            filters, blocks = options.filters, options.residual_blocks
            config = TrainConfig(filters=filters, residual_blocks=blocks)
            run_directory.write_config(run_dir, run_directory.Recorded(config, None))
            generator = build_generator(filters, blocks)
            generators.save_generators(run_dir, {"a_to_b": generator}, {"step": 0})
        generator = generators.load_generators(run_dir)["a_to_b"]

        picture = scene(options.side)
        whole = translate_all(generator, picture[None], *RGB)[0]
        tiles = naive_tiles(generator, picture, options.tile_side)
        for way, translated in (
            ("stripes", translate_in_stripes(generator, picture, *RGB, folder)),
            (f"naive tiles of {options.tile_side}", tiles),
        ):
            difference = translated.astype(int) - whole
            report(
                way=way,
                side=options.side,
                largest=int(np.abs(difference).max()),
                mean=round(float(np.abs(difference).mean()), 3),
                seam=round(seam(difference, options.tile_side), 3),
            )
        if options.large_side:
            report(**large_picture(run_dir, options.large_side, folder))


def scene(side):
    """A picture that differs from one end to the other, as scenes do."""
    rng = np.random.default_rng(0)
    coarse = Image.fromarray(rng.integers(0, 256, (8, 8, 3), np.uint8))
    smooth = np.asarray(coarse.resize((side, side), Image.Resampling.BICUBIC), int)
    grain = rng.integers(-12, 13, (side, side, 1))
    return np.clip(smooth + grain, 0, 255).astype(np.uint8)


def naive_tiles(generator, picture, side):
    """Each tile translated as if it were a picture."""
    from cyclegan_tf.inference.pixels import translate_all

    translated = np.empty_like(picture)
    for y in range(0, picture.shape[0], side):
        for x in range(0, picture.shape[1], side):
            place = (slice(y, y + side), slice(x, x + side))
            tile = picture[place][None]
            translated[place] = translate_all(generator, tile, *RGB)[0]
    return translated


def seam(difference, side):
    """Mean step of the difference from the whole across the borders of tiles."""
    steps = [
        np.abs(np.diff(difference, axis=axis).take(borders - 1, axis=axis)).mean()
        for axis, borders in (
            (0, np.arange(side, difference.shape[0], side)),
            (1, np.arange(side, difference.shape[1], side)),
        )
    ]
    return float(np.mean(steps))


def large_picture(run_dir, side, folder):
    """Seconds and peak memory of translating one large picture by the command."""
    source, target = folder / "large.png", folder / "translated.png"
    Image.fromarray(scene(side)).save(source)
    start = time.monotonic()
    command = ["translate.py", "--tile", "--model", run_dir, source, target]
    process = subprocess.Popen([sys.executable, *map(str, command)], cwd=ROOT)
    peak = 0
    # Not from wait4: its peak is at least the memory of the process that forks.
    while process.poll() is None:
        peak = max(peak, psutil.Process(process.pid).memory_info().rss)
        time.sleep(0.1)
    if process.returncode:
        sys.exit("the translation failed")
    return {
        "way": "translate.py --tile",
        "side": side,
        "seconds": round(time.monotonic() - start, 1),
        "peak_gib": round(peak / 2**30, 2),
    }


if __name__ == "__main__":
    script(main, Options, __doc__)

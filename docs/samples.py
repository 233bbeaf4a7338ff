"""Makes the README's two pictures of the newest samples of a run.

    python docs/samples.py runs/synthetic/horse2zebra

Pixels are enlarged, not smoothed, so that they can be judged.
"""

import pathlib
import sys

from PIL import Image

DOCS = pathlib.Path(__file__).resolve().parent
TIMES = 3


def main(run_dir: pathlib.Path) -> None:
    """Writes `horse2zebra-a.png` and `-b.png`."""
    for domain in "ab":
        newest = sorted(run_dir.glob(f"samples/epoch-*-{domain}.png"))[-1]
        with Image.open(newest) as grid:
            size = (TIMES * grid.width, TIMES * grid.height)
            enlarged = grid.resize(size, Image.Resampling.NEAREST)
        enlarged.save(DOCS / f"horse2zebra-{domain}.png", optimize=True)


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]))

"""Makes the table and the picture of `docs/t1-t2.md` of a run.

    python docs/t1_t2.py runs/synthetic/t1_t2

Beside the model stands what can be had without one: nothing, the matched histogram, and
the best table of values. This gives each value, by steps of a grey level, the median of
what it becomes in the test images' own truths for the MAE, and the mean for the rest:
no other mapping of single values has a smaller absolute or squared error.
"""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))

import numpy as np
from matplotlib import pyplot as plt
from skimage.exposure import match_histograms

from cyclegan_tf.data import pipeline
from cyclegan_tf.data.ranges import to_grey_levels
from cyclegan_tf.inference.pixels import translate_all
from cyclegan_tf.metrics import similarity
from cyclegan_tf.runs.run_dir import RunDir

ROOT = pathlib.Path(__file__).resolve().parent.parent
PICTURE = ROOT / "docs" / "t1-t2.png"
NUM_SHOWN = 5
NAMES = {"a_to_b": ("T1", "T2"), "b_to_a": ("T2", "T1")}


def main(run_dir: pathlib.Path) -> None:
    """Prints the table, and writes the picture."""
    run = RunDir.open(run_dir)
    images = {
        domain: pipeline.load_images(split, run.options.frame)
        for domain, split in run.images("test").items()
    }
    trained = run.generators().generators
    canvas, axes = plt.subplots(NUM_SHOWN, 8, figsize=(8.4, 5.5), layout="constrained")
    print("| | MAE | PSNR | SSIM |\n|-|-|-|-|")
    for (direction, names), cells in zip(
        NAMES.items(), np.split(axes, 2, axis=1), strict=True
    ):
        source, target = run.domains.of(direction)
        real, true = (images[domain] for domain in direction.split("_to_"))
        fake = translate_all(trained[direction], real, source, target)
        real, true, fake = (
            to_grey_levels(x, domain)
            for x, domain in ((real, source), (true, target), (fake, target))
        )
        table = by_table(np.mean, real, true)
        for way, result, closest in (
            ("the model", fake, fake),
            ("nothing", real, real),
            # Of all images together.
            ("histogram matched", *[match_histograms(real, true)] * 2),
            ("best table of values", table, by_table(np.median, real, true)),
        ):
            mae = similarity.mean_absolute_error(closest, true).mean()
            psnr = similarity.psnr(result, true).mean()
            ssim = similarity.ssim(result, true).mean()
            title = f"{names[0]} to {names[1]}, {way}"
            print(f"| {title} | {mae:.2f} | {psnr:.2f} | {ssim:.3f} |")
        titles = (names[0], "best table", "model", f"true {names[1]}")
        show(cells, titles, (real, table, fake, true))
    canvas.savefig(PICTURE, dpi=100, pil_kwargs={"optimize": True})
    print(f"\n{PICTURE.relative_to(ROOT)}")


def by_table(kind, real, true):
    """Each value as a mean or median of its truths."""
    places, result = np.rint(real), np.zeros_like(real)
    for place in np.unique(places):
        result[places == place] = kind(true[places == place])
    return result


def show(cells, titles, columns):
    """A column of pictures each."""
    for axes, title, pictures in zip(cells.T, titles, columns, strict=True):
        axes[0].set_title(title, fontsize=9)
        for axis, picture in zip(axes, pictures, strict=False):
            axis.imshow(picture[..., 0], cmap="gray", vmin=0, vmax=255)
            axis.axis("off")


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]))

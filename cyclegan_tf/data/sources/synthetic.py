"""The embedded dataset, drawn from numbers."""

from cyclegan_tf.config import DatasetConfig
from cyclegan_tf.data import drawing, images
from cyclegan_tf.data.sources.source import Loaded, Source, Split

NAME = "synthetic/horse2zebra"


def find(config: DatasetConfig) -> Source | None:
    """The embedded dataset, if `--dataset` names it."""
    if config.dataset != NAME:
        return None
    num_train = config.synthetic_images
    num_test = max(1, round(num_train / 10))
    seed, size = config.data_seed, config.resolved_synthetic_size

    def jobs(stream, coat, number):
        return Split(number, [(seed, stream, i, coat, size) for i in range(number)])

    def splits():
        return {
            "trainA": jobs(0, "brown", num_train),
            "trainB": jobs(1, "striped", num_train),
            # The same scenes in both coats.
            "testA": jobs(2, "brown", num_test),
            "testB": jobs(2, "striped", num_test),
        }

    identity = {
        "kind": "synthetic",
        "version": drawing.VERSION,
        "seed": seed,
        "images": num_train,
        "size": size,
    }
    return Source(NAME, identity, splits, _draw, is_paired=True)


def names_near(_) -> list[str]:
    """The name of the embedded dataset."""
    return [NAME]


def _draw(job):
    seed, stream, index, coat, size = job
    picture = drawing.draw((seed, stream, index), coat, size)
    is_test = stream == 2
    mask = images.encode_png(picture.mask).encoded if is_test else b""
    return Loaded(images.encode_png(picture.image), f"{coat}-{index:05d}.png", mask)

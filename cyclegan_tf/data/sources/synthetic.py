"""The embedded datasets, drawn from numbers."""

from collections.abc import Callable
from typing import Any, NamedTuple

from cyclegan_tf.config import DatasetConfig
from cyclegan_tf.data import drawing, images, phantoms
from cyclegan_tf.data.picture import Picture
from cyclegan_tf.data.sources.source import Loaded, Source, Split


def find(config: DatasetConfig) -> Source | None:
    """The embedded dataset that `--dataset` names, if it does."""
    embedded = EMBEDDED.get(config.dataset_name)
    if embedded is None:
        return None
    num_train = config.synthetic_images
    num_test = max(1, round(num_train / 10))
    seed, size = config.data_seed, config.resolved_synthetic_size
    look_a, look_b = embedded.looks

    def jobs(stream, look, number):
        return Split(number, [(seed, stream, i, look, size) for i in range(number)])

    def splits():
        return {
            "trainA": jobs(0, look_a, num_train),
            "trainB": jobs(1, look_b, num_train),
            # The same scenes in both looks.
            "testA": jobs(2, look_a, num_test),
            "testB": jobs(2, look_b, num_test),
        }

    identity = {
        "kind": "synthetic",
        "version": embedded.version,
        "seed": seed,
        "images": num_train,
        "size": size,
    }
    return Source(config.dataset_name, identity, splits, embedded.load, is_paired=True)


def names_near(_) -> list[str]:
    """The names of the embedded datasets."""
    return list(EMBEDDED)


def _draw_animals(job, _):
    seed, stream, index, coat, size = job
    picture = drawing.draw((seed, stream, index), coat, size)
    is_test = stream == 2
    mask = images.encode(picture.mask[..., None]).encoded if is_test else b""
    image, name = images.encode(picture.image), f"{coat}-{index:05d}.png"
    return Loaded(image, Picture(picture.image), name, mask)


def _draw_head(job, _):
    seed, stream, index, contrast, size = job
    pixels = phantoms.draw((seed, stream, index), contrast, size)
    name = f"{contrast}-{index:05d}.png"
    return Loaded(images.encode(pixels), Picture(pixels), name)


class _Embedded(NamedTuple):
    looks: tuple[str, str]  # of domain A, and of domain B
    version: int
    load: Callable[[Any, Any], Loaded]


EMBEDDED = {
    "synthetic/horse2zebra": _Embedded(
        ("brown", "striped"), drawing.VERSION, _draw_animals
    ),
    "synthetic/t1_t2": _Embedded(phantoms.CONTRASTS, phantoms.VERSION, _draw_head),
}

"""The embedded datasets, drawn from numbers."""

import functools
from collections.abc import Callable
from typing import NamedTuple

from cyclegan_tf.config import DatasetConfig
from cyclegan_tf.data import drawing, images, phantoms
from cyclegan_tf.data.picture import Picture
from cyclegan_tf.data.sources.source import Job, Source, Split


class Embedded(NamedTuple):
    """An embedded dataset: its two looks, and what draws a scene in one of them."""

    looks: tuple[str, str]  # of domain A, and of domain B
    version: int
    draw: Callable  # of a seed, a look and a size; see `Job`


def find(config: DatasetConfig) -> Source | None:
    """The embedded dataset that `--dataset` names, if it does."""
    embedded = EMBEDDED.get(config.dataset_name)
    if embedded is None:
        return None
    num_train = config.synthetic_images
    num_test = max(1, round(num_train / 10))
    seed, size = config.data_seed, config.resolved_synthetic_size

    def split(stream, look, number):
        jobs = (
            Job(
                f"{look}-{i:05d}.png",
                functools.partial(embedded.draw, (seed, stream, i), look, size),
            )
            for i in range(number)
        )
        return Split(number, jobs)

    def splits():
        look_a, look_b = embedded.looks
        return {
            "trainA": split(0, look_a, num_train),
            "trainB": split(1, look_b, num_train),
            # The same scenes in both looks.
            "testA": split(TEST_STREAM, look_a, num_test),
            "testB": split(TEST_STREAM, look_b, num_test),
        }

    identity = {
        "kind": "synthetic",
        "version": embedded.version,
        "seed": seed,
        "images": num_train,
        "size": size,
    }
    return Source(config.dataset_name, identity, splits, is_paired=True)


def _draw_animals(seed, coat, size):
    pixels, inside = drawing.draw(seed, coat, size)
    has_mask = seed[1] == TEST_STREAM
    mask = images.encode(inside[..., None]).encoded if has_mask else b""
    return Picture(pixels), mask


def _draw_head(seed, contrast, size):
    return Picture(phantoms.draw(seed, contrast, size)), b""


TEST_STREAM = 2  # of scenes
EMBEDDED = {
    "synthetic/horse2zebra": Embedded(
        ("brown", "striped"), drawing.VERSION, _draw_animals
    ),
    "synthetic/t1_t2": Embedded(phantoms.CONTRASTS, phantoms.VERSION, _draw_head),
}

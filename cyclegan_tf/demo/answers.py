"""What the page answers: a picture's translations, as they are shown and as files."""

import contextlib
import dataclasses
import pathlib
from typing import NamedTuple

import numpy as np
from PIL import Image

from cyclegan_tf.common.errors import InputError
from cyclegan_tf.data.domain import Domain
from cyclegan_tf.data.picture import Picture
from cyclegan_tf.data.pipeline import load_images
from cyclegan_tf.data.ranges import to_shown
from cyclegan_tf.data.writing import suffix_for, write
from cyclegan_tf.inference.translator import Translator
from cyclegan_tf.runs.directory import CONFIG
from cyclegan_tf.runs.run_dir import RunDir

# In pixels; more than a screen has would only be sent.
MAX_SHOWN_SIDE = 1600
MAX_EXAMPLES = 3  # of each domain
OTHER = {"a_to_b": "b_to_a", "b_to_a": "a_to_b"}


class Example(NamedTuple):
    """A test image of a run as a direction takes it, and in 8 bits of RGB."""

    direction: str
    pixels: np.ndarray
    shown: np.ndarray


class Answer(NamedTuple):
    """A picture and its translation, there and back, in 8 bits of RGB.

    The file has the translation in full size, and in the form of its domain. Models of
    one direction leave `cycled` out.
    """

    before: np.ndarray
    after: np.ndarray
    cycled: np.ndarray | None
    file: pathlib.Path


def examples(model: pathlib.Path, directions: list[str]) -> list[Example]:
    """Test images of a run; none of an export, or where the images are gone."""
    if not (model / CONFIG).is_file():
        return []
    found, run = [], RunDir.open(model)
    with contextlib.suppress(InputError):
        splits = run.images("test")
        for direction in directions:
            split = splits[direction[0]].first(MAX_EXAMPLES)
            for image in load_images(split, run.options.frame):
                found.append(Example(direction, image, to_shown(image, split.domain)))
    return found


def answer(
    picture: Picture,
    direction: str,
    translators: dict[str, Translator],
    folder: pathlib.Path,
    name: str,
) -> Answer:
    """Translates a picture by one of `translators`, and its translation back.

    The folder gets the file of the translation, named by the direction and `name`, that
    of the picture's file, and of a kind that can keep what this says of it. Raises what
    `Translator` does, and `OSError` if the file cannot be written.
    """
    translate = translators[direction]
    fake = translate(picture.pixels)
    cycled = None
    if back := translators.get(OTHER[direction]):
        cycled = _shown(back(fake), back.target)
    given = pathlib.Path(name)
    suffix = suffix_for(translate.target, given)
    file = folder / f"{given.stem[:60]}-{direction}{suffix}"
    write(file, fake, picture)
    before = _shown(picture.pixels, translate.source)
    return Answer(before, _shown(fake, translate.target), cycled, file)


def _shown(pixels, domain: Domain):
    if domain.dtype != "uint8" and (domain.low, domain.high) == (0, 255):
        # An older export has its range within; here it is that of the picture.
        low, high = float(pixels.min()), float(pixels.max())
        domain = dataclasses.replace(domain, low=low, high=max(high, low + 1e-6))
    image = Image.fromarray(to_shown(pixels, domain))
    image.thumbnail((MAX_SHOWN_SIDE, MAX_SHOWN_SIDE))
    return np.asarray(image)

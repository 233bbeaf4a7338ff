"""What is exported, generators of a run and images to try them on; what was kept."""

import contextlib
import dataclasses
import pathlib
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from cyclegan_tf.common.errors import InputError
from cyclegan_tf.config import ExportConfig
from cyclegan_tf.config.formats import Format
from cyclegan_tf.config.sizes import Frame
from cyclegan_tf.data.domain import Domains
from cyclegan_tf.data.pipeline import load_images
from cyclegan_tf.evaluation.comparison import Figures
from cyclegan_tf.runs.generators import Trained
from cyclegan_tf.runs.run_dir import RunDir

NUM_HELD_OUT = 4
NUM_CALIBRATION = 32


@dataclasses.dataclass(frozen=True)
class Subject:
    """What is exported, in whatever format.

    Attributes:
        run: that the generators are of.
        frame: what is seen of an image: of the size that an export is fixed to, or else
            that of the training.
        trained: the generators, their step and weights.
        images: held out, `(count, height, width, channels)` by direction.
        origin: where they come from, in words.
        calibration: for int8, training images by direction.
    """

    run: RunDir
    frame: Frame
    trained: Trained
    images: dict[str, np.ndarray]
    origin: str
    calibration: dict[str, np.ndarray] | None


class Comparison(NamedTuple):
    """One signature of an export beside the Keras model.

    Differences are in grey levels: 1/255 of the range that comes out.
    """

    signature: str
    max_difference: float
    mean_difference: float


@dataclasses.dataclass(frozen=True)
class Exported:
    """One kept version of one format.

    Attributes:
        domains: what its directions lead from and to.
        comparisons: its signatures beside the Keras model.
        versions: of what it was verified with.
        compared: in fewer than 32 bits, its figures beside those of float32.
    """

    form: Format
    domains: Domains
    directory: pathlib.Path
    comparisons: list[Comparison]
    versions: dict[str, str]
    compared: dict[str, Figures]

    @property
    def verified_with(self) -> str:
        """The versions in words."""
        return ", ".join(f"{name} {version}" for name, version in self.versions.items())


def open_subject(run: RunDir, config: ExportConfig) -> Subject:
    """Reads generators and images of a run.

    Raises `InputError` if there is no such model, or int8 has no images to be
    calibrated with.
    """
    trained = run.generators(config.checkpoint, config.weights)
    frame = run.options.frame
    frame = Frame(*(config.fixed_size or frame[:2]), frame.resize)
    images, origin = held_out_images(run, trained.generators, frame)
    calibration = None
    if config.precision == "int8":
        calibration = calibration_images(run, trained.generators, frame)
    return Subject(run, frame, trained, images, origin, calibration)


def held_out_images(run, directions, frame) -> tuple[dict[str, np.ndarray], str]:
    """Test images of the dataset by direction, or noise where there are none."""
    options = run.options
    # They may be gone, or of imported models have another form.
    with contextlib.suppress(InputError, tf.errors.InvalidArgumentError):
        images = _images_of(run, "test", directions, frame, NUM_HELD_OUT)
        if all(map(len, images.values())):
            return images, f"test images of {options.dataset_name}"
    images = {
        direction: _noise(run.domains.of(direction)[0], frame)
        for direction in directions
    }
    return images, f"smooth noise (no test images of the run in {options.data_dir})"


def calibration_images(run, directions, frame) -> dict[str, np.ndarray]:
    """Training images by direction."""
    try:
        return _images_of(run, "train", directions, frame, NUM_CALIBRATION)
    except InputError as error:
        raise InputError(
            f"--precision int8 is calibrated on training images of the run: {error}"
        ) from None


def _images_of(run, kind, directions, frame, number):
    splits = run.images(kind)
    return {
        direction: load_images(splits[direction[0]].first(number), frame)
        for direction in directions
    }


def _noise(domain, frame):
    shape = (NUM_HELD_OUT, 8, 8, domain.channels)
    coarse = np.random.default_rng(0).uniform(domain.low, domain.high, shape)
    return tf.cast(tf.image.resize(coarse, frame[:2]), domain.dtype).numpy()

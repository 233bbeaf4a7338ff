"""Images of a run that its exports are verified on, and calibrated with."""

import contextlib

import numpy as np
import tensorflow as tf

from cyclegan_tf.common.errors import InputError
from cyclegan_tf.data.pipeline import load_images
from cyclegan_tf.runs.run_dir import RunDir

NUM_HELD_OUT = 4
NUM_CALIBRATION = 32


def held_out_images(
    run: RunDir, directions: list[str]
) -> tuple[dict[str, np.ndarray], str]:
    """Images that the generators of a run were not trained on.

    Returns:
        `(count, height, width, channels)` by direction, and where they come from, in
        words: test images of the dataset, or noise where there are none.
    """
    options = run.options
    # They may be gone, or of imported models have another form.
    with contextlib.suppress(InputError, tf.errors.InvalidArgumentError):
        splits = run.images("test")
        images = {
            direction: load_images(splits[direction[0]], options.frame, NUM_HELD_OUT)
            for direction in directions
        }
        if all(map(len, images.values())):
            return images, f"test images of {options.dataset_name}"
    sources = {direction: run.domains.of(direction)[0] for direction in directions}
    noise = {name: _noise(domain, options.frame) for name, domain in sources.items()}
    return noise, f"smooth noise (no test images of the run in {options.data_dir})"


def _noise(domain, frame):
    shape = (NUM_HELD_OUT, 8, 8, domain.channels)
    coarse = np.random.default_rng(0).uniform(domain.low, domain.high, shape)
    return tf.cast(tf.image.resize(coarse, frame[:2]), domain.dtype).numpy()


def calibration_images(run: RunDir, directions: list[str]) -> dict[str, np.ndarray]:
    """Training images `(count, height, width, channels)` by direction.

    Raises:
        InputError: the images are gone.
    """
    try:
        splits = run.images("train")
        return {
            direction: load_images(
                splits[direction[0]], run.options.frame, NUM_CALIBRATION
            )
            for direction in directions
        }
    except InputError as error:
        raise InputError(
            f"--precision int8 is calibrated on training images of the run: {error}"
        ) from None

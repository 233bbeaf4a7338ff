import numpy as np
import pytest
import tensorflow as tf

from cyclegan_tf.data.domain import Domain
from cyclegan_tf.data.images import UnreadableImage
from cyclegan_tf.inference import translator
from cyclegan_tf.model.networks import build_generator

RGB = Domain()


class FullMemory:
    """Of a machine that has none left."""

    available = 0


def test_too_little_memory_is_said_before_the_start(monkeypatch):
    monkeypatch.setattr(translator.psutil, "virtual_memory", FullMemory)
    translate = translator._function(build_generator(2, 1), RGB, RGB, None)
    with pytest.raises(UnreadableImage, match="GB of memory.*--tile"):
        translate(np.zeros((1, 32, 32, 3), np.uint8))


def test_device_without_memory_names_tile():
    def exhausted(images):
        raise tf.errors.ResourceExhaustedError(None, None, "OOM when allocating")

    translate = translator.Translator(RGB, RGB, exhausted)
    with pytest.raises(UnreadableImage, match="too large for the memory; --tile"):
        translate(np.zeros((32, 32, 3), np.uint8))


@pytest.mark.parametrize(
    "images, said",
    [
        (np.zeros((32, 32, 2), np.uint8), r"expected float32 .*, 2\) .*got uint8"),
        (
            np.zeros((32, 32), np.float32),
            r"\(height, width, 2\).*got float32 \(32, 32\)",
        ),
        (np.zeros((15, 32, 2), np.float32), "sides from 16 on"),
        (np.full((32, 32, 2), np.nan, np.float32), "NaN"),
    ],
    ids=range(4),
)
def test_what_does_not_fit_is_refused_with_what_was_expected(images, said):
    translate = translator.Translator(Domain(2, "float32", 0, 1), RGB, None)
    with pytest.raises(ValueError, match=said):
        translate(images)

import numpy as np
import pytest
import tensorflow as tf

from cyclegan_tf.data.images import UnreadableImage
from cyclegan_tf.inference import translator
from cyclegan_tf.model.networks import build_generator


class FullMemory:
    """Of a machine that has none left."""

    available = 0


def test_too_little_memory_is_said_before_the_start(monkeypatch):
    monkeypatch.setattr(translator.psutil, "virtual_memory", FullMemory)
    translate = translator._function(build_generator(2, 1), None)
    with pytest.raises(UnreadableImage, match="GB of memory.*--tile"):
        translate(np.zeros((1, 32, 32, 3), np.uint8))


def test_device_without_memory_names_tile(monkeypatch):
    def exhausted(images):
        raise tf.errors.ResourceExhaustedError(None, None, "OOM when allocating")

    monkeypatch.setattr(translator, "load_generators", lambda *_: {"a_to_b": None})
    monkeypatch.setattr(translator, "_function", lambda *_: exhausted)
    with pytest.raises(UnreadableImage, match="too large for the memory; --tile"):
        translator.load("a-run")(np.zeros((32, 32, 3), np.uint8))

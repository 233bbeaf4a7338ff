import numpy as np
import pytest
import tensorflow as tf

from cyclegan_tf.data.domain import Domain, Domains
from cyclegan_tf.data.images import UnreadableImage
from cyclegan_tf.inference import trained
from cyclegan_tf.inference.direction import Translator
from cyclegan_tf.model.networks import build_generator

RGB = Domain()
GENERATOR = {"a_to_b": build_generator(64, 1)}


def test_too_little_memory_is_said_before_the_start(monkeypatch):
    (translate,) = trained.translators_of(GENERATOR, Domains()).values()
    with pytest.raises(UnreadableImage, match="GB of memory.*--tile"):
        translate(np.zeros((30_000, 30_000, 3), np.uint8))
    monkeypatch.setattr(trained, "available_memory", lambda: 0)
    with pytest.raises(UnreadableImage, match="GB of memory.*--tile"):
        translate(np.zeros((32, 32, 3), np.uint8))


def test_device_without_memory_names_tile(monkeypatch):
    def exhausted(*_):
        raise tf.errors.ResourceExhaustedError(None, None, "OOM when allocating")

    monkeypatch.setattr(trained.tf, "constant", exhausted)
    (translate,) = trained.translators_of(GENERATOR, Domains()).values()
    with pytest.raises(UnreadableImage, match="too large for the memory; --tile"):
        translate(np.zeros((32, 32, 3), np.uint8))


def test_no_pictures_become_no_pictures():
    translate = Translator(RGB, Domain(2, "float32", 0, 1), None)
    none = translate(np.zeros((0, 32, 48, 3), np.uint8))
    assert none.shape == (0, 32, 48, 2) and none.dtype == np.float32


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
    translate = Translator(Domain(2, "float32", 0, 1), RGB, None)
    with pytest.raises(ValueError, match=said):
        translate(images)

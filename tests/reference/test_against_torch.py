"""Our networks and training step beside the authors', recomputed with PyTorch."""

import numpy as np
import pytest

from benchmarks.torch_reference import Generator
from cyclegan_tf.config.losses import LOSSES
from tests import parity
from tests.parity import relative_error
from tests.reference import oracle


@pytest.fixture(scope="module")
def everything():
    return oracle.everything()


def test_recorded_numbers_are_up_to_date(everything):
    with np.load(parity.RECORDED) as recorded:
        assert sorted(recorded.files) == sorted(everything)
        for name, array in everything.items():
            if ".bias" in name:
                continue  # before a norm, their gradient is rounding and nothing else
            assert relative_error(parity.probe(array), recorded[name]) < 1e-3, name


@pytest.mark.parametrize("size", parity.SIZES)
@pytest.mark.parametrize("blocks", parity.BLOCKS)
def test_full_size_generator(everything, blocks, size):
    output = parity.generator(64, blocks, seed=blocks)(parity.images(*size, seed=9))
    difference = output.numpy() - everything[f"generator {blocks} {size}"]
    assert np.abs(difference).max() < parity.OUTPUT_TOLERANCE


@pytest.mark.parametrize("size", parity.SIZES)
@pytest.mark.parametrize("kind", parity.KINDS)
def test_full_size_discriminator(everything, kind, size):
    output = parity.discriminator(kind, 64, seed=3)(parity.images(*size, seed=9))
    difference = output.numpy() - everything[f"discriminator {kind} {size}"]
    assert np.abs(difference).max() < parity.OUTPUT_TOLERANCE


@pytest.mark.parametrize("kind", parity.KINDS)
def test_losses_and_gradients(everything, kind):
    losses, gradients = parity.gradients(parity.model(kind), kind)
    expected = dict(zip(LOSSES, everything[f"losses {kind}"], strict=True))
    for name in LOSSES:
        assert losses[name] == pytest.approx(expected[name], rel=parity.LOSS_TOLERANCE)
    for name, gradient in gradients.items():
        error = relative_error(gradient, everything[f"gradient {kind} {name}"])
        assert error < parity.GRADIENT_TOLERANCE, name


@pytest.mark.parametrize("precision", ["float32", "float64"])
def test_training(everything, precision):
    if precision == "float64":
        with parity.double_precision():
            _, moved = parity.training(parity.model())
    else:
        _, moved = parity.training(parity.model())
    for step, of_all in moved.items():
        for name, movement in of_all.items():
            error = relative_error(movement, everything[f"movement {step} {name}"])
            assert error < parity.MOVEMENT_TOLERANCE[precision][step], (step, name)


def test_bias_before_a_norm_changes_nothing():
    weights = parity.generator_weights(64, 9, seed=1)
    without = {
        name: np.zeros_like(array)
        if name.endswith("bias") and array.size > 3  # the last one has no norm
        else array
        for name, array in weights.items()
    }
    images = parity.images(64, 64, seed=9)
    outputs = [
        oracle.apply(oracle.load(Generator(64, 9), w), images)
        for w in (weights, without)
    ]
    assert not all(np.array_equal(weights[n], without[n]) for n in weights)
    assert np.abs(outputs[0] - outputs[1]).max() < parity.OUTPUT_TOLERANCE


def test_initial_weights_are_the_papers():
    network = Generator(64, 9)
    kernels = [
        p.detach().numpy() for n, p in network.named_parameters() if "weight" in n
    ]
    assert np.concatenate([k.ravel() for k in kernels]).std() == pytest.approx(
        0.02, rel=0.01
    )
    assert not network.model[1].bias.any()

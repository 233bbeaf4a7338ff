"""Our networks and training step beside the authors', number by number.

The numbers were recorded from `benchmarks/torch_reference.py`, which needs PyTorch, by
`python -m tests.reference.oracle`; `tests/reference` compares with it directly.
"""

import functools

import keras
import numpy as np
import pytest
import tensorflow as tf

from cyclegan_tf.config.losses import LOSSES
from cyclegan_tf.interop import convert
from cyclegan_tf.model import cyclegan, networks
from cyclegan_tf.model.losses import absolute_error
from tests import parity
from tests.parity import probe, relative_error


@pytest.fixture(scope="module")
def recorded():
    with np.load(parity.RECORDED) as archive:
        return dict(archive)


def output_error(network, size, expected):
    """The largest difference of the probed outputs."""
    output = network(parity.images(*size, seed=9)).numpy()
    return np.abs(probe(output) - expected).max()


@pytest.mark.parametrize("size", parity.SIZES)
@pytest.mark.parametrize("blocks", parity.BLOCKS)
def test_full_size_generator_equals_the_authors(recorded, blocks, size):
    expected = recorded[f"generator {blocks} {size}"]
    generator = parity.generator(64, blocks, seed=blocks)
    assert output_error(generator, size, expected) < parity.OUTPUT_TOLERANCE
    assert expected.std() > 0.3  # far from a constant


@pytest.mark.parametrize("size", parity.SIZES)
@pytest.mark.parametrize("kind", parity.KINDS)
def test_full_size_discriminator_equals_the_authors(recorded, kind, size):
    expected = recorded[f"discriminator {kind} {size}"]
    discriminator = parity.discriminator(kind, 64, seed=3)
    assert output_error(discriminator, size, expected) < parity.OUTPUT_TOLERANCE
    assert expected.std() > 0.3


@pytest.mark.parametrize("kind", [*parity.KINDS, "recipe"])
def test_losses_and_gradients_equal_the_authors(recorded, kind):
    if kind == "recipe":
        kind, model = "patch70", parity.recipe_model()
        rate = float(model.generator_optimizer.learning_rate)
        assert rate == pytest.approx(2e-4) and model.pool_a.size == 50
        assert not model.averages and not model.diffaugment.kinds
    else:
        model = parity.model(kind)
    losses, gradients = parity.gradients(model, kind)
    expected = dict(zip(LOSSES, recorded[f"losses {kind}"], strict=True))
    for name in LOSSES:
        assert losses[name] == pytest.approx(expected[name], rel=parity.LOSS_TOLERANCE)
    errors = {
        name: relative_error(probe(gradient), recorded[f"gradient {kind} {name}"])
        for name, gradient in gradients.items()
    }
    assert max(errors.values()) < parity.GRADIENT_TOLERANCE, errors


def movement_errors(moved, recorded):
    """The largest relative error of any variable, by step."""
    return {
        step: max(
            relative_error(probe(movement), recorded[f"movement {step} {name}"])
            for name, movement in of_all.items()
        )
        for step, of_all in moved.items()
    }


@pytest.mark.parametrize("precision", ["float32", "float64"])
def test_training_equals_the_authors(recorded, precision):
    if precision == "float64":
        with parity.double_precision():
            losses, moved = parity.training(parity.model())
    else:
        losses, moved = parity.training(parity.model())
    for step, error in movement_errors(moved, recorded).items():
        assert error < parity.MOVEMENT_TOLERANCE[precision][step], step
    np.testing.assert_allclose(probe(losses), recorded["losses of training"], rtol=5e-3)


# Where a default of Keras, or a mistake seen elsewhere, differs from the authors', the
# comparisons above must notice it: each is made once here.

LAST_ONLY = ((0, 1), (0, 1))


def mutate_padding(monkeypatch):
    original = keras.layers.ZeroPadding2D
    monkeypatch.setattr(
        networks.layers, "ZeroPadding2D", lambda _, name: original(LAST_ONLY, name=name)
    )


def mutate_transposed_alignment(monkeypatch):
    original = keras.layers.Cropping2D  # Keras' "same" crops the last row and column
    monkeypatch.setattr(
        networks.layers, "Cropping2D", lambda _, name: original(LAST_ONLY, name=name)
    )


def mutate_epsilon(monkeypatch):
    default = keras.layers.GroupNormalization().epsilon
    mutated = functools.partial(networks.InstanceNormalization, epsilon=default)
    monkeypatch.setattr(networks, "InstanceNormalization", mutated)


def mutate_to_layer_norm(monkeypatch):
    def layer_norm(affine, name):
        return keras.layers.GroupNormalization(
            groups=1, epsilon=1e-5, center=affine, scale=affine, name=name
        )

    monkeypatch.setattr(networks, "InstanceNormalization", layer_norm)


def mutate_reflection(monkeypatch):
    monkeypatch.setattr(networks, "ReflectionPadding2D", keras.layers.ZeroPadding2D)


def mutate_residual_sum(monkeypatch):
    original = keras.layers.Add

    def sum_and_relu(name):
        return lambda pair: keras.layers.ReLU()(original(name=name)(pair))

    monkeypatch.setattr(networks.layers, "Add", sum_and_relu)


def mutate_kernel_order(monkeypatch):
    monkeypatch.setattr(convert, "TO_KERAS", (3, 2, 1, 0))


@pytest.mark.parametrize(
    "mutate",
    [
        mutate_padding,
        mutate_transposed_alignment,
        mutate_epsilon,
        mutate_to_layer_norm,
        mutate_reflection,
        mutate_residual_sum,
        mutate_kernel_order,
    ],
)
def test_comparison_notices_another_generator(recorded, monkeypatch, mutate):
    mutate(monkeypatch)
    generator = parity.generator(64, 6, seed=6)
    error = output_error(generator, (64, 64), recorded["generator 6 (64, 64)"])
    assert error > 10 * parity.OUTPUT_TOLERANCE


def test_comparison_notices_a_bias_that_the_norm_does_not_cancel(recorded):
    # As if the authors' bias before a norm were the offset after it.
    weights = parity.generator_weights(64, 6, seed=6)
    generator = networks.build_generator(64, 6, norm="affine")
    for layer, prefix in parity.generator_prefixes(6).items():
        kernel = weights[f"{prefix}.weight"].transpose(convert.TO_KERAS)
        bias = weights[f"{prefix}.bias"]
        generator.get_layer(layer).set_weights([kernel, bias][: 1 + (layer == "head")])
        if layer != "head":
            generator.get_layer(f"{layer}_norm").set_weights([np.ones_like(bias), bias])
    error = output_error(generator, (64, 64), recorded["generator 6 (64, 64)"])
    assert error > 10 * parity.OUTPUT_TOLERANCE


def mutate_slope(monkeypatch):
    default = keras.layers.LeakyReLU().negative_slope
    monkeypatch.setattr(networks, "LEAKY_SLOPE", default)


# Keras' "same" of its 4x4 convolutions would give another number of scores.
@pytest.mark.parametrize("mutate", [mutate_epsilon, mutate_slope])
def test_comparison_notices_another_discriminator(recorded, monkeypatch, mutate):
    mutate(monkeypatch)
    discriminator = parity.discriminator("patch70", 64, seed=3)
    expected = recorded["discriminator patch70 (64, 64)"]
    assert output_error(discriminator, (64, 64), expected) > (
        10 * parity.OUTPUT_TOLERANCE
    )


def own_terms_only(model, real_a, real_b, coins=None):
    """Each generator's cycle reaches only the generator that ends it."""
    fake_b, fake_a = model.gen_ab(real_a), model.gen_ba(real_b)
    losses = {
        "G_A": cyclegan.adversarial_loss(model.disc_b(fake_b)),
        "G_B": cyclegan.adversarial_loss(model.disc_a(fake_a)),
        "cycle_A": absolute_error(real_a, model.gen_ba(tf.stop_gradient(fake_b))),
        "cycle_B": absolute_error(real_b, model.gen_ab(tf.stop_gradient(fake_a))),
        "identity_A": absolute_error(real_b, model.gen_ab(real_b)),
        "identity_B": absolute_error(real_a, model.gen_ba(real_a)),
    }
    return losses, (fake_a, fake_b)


def test_comparison_notices_a_missing_gradient(recorded, monkeypatch):
    monkeypatch.setattr(cyclegan.CycleGAN, "generator_losses", own_terms_only)
    losses, gradients = parity.gradients(parity.model("patch46"), "patch46")
    name = "gen_ab.model.1.weight"
    error = relative_error(probe(gradients[name]), recorded[f"gradient patch46 {name}"])
    assert error > 10 * parity.GRADIENT_TOLERANCE
    expected = dict(zip(LOSSES, recorded["losses patch46"], strict=True))
    # The losses alone do not tell.
    assert losses["cycle_A"] == pytest.approx(expected["cycle_A"], rel=1e-5)


def mutated_training(num_steps, **adam):
    with parity.double_precision():
        return parity.training(parity.model(**adam), num_steps)[1]


def keras_adam(monkeypatch):
    monkeypatch.setattr(parity, "Adam", keras.optimizers.Adam)
    return mutated_training(1)


def default_epsilon(monkeypatch):
    return mutated_training(1, epsilon=keras.optimizers.Adam().epsilon)


def default_beta(monkeypatch):
    return mutated_training(5, beta_1=keras.optimizers.Adam().beta_1)


def no_pool(monkeypatch):
    monkeypatch.setattr(parity, "POOL_SIZE", 0)
    return mutated_training(5)


@pytest.mark.parametrize(
    "mutated", [keras_adam, default_epsilon, default_beta, no_pool]
)
def test_comparison_notices_another_training(recorded, monkeypatch, mutated):
    errors = movement_errors(mutated(monkeypatch), recorded)
    last = max(errors)
    assert errors[last] > 5 * parity.MOVEMENT_TOLERANCE["float64"][last]

"""Half precision, loss scaling and rematerialization."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from cyclegan_tf.config.losses import LOSSES
from cyclegan_tf.data.domain import Domains
from cyclegan_tf.model import state
from cyclegan_tf.model.building import build_model
from cyclegan_tf.model.layers import InstanceNormalization
from cyclegan_tf.model.networks import build_generator, with_dtype
from cyclegan_tf.model.optimizers import Adam, LossScaling
from cyclegan_tf.runs import checkpoint, generators, saved
from cyclegan_tf.training import run as training
from tests.helpers import random_images

IMAGES = random_images(1, size=32, seed=1), random_images(1, size=32, seed=2)


def losses_and_gradients(model):
    plans = [pool.plan(1, 0) for pool in (model.pool_a, model.pool_b)]
    losses, _, (generators, discriminators) = model._compiled(*IMAGES, *plans)
    return losses, [*generators, *discriminators]


def relative_error(values, expected):
    """Of lists of arrays, as one long vector."""
    values, expected = (
        np.concatenate([np.ravel(x) for x in some]) for some in (values, expected)
    )
    return np.linalg.norm(values - expected) / np.linalg.norm(expected)


@pytest.fixture
def model_of(tiny_run):
    return lambda **options: build_model(tiny_run(**options), Domains(), 4)


def num_convolutions(model):
    plans = [pool.plan(1, 0) for pool in (model.pool_a, model.pool_b)]
    graph = model._compiled.get_concrete_function(*IMAGES, *plans).graph
    return sum(operation.type == "Conv2D" for operation in graph.get_operations())


def test_remat_changes_no_gradient_and_computes_generators_twice(model_of):
    whole, again, compiled = (
        model_of(**options)
        for options in ({}, {"remat": True}, {"remat": True, "jit": "on"})
    )
    losses, gradients = losses_and_gradients(whole)
    for model, tolerance in ((again, 1e-6), (compiled, 1e-5)):
        same_losses, same_gradients = losses_and_gradients(model)
        for name in LOSSES:
            np.testing.assert_allclose(same_losses[name], losses[name], rtol=tolerance)
        assert relative_error(same_gradients, gradients) < 10 * tolerance
    convolutions = sum(isinstance(x, keras.layers.Conv2D) for x in whole.gen_ab.layers)
    more = num_convolutions(again) - num_convolutions(whole)
    assert more == 4 * convolutions  # four passes: two of two batches, two cycles


@pytest.mark.parametrize(
    "precision, scale, bounds",
    # Of the generators' and the discriminators' gradients. The former go through six
    # networks and the signs of small differences.
    [("bfloat16", 1.0, (0.5, 0.1)), ("float16", 256.0, (0.25, 0.01))],
)
def test_half_precision_is_near_the_full_one(model_of, precision, scale, bounds):
    losses, gradients = losses_and_gradients(model_of())
    model = model_of(precision=precision)
    if precision == "float16":
        for optimizer in (model.generator_optimizer, model.discriminator_optimizer):
            optimizer.dynamic_scale.assign(scale)
    half_losses, half_gradients = losses_and_gradients(model)
    for name in LOSSES:
        assert half_losses[name].dtype == tf.float32
        np.testing.assert_allclose(half_losses[name], losses[name], rtol=0.02)
    count = len(model.generator_variables)
    for part, bound in zip((slice(count), slice(count, None)), bounds, strict=True):
        unscaled = [np.float64(x) / scale for x in half_gradients[part]]
        assert relative_error(unscaled, gradients[part]) < bound


def test_weights_and_optimizers_stay_float32(model_of):
    model = model_of(precision="bfloat16")
    assert model.gen_ab.get_layer("stem").compute_dtype == "bfloat16"
    for variable in model.generator_variables + model.discriminator_variables:
        assert variable.dtype == "float32"
    for name, variable in state.variables_of(model).items():
        assert np.asarray(variable).dtype in (np.float32, np.int32, np.int64), name


def test_statistics_are_float32_in_half_precision():
    # In float16, 300 squared is infinite, and 2048 + 1 is 2048.
    norm = InstanceNormalization(dtype="float16")
    rows = np.arange(64, dtype=np.float16).reshape(1, 8, 8, 1)
    for images in (300 * rows, 1984 + rows):
        exact = images.astype(float)
        exact = (exact - exact.mean()) / exact.std()
        np.testing.assert_allclose(norm(images), exact, atol=2e-3)


def test_gradient_that_overflows_skips_the_update_and_counts_as_a_step():
    weight = keras.Variable(np.ones(3, np.float32))
    optimizer = LossScaling(Adam(0.1), initial_scale=1024.0)
    optimizer.build([weight])
    optimizer.apply([tf.constant([1.0, np.inf, 1.0])], [weight])
    np.testing.assert_array_equal(weight, np.ones(3))
    assert int(optimizer.iterations) == 1
    assert float(optimizer.scale_loss(1.0)) == 512.0
    optimizer.apply([tf.constant([512.0, 0.0, -512.0])], [weight])
    assert int(optimizer.iterations) == 2
    assert weight[0] < 1 and weight[1] == 1 and weight[2] > 1


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "float16"])
def test_copy_in_another_precision_keeps_the_weights(policy):
    generator = build_generator(2, 1)
    copy = with_dtype(generator, policy)
    assert copy.get_layer("stem").compute_dtype == policy.removeprefix("mixed_")
    back = with_dtype(copy, "float32")
    expected, got = generator(IMAGES[0]), back(IMAGES[0])
    np.testing.assert_allclose(got, expected, atol=5e-3 if policy == "float16" else 0)
    assert copy(IMAGES[0]).dtype == tf.float32


def test_run_in_half_precision_is_restored_and_leaves_float32_models(tiny_run):
    config = tiny_run(precision="float16", epochs=1)
    training.train(config)
    path = config.resolved_run_dir
    newest = saved.checkpoints(path / "checkpoints")[0]
    model = build_model(config, Domains(), 4)
    checkpoint.restore(model, newest)
    with np.load(newest) as arrays:
        assert any("dynamic_scale" in name for name in arrays)
        for name, value in state.finite_arrays(model).items():
            np.testing.assert_array_equal(arrays[name], value, err_msg=name)
    for model in generators.load_generators(path).values():
        assert {layer.compute_dtype for layer in model.layers} == {"float32"}
        assert np.isfinite(model(IMAGES[0])).all()

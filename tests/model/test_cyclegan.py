import keras
import numpy as np
import pytest
import tensorflow as tf

from cyclegan_tf.config.losses import DISCRIMINATOR_LOSSES, GENERATOR_LOSSES, LOSSES
from cyclegan_tf.config.train import AUGMENTATIONS
from cyclegan_tf.model.cyclegan import CycleGAN
from tests.helpers import random_images, tiny_model

REAL_A, REAL_B = random_images(2, seed=1), random_images(2, seed=2)


def plans(model, step=0):
    return model.pool_a.plan(2, step), model.pool_b.plan(2, step)


def all_losses(model, real_a=REAL_A, real_b=REAL_B):
    losses, _, _ = model.losses_and_gradients(real_a, real_b, *plans(model))
    return {name: float(value) for name, value in losses.items()}


def longhand(model, a, b):
    """The eight losses in NumPy, from what the networks say, per algorithm."""

    def net(network, x):
        return np.float64(network(np.float32(x)))

    fake_b, fake_a = net(model.gen_ab, a), net(model.gen_ba, b)
    d = {"a": model.disc_a, "b": model.disc_b}
    return {
        "G_A": ((net(d["b"], fake_b) - 1) ** 2).mean(),
        "G_B": ((net(d["a"], fake_a) - 1) ** 2).mean(),
        "cycle_A": abs(net(model.gen_ba, fake_b) - a).mean(),
        "cycle_B": abs(net(model.gen_ab, fake_a) - b).mean(),
        "identity_A": abs(net(model.gen_ab, b) - b).mean(),
        "identity_B": abs(net(model.gen_ba, a) - a).mean(),
        "D_A": ((net(d["a"], a) - 1) ** 2).mean() / 2
        + (net(d["a"], fake_a) ** 2).mean() / 2,
        "D_B": ((net(d["b"], b) - 1) ** 2).mean() / 2
        + (net(d["b"], fake_b) ** 2).mean() / 2,
    }


@pytest.mark.parametrize("name", LOSSES)
def test_loss_equals_longhand(name):
    model = tiny_model()
    expected = longhand(model, np.float64(REAL_A), np.float64(REAL_B))[name]
    assert all_losses(model)[name] == pytest.approx(expected, rel=1e-5)


def test_swapping_the_domains_swaps_the_losses():
    model = tiny_model()
    swapped = CycleGAN(
        model.gen_ba,
        model.gen_ab,
        model.disc_b,
        model.disc_a,
        model.pool_b,
        model.pool_a,
    )
    swapped.compile(keras.optimizers.Adam(), keras.optimizers.Adam())
    losses = all_losses(model)
    mirrored = all_losses(swapped, REAL_B, REAL_A)
    for name, value in losses.items():
        other = name[:-1] + {"A": "B", "B": "A"}[name[-1]]
        assert mirrored[other] == pytest.approx(value, rel=1e-5)


def reached_networks(model, name):
    """Names of the networks that a loss has a gradient in."""
    networks = [model.gen_ab, model.gen_ba, model.disc_a, model.disc_b]
    with tf.GradientTape() as tape:
        losses, _ = model.generator_losses(REAL_A, REAL_B)
        losses |= model.discriminator_losses(REAL_A, REAL_B, REAL_B, REAL_A)
    watched = [[v.value for v in network.trainable_variables] for network in networks]
    gradients = tape.gradient(losses[name], watched)
    return {
        network.name
        for network, group in zip(networks, gradients, strict=True)
        if any(g is not None and np.abs(g).max() > 1e-9 for g in group)
    }


@pytest.mark.parametrize(
    "name, networks",
    [
        ("G_A", {"gen_ab", "disc_b"}),
        ("G_B", {"gen_ba", "disc_a"}),
        ("cycle_A", {"gen_ab", "gen_ba"}),
        ("cycle_B", {"gen_ab", "gen_ba"}),
        ("identity_A", {"gen_ab"}),
        ("identity_B", {"gen_ba"}),
        ("D_A", {"disc_a"}),
        ("D_B", {"disc_b"}),
    ],
)
def test_each_loss_depends_on_these_networks(name, networks):
    assert reached_networks(tiny_model(), name) == networks


def cycle_loss(model):
    return model.generator_losses(REAL_A, REAL_B)[0]["cycle_A"]


def test_gradient_of_cycle_a_in_gen_ab_equals_finite_difference():
    # The gradient that implementations lose which give each generator its own terms.
    model = tiny_model()
    variables = model.gen_ab.trainable_variables
    with tf.GradientTape() as tape:
        loss = cycle_loss(model)
    gradients = tape.gradient(loss, [v.value for v in variables])
    # Along the gradient itself the difference is largest against the rounding.
    norm = np.sqrt(sum(float(tf.reduce_sum(g**2)) for g in gradients))
    assert norm > 1e-3
    step, sides = 3e-5, []
    for sign in (1, -1):
        for variable, gradient in zip(variables, gradients, strict=True):
            variable.assign_add(sign * step * gradient / norm)
        sides.append(float(cycle_loss(model)))
        for variable, gradient in zip(variables, gradients, strict=True):
            variable.assign_sub(sign * step * gradient / norm)
    assert (sides[0] - sides[1]) / (2 * step) == pytest.approx(norm, rel=0.02)


def test_generator_objective_weighs_the_six_terms():
    model = tiny_model()
    losses = dict(zip(GENERATOR_LOSSES, [1.0, 2.0, 3.0, 4.0, 5.0, 6.0], strict=True))
    assert model.generator_objective(losses) == 1 + 2 + 10 * (3 + 4) + 5 * (5 + 6)


def test_gradients_are_those_of_the_objectives():
    model = tiny_model()
    variables = model.generator_variables
    with tf.GradientTape() as tape:
        losses, _ = model.generator_losses(REAL_A, REAL_B)
        objective = model.generator_objective(losses)
    expected = tape.gradient(objective, [v.value for v in variables])
    _, _, (gradients, _) = model.losses_and_gradients(REAL_A, REAL_B, *plans(model))
    for gradient, other in zip(gradients, expected, strict=True):
        np.testing.assert_allclose(gradient, other, rtol=1e-5, atol=1e-7)


def weights(*networks):
    return [v.numpy() for n in networks for v in n.trainable_variables]


def changed(before, after):
    return [not np.array_equal(a, b) for a, b in zip(before, after, strict=True)]


@pytest.mark.parametrize("frozen", ["generator_optimizer", "discriminator_optimizer"])
def test_each_optimizer_updates_its_own_networks_only(frozen):
    model = tiny_model(optimizer=lambda: keras.optimizers.SGD(0.1))
    getattr(model, frozen).learning_rate = 0.0
    generators = (model.gen_ab, model.gen_ba)
    discriminators = (model.disc_a, model.disc_b)
    before = weights(*generators), weights(*discriminators)
    model.train_step((REAL_A, REAL_B))
    moved = (
        any(changed(before[0], weights(*generators))),
        any(changed(before[1], weights(*discriminators))),
    )
    assert moved == (
        frozen != "generator_optimizer",
        frozen != "discriminator_optimizer",
    )


def test_discriminators_see_the_fakes_made_before_the_update():
    model = tiny_model(batch_pool=5)
    fake_b = model.gen_ab(REAL_A).numpy()
    model.train_step((REAL_A, REAL_B))
    np.testing.assert_allclose(model.pool_b.images.numpy()[:2], fake_b, atol=1e-5)
    assert int(model.pool_b.count) == 2


def test_discriminators_learn_from_the_pool():
    model = tiny_model(batch_pool=2)
    for step in range(20):
        plan, _ = plans(model, step)
        if step and (plan.source.numpy() >= 2).any():
            break
        model.train_step((random_images(2, seed=step), random_images(2, seed=99)))
    losses, (fake_a, _), _ = model.losses_and_gradients(
        REAL_A, REAL_B, *plans(model, step)
    )
    pooled = model.pool_a.exchange(plan, fake_a)
    assert not np.array_equal(pooled, fake_a)
    expected = model.discriminator_losses(REAL_A, REAL_B, pooled, pooled)["D_A"]
    assert float(losses["D_A"]) == pytest.approx(float(expected), rel=1e-6)


def test_compiled_step_equals_the_plain_one():
    results = []
    for jit in (False, True):
        model = tiny_model(jit=jit, augmentations=AUGMENTATIONS)
        step = tf.function(model.train_step)
        for _ in range(3):
            logs = step((REAL_A, REAL_B))
        results.append({name: float(value) for name, value in logs.items()})
    for name in LOSSES:
        assert results[0][name] == pytest.approx(results[1][name], rel=2e-3)


def test_step_is_traced_once_for_all_epochs_and_all_calls_of_fit():
    model = tiny_model()
    dataset = tf.data.Dataset.from_tensors((REAL_A, REAL_B)).repeat()
    for _ in range(2):
        model.fit(dataset, epochs=2, steps_per_epoch=2, verbose=0, shuffle=False)
    assert model._compiled.experimental_get_tracing_count() == 1


def test_fit_tracks_the_eight_losses_by_name():
    model = tiny_model()
    dataset = tf.data.Dataset.from_tensors((REAL_A, REAL_B)).repeat()
    history = model.fit(dataset, steps_per_epoch=2, verbose=0, shuffle=False).history
    assert set(GENERATOR_LOSSES + DISCRIMINATOR_LOSSES) <= set(history)
    assert "loss" not in history

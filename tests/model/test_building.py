import dataclasses

import numpy as np
import pytest

from cyclegan_tf.common.errors import InputError
from cyclegan_tf.config import RECIPES, TrainConfig, settings
from cyclegan_tf.config.dataset import DEFAULT_DATASET
from cyclegan_tf.data.domain import Domain, Domains
from cyclegan_tf.model import state
from cyclegan_tf.model.building import build_model, identity_weight


def test_model_is_a_function_of_the_seed(tiny_run):
    first, again, other = (
        state.variables_of(build_model(tiny_run(seed=seed), Domains(), 4))
        for seed in (0, 0, 1)
    )
    name = "gen_ab/stem/kernel"
    np.testing.assert_array_equal(first[name], again[name])
    assert not np.array_equal(first[name], other[name])
    # No two networks start equal.
    assert not np.array_equal(first[name], first["gen_ba/stem/kernel"])
    assert not np.array_equal(
        first["disc_a/stage1/kernel"], first["disc_b/stage1/kernel"]
    )


def test_identity_weight_needs_as_many_channels_only_where_it_was_asked_for():
    domains = Domains(Domain(1), Domain(3))
    for recipe in RECIPES:
        config = TrainConfig("photos", **settings("photos", recipe))
        assert identity_weight(config, domains) == 0
        assert identity_weight(config, Domains()) == config.resolved_identity_weight > 0
        given = dataclasses.replace(config, identity_weight=7.0)
        assert identity_weight(given, Domains()) == 7
        with pytest.raises(InputError, match="--identity-weight 7 needs as many"):
            identity_weight(given, domains)
    assert identity_weight(TrainConfig(**settings(DEFAULT_DATASET)), domains) == 0


def test_optimizers_are_the_papers(tiny_run):
    model = build_model(tiny_run(learning_rate=2e-4), Domains(), 4)
    for optimizer in (model.generator_optimizer, model.discriminator_optimizer):
        assert float(optimizer.learning_rate) == pytest.approx(2e-4)
        assert (optimizer.beta_1, optimizer.beta_2) == (0.5, 0.999)
        assert optimizer.epsilon == 1e-8

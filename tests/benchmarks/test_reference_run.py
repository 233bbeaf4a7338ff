"""The authors' method as a run of ours."""

import numpy as np
import pytest

from cyclegan_tf.runs.generators import load_generators
from tests import parity
from tests.helpers import tiny_config


def test_run_of_the_authors_method_holds_the_generators_it_has_trained(tmp_path):
    torch = pytest.importorskip("torch")
    from benchmarks.reference_run import train_reference
    from tests.reference import oracle

    config = tiny_config(tmp_path, epochs=1, steps_per_epoch=2)
    train_reference(config)
    generators = load_generators(tmp_path / "run")
    images = parity.images(32, 32, seed=9)
    for direction, name in (("a_to_b", "gen_ab"), ("b_to_a", "gen_ba")):
        network = oracle.Generator(config.filters, config.resolved_residual_blocks)
        network.load_state_dict(torch.load(tmp_path / f"{name}.pth"))
        theirs = oracle.apply(network, images)
        np.testing.assert_allclose(generators[direction](images), theirs, atol=1e-4)

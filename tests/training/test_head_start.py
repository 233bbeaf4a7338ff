import collections
import contextlib
import itertools
import shutil
import types

import numpy as np
import pytest

from cyclegan_tf.runs import saved
from cyclegan_tf.training import head_start
from cyclegan_tf.training import run as training
from cyclegan_tf.training.devices import choose_devices
from cyclegan_tf.training.head_start import steps_of_head_start
from cyclegan_tf.training.prepare import prepare
from tests.helpers import assert_same_checkpoint, rows_of

PARTS = ("gen_ab", "gen_ba", "disc_a", "disc_b")


@pytest.fixture
def trained(tiny_run):
    """Trains a run of two steps; returns its checkpoints, newest first."""

    def train(name, head_start):
        options = {"generator": "attention", "discriminator_head_start": head_start}
        config = tiny_run(name, epochs=1, steps_per_epoch=2, **options)
        training.train(config)
        return saved.checkpoints(config.resolved_run_dir / "checkpoints")

    return train


def discriminator_losses(checkpoint):
    [row] = rows_of(checkpoint.parent.parent)
    return float(row["D_A"]) + float(row["D_B"])


def test_head_start_teaches_discriminators_alone_and_resumes_to_the_bit(trained):
    last, first = trained("ahead", 60)
    last_behind, first_behind = trained("behind", 1)
    assert (saved.step_of(last), saved.step_of(first)) == (2, 0)
    # They know the domains before the first step, and the generators nothing.
    assert discriminator_losses(last) < 0.7 * discriminator_losses(last_behind)
    ahead, behind = (saved.read_arrays(path, PARTS) for path in (first, first_behind))
    for name, array in ahead.items():
        is_same = np.array_equal(array, behind[name])
        assert is_same == name.startswith("gen"), name
    # Neither the run's steps nor its optimizers know of it.
    with np.load(first) as arrays:
        slots = [name for name in arrays if "velocit" in name or "iteration" in name]
        assert slots and not any(np.any(arrays[name]) for name in slots)
    # After a kill it is not done again.
    kept = shutil.copy(last, last.parent.parent / "whole.npz")
    last.unlink()
    assert_same_checkpoint(trained("ahead", 60)[0], kept)


def test_head_start_is_on_the_domains_and_not_on_what_generators_make(tiny_run):
    taught = []
    for factor in (1, 0):
        with contextlib.ExitStack() as stack:
            config = tiny_run(f"times {factor}")
            run, _ = prepare(config, choose_devices(config.strategy), stack)
            for variable in run.model.generator_variables:
                variable.assign(factor * variable)
            collections.deque(itertools.islice(steps_of_head_start(run), 3), maxlen=0)
            taught.append([x.numpy() for x in run.model.discriminator_variables])
    for one, other in zip(*taught, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize(
    "known_after, ends_at",
    [(0, 50), (70, 100), (80, 150), (1000, 200)],  # 80: the mean to 100 is above 0.1
)
def test_head_start_ends_where_the_domains_are_told_apart(
    monkeypatch, known_after, ends_at
):
    losses = (0.15 if step < known_after else 0.05 for step in itertools.count())
    monkeypatch.setattr(head_start, "steps_of_head_start", lambda run: losses)
    devices = types.SimpleNamespace(any_worker=bool)
    config, said = types.SimpleNamespace(discriminator_head_start=200), []
    run = types.SimpleNamespace(
        config=config, devices=devices, received_signal=lambda: None, say=said.append
    )
    head_start.give_head_start(run)
    expected = [f"the discriminators tell the domains apart by step {ends_at}"]
    assert said == (expected if known_after < 200 else [])

import json

import numpy as np
import pytest
import tensorflow as tf

from cyclegan_tf.model.averages import copied, move_average
from cyclegan_tf.model.networks import build_generator
from cyclegan_tf.runs.directory import read_config
from cyclegan_tf.runs.evaluations import read_evaluations
from cyclegan_tf.runs.saved import read_best
from cyclegan_tf.training import run as training
from tests.helpers import run_here, tiny_config


def set_all(network, value):
    network.set_weights([np.full_like(w, value) for w in network.get_weights()])


def test_copy_computes_the_same_with_weights_of_its_own():
    generator = build_generator(2, 1)
    copy = copied(generator, "copy")
    images = tf.random.stateless_uniform((1, 16, 16, 3), (0, 1))
    np.testing.assert_array_equal(copy(images), generator(images))
    set_all(generator, 0.5)
    assert not np.array_equal(copy.get_weights()[0], generator.get_weights()[0])


def test_average_follows_its_formula():
    network, share = build_generator(2, 1), 0.1
    average = copied(network, "average")
    for step in range(1, 30):
        value = np.sin(step)
        set_all(network, value)
        move_average(average, network, tf.constant(step), share)
        if step < 10:  # the half-life is less than a step: nothing earlier is left
            expected = value
            for weights in average.get_weights():
                np.testing.assert_array_equal(weights, np.float32(value))
        else:
            beta = 0.5 ** (1 / (share * step))
            expected = beta * expected + (1 - beta) * value
    for weights in average.get_weights():
        np.testing.assert_allclose(weights, expected, rtol=1e-4)


@pytest.fixture(scope="module")
def runs(tmp_path_factory, tiny_data_dir):
    """Directories of runs with and without averages, which are not the raw weights."""
    configs = [
        tiny_config(
            tmp_path_factory.mktemp("averages"),
            **{"data_dir": str(tiny_data_dir), "epochs": 6, "average": average},
        )
        for average in (True, False)
    ]
    for config in configs:
        training.train(config)
    return [config.resolved_run_dir for config in configs]


def test_training_does_not_see_the_averages(runs):
    on, off = (np.load(run / "checkpoints" / "step-000000024.npz") for run in runs)
    with on, off:
        extra = {name for name in on if name.startswith("average_")}
        assert set(on) - extra == set(off) and extra
        for name in off:
            np.testing.assert_array_equal(on[name], off[name], err_msg=name)
        assert any(
            not np.array_equal(on[n], on[n.replace("average_", "gen_")]) for n in extra
        )


def test_scores_are_of_the_averages_or_on_request_of_the_raw_weights(runs, capsys):
    for weights in ("average", "raw"):
        done = run_here(capsys, "evaluate", "--run-dir", runs[0], "--weights", weights)
        assert f"step 24, {weights} weights" in done.stdout
    cycles = {
        evaluation["weights"]: evaluation["scores"][0]["scores"]["cycle_mae"]
        for evaluation in read_evaluations(runs[0])
    }
    best = read_best(runs[0] / "checkpoints")["scores"][0]["scores"]["cycle_mae"]
    assert best == cycles["average"] != cycles["raw"]


def test_run_without_averages_is_used_as_it_is_which_is_said(runs, capsys):
    # As from before there was the option.
    path = runs[1] / "config.json"
    content = json.loads(path.read_text())
    assert content["options"].pop("average") is False
    path.write_text(json.dumps(content))
    assert not read_config(runs[1])[0].average
    for weights, is_said in (("average", True), ("raw", False)):
        done = run_here(capsys, "evaluate", "--run-dir", runs[1], "--weights", weights)
        line = "has no average weights: the raw ones are used"
        assert (line in done.stderr) == is_said
        assert "step 24, raw weights" in done.stdout

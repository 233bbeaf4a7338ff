import numpy as np
import pytest
import tensorflow as tf

from cyclegan_tf.model.averages import copied, move_average
from cyclegan_tf.model.networks import build_generator
from cyclegan_tf.runs import checkpoint
from cyclegan_tf.runs.generators import load_generators
from cyclegan_tf.training import run as training


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
    average, expected = copied(network, "average"), None
    for step in range(1, 30):
        value = np.sin(step)
        set_all(network, value)
        move_average(average, network, tf.constant(step), share)
        beta = 0.5 ** (1 / (share * step))
        expected = value if expected is None else beta * expected + (1 - beta) * value
        if step == 1:  # of a half-life of a tenth of a step nothing earlier is left
            expected = average.get_weights()[0].flat[0]
            assert expected == pytest.approx(value, abs=2e-3)
    for weights in average.get_weights():
        np.testing.assert_allclose(weights, expected, rtol=1e-4)


def state_of(config):
    training.train(config)
    (path, *_) = checkpoint.checkpoints(config.resolved_run_dir / "checkpoints")
    with np.load(path) as arrays:
        return dict(arrays)


def test_training_does_not_see_the_averages(tiny_run):
    on, off = (state_of(tiny_run(str(a), epochs=1, average=a)) for a in (True, False))
    extra = {name for name in on if name.startswith("average_")}
    assert on.keys() - extra == off.keys() and extra
    for name, value in off.items():
        np.testing.assert_array_equal(on[name], value, err_msg=name)
    assert any(
        not np.array_equal(on[n], on[n.replace("average_", "gen_")]) for n in extra
    )


def test_averages_resume_to_the_same_bits_and_are_what_is_loaded(tiny_run):
    config = tiny_run(average=True)
    whole = state_of(config)
    run_dir = config.resolved_run_dir
    checkpoint.checkpoints(run_dir / "checkpoints")[0].unlink()
    again = state_of(config)
    assert whole.keys() == again.keys()
    for name, value in whole.items():
        np.testing.assert_array_equal(again[name], value, err_msg=name)
    for weights, prefix in (("average", "average_ab"), ("raw", "gen_ab")):
        generator = load_generators(run_dir, weights=weights)["a_to_b"]
        for variable in generator.variables:
            expected = whole[f"{prefix}/{variable.path}"]
            np.testing.assert_array_equal(variable.numpy(), expected)

import numpy as np
import pytest

from cyclegan_tf.common.errors import Damaged, InputError
from cyclegan_tf.model import state
from cyclegan_tf.runs import checkpoint, saved
from tests.helpers import random_images, tiny_model

REAL = random_images(2)


@pytest.fixture(scope="module")
def model():
    """One that no test changes."""
    return tiny_model()


@pytest.fixture(scope="module")
def other():
    """Another one that is restored into."""
    return tiny_model(seed=1)


def numbers(model):
    return state.finite_arrays(model)


def test_state_holds_all_that_training_changes_and_is_restored(tmp_path, other):
    trained = tiny_model()
    before = numbers(trained)
    for _ in range(5):
        trained.train_step((REAL, REAL[::-1]))
    after = numbers(trained)
    parts = {"gen_ab", "gen_ba", "disc_a", "disc_b", "pool_a", "pool_b"}
    parts |= {"generator_optimizer", "discriminator_optimizer", "trackers"}
    changed = {
        n.split("/")[0] for n in before if not np.array_equal(before[n], after[n])
    }
    assert changed == parts
    # Two slots per weight, the iterations and the rate.
    slots = [name for name in before if name.startswith("generator_optimizer/")]
    assert len(slots) == 2 * len(trained.generator_variables) + 2

    checkpoint.restore(other, checkpoint.save(trained, tmp_path, 5))
    restored = numbers(other)
    assert after.keys() == restored.keys()
    for name, value in after.items():
        np.testing.assert_array_equal(restored[name], value, err_msg=name)


def test_newest_few_are_kept_and_what_was_just_written(tmp_path, model):
    def kept():
        return [saved.step_of(path) for path in saved.checkpoints(tmp_path)]

    for step in (1, 9, 10, 100):
        checkpoint.save(model, tmp_path, step)
    assert kept() == [100, 10, 9]
    # Of a run that goes on with more devices, and so at a lower step.
    checkpoint.save(model, tmp_path, 5)
    assert kept() == [100, 10, 5]


def test_state_that_is_not_finite_is_not_saved(tmp_path):
    model = tiny_model()
    checkpoint.save(model, tmp_path, 1)
    variable = model.gen_ba.trainable_variables[0]
    variable.assign(variable * np.nan)
    with pytest.raises(state.NonFiniteState, match="gen_ba/"):
        checkpoint.save(model, tmp_path, 2)
    assert [path.name for path in tmp_path.iterdir()] == ["step-000000001.npz"]


def flipped(position):
    def damage(content):
        place = int(len(content) * position)
        return content[:place] + bytes([content[place] ^ 16]) + content[place + 1 :]

    return damage


@pytest.mark.parametrize(
    "damage", [flipped(0.1), flipped(0.5), flipped(0.9), lambda content: content[:-100]]
)
def test_damage_is_found_and_changes_nothing(tmp_path, model, other, damage):
    path = checkpoint.save(model, tmp_path, 1)
    path.write_bytes(damage(path.read_bytes()))
    before = numbers(other)
    with pytest.raises(InputError, match="step-000000001.npz is damaged"):
        checkpoint.restore(other, path)
    for name, value in numbers(other).items():
        np.testing.assert_array_equal(value, before[name])


def test_checkpoint_of_another_model_is_refused(tmp_path, other):
    path = checkpoint.save(tiny_model(batch_pool=4), tmp_path, 1)
    with pytest.raises(InputError, match="differs in pool_a/"):
        checkpoint.restore(other, path)


# The best checkpoint, and those of a step.


def test_best_survives_the_rotation_and_a_worse_epoch(tmp_path, model):
    checkpoint.save_best(model, tmp_path, {"step": 1, "value": 2.0})
    for step in range(1, 6):
        checkpoint.save(model, tmp_path, step)
    assert saved.read_best(tmp_path) == {"step": 1, "value": 2.0}
    assert saved.find_checkpoint(tmp_path, "best").name == "best.npz"
    assert saved.find_checkpoint(tmp_path, "4").name == "step-000000004.npz"
    assert len(saved.checkpoints(tmp_path)) == 3


def test_checkpoint_that_is_not_there_is_named_beside_those_that_are(tmp_path, model):
    for step in (1, 2, 3, 4):
        checkpoint.save(model, tmp_path, step)
    for name in ("best", "1", "7"):
        with pytest.raises(InputError, match=f"{name}: .* there are 4, 3, 2"):
            saved.find_checkpoint(tmp_path, name)


def test_kill_while_the_best_is_written_leaves_none_that_is_wrong(
    tmp_path, model, monkeypatch
):
    checkpoint.save_best(model, tmp_path, {"step": 1})

    def killed(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(checkpoint, "write_json", killed)
    with pytest.raises(KeyboardInterrupt):
        checkpoint.save_best(model, tmp_path, {"step": 2})
    assert saved.read_best(tmp_path) == {}


@pytest.mark.parametrize("content", ["", "{", "[]", '{"value": 1}', "3"])
def test_damaged_best_is_named(tmp_path, model, content):
    checkpoint.save_best(model, tmp_path, {"step": 1})
    (tmp_path / "best.json").write_text(content)
    with pytest.raises(Damaged, match=r"best\.(json|npz) is damaged"):
        saved.find_checkpoint(tmp_path, "best")


def test_best_checkpoint_stays_where_the_next_one_cannot_be_written(
    tmp_path, model, monkeypatch
):
    def fail(file, **_):
        raise OSError(28, "No space left on device")

    checkpoint.save_best(model, tmp_path, {"step": 1})
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    monkeypatch.setattr(np, "savez", fail)
    with pytest.raises(OSError):
        checkpoint.save_best(model, tmp_path, {"step": 99})
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before

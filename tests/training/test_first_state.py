import csv
import shutil

import numpy as np
import pytest

from cyclegan_tf.common.errors import InputError
from cyclegan_tf.data.domain import Domains
from cyclegan_tf.evaluation import comparison
from cyclegan_tf.model.building import build_model
from cyclegan_tf.model.state import AVERAGES
from cyclegan_tf.runs import generators, saved
from cyclegan_tf.training import first_state
from cyclegan_tf.training import run as training
from tests.helpers import assert_same_checkpoint, tiny_model


@pytest.fixture
def student(tiny_run, scored_run):
    """Makes configs of runs that learn from one."""

    def make(name, **options):
        of_student = {"generator": "mobile", "generator_filters": 1, "batch_size": 2}
        return tiny_run(name, teacher=str(scored_run), **(of_student | options))

    return make


def test_student_comes_nearer_to_the_teacher_and_resumes_to_the_bit(
    student, scored_run
):
    # In half precision, for the teacher has to follow.
    options = {"epochs": 4, "steps_per_epoch": 20, "precision": "bfloat16"}
    config = student("run", **options, teacher_weight=100.0)
    training.train(config)
    path = config.resolved_run_dir
    with (path / "metrics.csv").open() as file:
        first, *_, last = (float(row["teacher_A"]) for row in csv.DictReader(file))
    assert last < 0.8 * first
    # It learns from a copy.
    assert first_state.open_origins(config, path).teacher.path == path / "teacher"
    kept = generators.load_generators(path / "teacher")
    for direction, generator in generators.load_generators(scored_run).items():
        pairs = zip(generator.weights, kept[direction].weights, strict=True)
        assert all(np.array_equal(x, y) for x, y in pairs)

    newest, before, _ = saved.checkpoints(path / "checkpoints")
    assert saved.step_of(before) == 60
    whole = shutil.move(newest, path.with_name("whole.npz"))
    training.train(config)
    assert_same_checkpoint(newest, whole)


def test_student_killed_before_it_was_compared_is_compared_later(student, monkeypatch):
    def end(*_):
        raise KeyboardInterrupt

    config = student("run", epochs=1, steps_per_epoch=1)
    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(comparison, "compare", end)
        training.train(config)
    assert "compared" not in saved.read_about(config.resolved_run_dir)
    training.train(config)
    compared = saved.read_about(config.resolved_run_dir)["compared"]
    assert compared.keys() == {"teacher", "student"}


def test_discriminators_are_those_of_the_teacher(student, scored_run):
    config, model = student("run"), tiny_model(size=32)
    newest = saved.checkpoints(scored_run / "checkpoints")[0]
    first_state.start_discriminators(config.teacher, model)
    with np.load(newest) as arrays:
        for variable in model.disc_b.variables:
            np.testing.assert_array_equal(variable, arrays[f"disc_b/{variable.path}"])


def test_discriminators_that_do_not_fit_stay_fresh(student, capsys):
    config = student("run", filters=3)
    model = build_model(config, Domains(), 1)
    before = [np.asarray(variable) for variable in model.disc_a.variables]
    first_state.start_discriminators(config.teacher, model)
    assert "start from fresh weights" in capsys.readouterr().err
    for variable, value in zip(model.disc_a.variables, before, strict=True):
        np.testing.assert_array_equal(variable, value)


def test_damaged_checkpoint_of_another_run_leaves_them_fresh(tmp_path, capsys):
    (tmp_path / "checkpoints").mkdir()
    (tmp_path / "checkpoints" / "step-000000004.npz").write_bytes(b"cut short")
    assert not first_state.start_discriminators(str(tmp_path), tiny_model(size=32))
    said = capsys.readouterr().err
    assert "step-000000004.npz is damaged" in said and "fresh weights" in said


def test_run_goes_on_with_all_networks_of_an_earlier_one(tiny_run, scored_run, capsys):
    options = {"init_from": str(scored_run), "discriminator_head_start": 3}
    options |= {"epochs": 1, "steps_per_epoch": 1, "teacher_weight": 5.0}
    config = tiny_run("on", **options)
    training.train(config)
    said = capsys.readouterr().err
    assert "head start" not in said
    assert "without --teacher, --teacher-weight changes nothing" in said
    start = saved.checkpoints(config.resolved_run_dir / "checkpoints")[-1]
    earlier = saved.read_arrays(saved.checkpoints(scored_run / "checkpoints")[0])
    networks = (*AVERAGES.values(), "gen_ab", "gen_ba", *first_state.DISCRIMINATORS)
    for name, array in saved.read_arrays(start, networks).items():
        before = earlier[name.replace("gen_", "average_")]
        np.testing.assert_array_equal(array, before)


def test_images_have_the_channels_of_the_teachers(student):
    with pytest.raises(InputError, match="--teacher .* is of images with 3 channels"):
        training.train(student("run", channels_a=1, channels_b=1))


def test_values_are_those_of_the_teacher(student):
    with pytest.raises(InputError, match="--teacher .* 0 to 255 .*--range-a=0,255 "):
        training.train(student("run", range_a="0,128"))


def test_run_that_goes_on_with_other_values_says_so(tiny_run, scored_run, capsys):
    options = {"init_from": str(scored_run), "epochs": 1, "steps_per_epoch": 1}
    training.train(tiny_run("on", **options, range_b="-0.5,128"))
    said = capsys.readouterr().err
    assert "of domain B, and here -0.5 to 128 become -1 to 1; --range-b=0,255 " in said

import dataclasses
import json
import re
import shlex
import shutil

import numpy as np
import pytest

from cyclegan_tf.cli.distill import student_options
from cyclegan_tf.common.errors import InputError
from cyclegan_tf.config import DistillConfig
from cyclegan_tf.data.domain import Domain, Domains
from cyclegan_tf.runs import directory, generators, saved
from tests.helpers import assert_one_line_error, run_here, tiny_config, write_run


@pytest.fixture(scope="module")
def teacher(tmp_path_factory, tiny_data_dir):
    """The directory of a run with options, as if it had been trained."""
    path, data_dir = tmp_path_factory.mktemp("taught"), str(tiny_data_dir)
    config = tiny_config(path, data_dir=data_dir, filters=8, learning_rate=5e-4)
    networks = {
        direction: generators.new_generator(config, Domains(), direction)
        for direction in saved.DIRECTIONS
    }
    return write_run(config, networks)


@pytest.mark.parametrize("student, filters", [("tiny", 2), ("small", 4), ("medium", 8)])
def test_students_have_a_share_of_the_channels(teacher, student, filters):
    config = DistillConfig(run_dir=str(teacher), student=student)
    options = student_options(config)
    assert options.resolved_generator_filters == filters
    assert options.generator == "mobile" and options.filters == 8
    assert options.run_dir == f"{teacher}-{student}"
    assert options.teacher == str(teacher)


def test_student_of_the_working_directory_is_beside_it(tmp_path, monkeypatch):
    (tmp_path / "mine" / "sub").mkdir(parents=True)
    for folder, run_dir in (("mine", "."), ("mine/sub", "..")):
        monkeypatch.chdir(tmp_path / folder)
        student_dir = DistillConfig(run_dir=run_dir).resolved_student_dir
        assert student_dir == tmp_path / "mine-small"


def test_flags_come_before_names(teacher):
    config = DistillConfig(run_dir=str(teacher), filters=3, residual_blocks=2, epochs=5)
    options = student_options(config)
    numbers = options.generator_filters, options.residual_blocks, options.epochs
    assert numbers == (3, 2, 5)


def test_images_named_anew_replace_the_teachers(teacher, tmp_path):
    config, *rest = directory.read_config(teacher)
    config = dataclasses.replace(config, domain_a="horses", domain_b="zebras")
    directory.write_config(tmp_path, directory.Recorded(config, *rest))
    given = DistillConfig(run_dir=str(tmp_path), dataset="photos", data_dir="data")
    options = student_options(given)
    assert (options.dataset, options.domain_a, options.domain_b) == (
        "photos",
        None,
        None,
    )
    assert options.data_dir == "data"


def test_other_images_are_read_in_the_form_of_the_teachers(teacher, tmp_path):
    recorded = directory.read_config(teacher)
    forms = Domain(1, "float32", -1000.0, 3071.5), Domain(1, "uint8")
    directory.write_config(tmp_path, recorded._replace(domains=Domains(*forms)))
    given = DistillConfig(run_dir=str(tmp_path))
    assert student_options(given).range_a is None
    options = student_options(dataclasses.replace(given, dataset="scans"))
    assert (options.range_a, options.range_b) == ("-1000,3071.5", None)
    assert (options.channels_a, options.channels_b) == (None, 1)


@pytest.mark.parametrize("steps_per_epoch, epochs", [(None, 8), (4, 2)])
def test_student_takes_as_many_steps(tmp_path, teacher, steps_per_epoch, epochs):
    config, *rest = directory.read_config(teacher)
    config = dataclasses.replace(config, steps_per_epoch=steps_per_epoch)
    directory.write_config(tmp_path, directory.Recorded(config, *rest))
    options = student_options(DistillConfig(run_dir=str(tmp_path)))
    assert (options.batch_size, options.epochs) == (4, epochs)


def test_student_is_not_larger_than_its_teacher(teacher):
    config = DistillConfig(run_dir=str(teacher), filters=40)
    with pytest.raises(InputError, match="filters 40 .* takes .* its teacher"):
        student_options(config)


def test_student_of_a_student_is_smaller(teacher, tmp_path):
    options = student_options(DistillConfig(run_dir=str(teacher)))
    directory.write_config(tmp_path, directory.Recorded(options, "of the images"))
    of_student = student_options(DistillConfig(run_dir=str(tmp_path)))
    assert of_student.generator_filters == 2


def test_one_direction_is_refused_in_one_line(teacher, tmp_path, capsys):
    run_dir = shutil.copytree(teacher, tmp_path / "one")
    loaded = generators.load_generators(run_dir)
    generators.save_generators(run_dir, {"a_to_b": loaded["a_to_b"]}, {"step": 8})
    done = run_here(capsys, "distill", "--run-dir", run_dir)
    assert_one_line_error(done, run_dir, "has one direction only, a_to_b")


def test_command_writes_a_run_that_tells_of_both(scored_run, tmp_path, capsys):
    student = tmp_path / "my student"
    options = ("--run-dir", scored_run, "--student-dir", student, "--filters", 1)
    done = run_here(capsys, "distill", *options, "--epochs", 1)
    assert done.returncode == 0, done.stderr
    assert "discriminators start from those of" in done.stderr
    assert "multiply_adds" in done.stdout
    about = json.loads((student / "model" / "model.json").read_text())
    costs = about["compared"]
    assert costs["student"]["multiply_adds"] < costs["teacher"]["multiply_adds"] / 2
    earlier = json.loads((scored_run / "scores.json").read_text())
    scores = earlier["evaluations"][-1]["scores"][0]["scores"]
    np.testing.assert_allclose(
        costs["teacher"]["scores"]["swd_a_to_b"], scores["swd"], rtol=1e-4
    )
    # Both are runs.
    [command] = re.findall(r"side by side: evaluate\.py (.+)", done.stderr)
    done = run_here(capsys, "evaluate", *shlex.split(command))
    assert done.returncode == 0, done.stderr

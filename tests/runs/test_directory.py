import dataclasses
import json

import pytest

from cyclegan_tf.common.errors import InputError
from cyclegan_tf.runs import directory as run_directory
from cyclegan_tf.runs.directory import Recorded, read_config


def continue_run(path, config, fingerprint="f00d", **more):
    begun = run_directory.require_same_options(path, config)
    run_directory.continue_run(path, begun, Recorded(config, fingerprint, **more))


@pytest.fixture
def begun(tiny_run, tmp_path):
    """A run directory with a config, and the config."""
    config = tiny_run()
    path = config.resolved_run_dir
    with run_directory.locked(path):
        continue_run(path, config)
    return path, config


def changed(config, **options):
    return dataclasses.replace(config, **options)


def test_config_is_written_and_read_back(begun):
    path, config = begun
    assert read_config(path) == Recorded(config, "f00d")
    options = json.loads((path / "config.json").read_text())["options"]
    assert options == dataclasses.asdict(config)


@pytest.mark.parametrize(
    "option, value",
    [
        ("filters", 3),
        ("image_size", 48),
        ("load_size", 40),
        ("seed", 1),
        ("batch_size", 2),
        ("cycle_weight", 9.0),
        ("discriminator", "patch70"),
        ("norm", "plain"),
        ("upsampling", "resize"),
        ("pool_size", 4),
        ("learning_rate", 2e-3),
        ("steps_per_epoch", 5),
        ("constant_epochs", 2),
        ("epochs", 1),
        ("jit", "on"),
    ],
)
def test_option_that_changes_the_result_is_refused_by_name(begun, option, value):
    path, config = begun
    flag = "--" + option.replace("_", "-")
    changes = {option: value} | ({"load_size": 60} if option == "image_size" else {})
    # Before the images are known.
    with pytest.raises(InputError, match=f"{flag} was .* and is now {value}"):
        run_directory.require_same_options(path, changed(config, **changes))


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"cache": "none"},
        {"checkpoint_every": 3},
        {"sample_every": 2},
        {"evaluate_every": 2, "best_by": "truth_mae"},
        {"constant_epochs": 1},  # which is derived
        {"dataset": "elsewhere/x"},
    ],
)
def test_option_that_does_not_change_the_result_is_allowed(begun, options):
    path, config = begun
    continue_run(path, changed(config, **options))
    assert read_config(path).options == config


@pytest.mark.parametrize("name", ["init_from", "teacher"])
def test_other_run_is_a_difference_and_the_spelling_of_its_place_is_none(
    begun, tmp_path, monkeypatch, name
):
    path, config = begun
    problem = f"--{name.replace('_', '-')} was None and is now .*earlier"
    with pytest.raises(InputError, match=problem):
        continue_run(path, changed(config, **{name: "runs/earlier"}), "f00d")
    given = changed(config, **{name: str(tmp_path / "earlier")})
    run_directory.write_config(path, Recorded(given, "f00d"))
    monkeypatch.chdir(tmp_path)
    continue_run(path, changed(config, **{name: "./earlier"}))


def test_extension_says_what_happens_to_the_schedule(begun, capsys):
    path, config = begun
    longer = changed(config, epochs=6)
    continue_run(path, longer)
    said = capsys.readouterr().err
    assert "from 2 to 6 epochs" in said
    assert "constant for 3 epochs and then falls to 0 over 3 (before: 1 and 1)" in said
    assert read_config(path).options == longer


def test_other_images_are_refused_with_a_way_to_begin_from_the_run(begun):
    path, config = begun
    with pytest.raises(InputError, match=f"other images.* --init-from {path} "):
        continue_run(path, config, "beef")


def test_other_kernels_are_said(begun, capsys):
    path, config = begun
    continue_run(path, config, onednn=True)
    assert "will not be the same to the bit" in capsys.readouterr().err
    assert read_config(path).onednn is None


def test_restart_keeps_the_earlier_run_under_another_name(begun):
    path, config = begun
    for number in (1, 2):
        with run_directory.locked(path), run_directory.set_aside(path):
            assert not (path / "config.json").exists()
            continue_run(path, config)
        earlier = path.with_name(f"{path.name}.old-{number}")
        assert read_config(earlier).options == config


def test_run_of_the_working_directory_begins_anew(begun, monkeypatch):
    path, config = begun
    monkeypatch.chdir(path)
    here = changed(config, run_dir=".").resolved_run_dir
    with run_directory.locked(here), run_directory.set_aside(here):
        continue_run(here, config)
    for place in (path, path.with_name(f"{path.name}.old-1")):
        assert read_config(place).options == config


def test_earlier_run_keeps_its_name_where_no_other_is_begun(begun):
    path, config = begun
    with pytest.raises(InputError, match="no memory"):
        with run_directory.locked(path), run_directory.set_aside(path):
            raise InputError("no memory")
    assert read_config(path).options == config
    assert [each.name for each in path.parent.glob("run*")] == ["run"]


def test_directory_in_use_is_refused(begun):
    path, _ = begun
    with run_directory.locked(path):
        with pytest.raises(InputError, match="in use by another process"):
            with run_directory.locked(path):
                pass


def test_run_killed_before_its_config_was_written_begins_anew(begun):
    path, config = begun
    (path / "config.json").rename(path / ".partial-config.json")
    with run_directory.locked(path):
        continue_run(path, config)
    assert read_config(path) == Recorded(config, "f00d")


def test_command_that_does_not_begin_a_run_leaves_no_directory(tmp_path):
    with pytest.raises(InputError):
        with run_directory.locked(tmp_path / "runs" / "new"):
            raise InputError("no such dataset")
    assert not (tmp_path / "runs").exists()

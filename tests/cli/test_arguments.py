import dataclasses
import re

import pytest

from cyclegan_tf.cli.arguments import parse
from cyclegan_tf.common import files
from cyclegan_tf.common.errors import InputError
from cyclegan_tf.config import (
    EvaluateConfig,
    TrainConfig,
    TranslateConfig,
    flag,
)


def parse_train(*arguments):
    return parse(TrainConfig, "test", arguments=list(map(str, arguments)))


@pytest.mark.parametrize(
    "given, meant",
    [
        (["--batch_size", "4"], "--batch-size"),
        (["--batchsize=4"], "--batch-size"),
        (["--epoch", "4"], "--epochs"),
        (["--lr", "1e-4"], "--learning-rate"),
        (["--lambda_A", "5", "--netG", "unet"], "--cycle-weight, --residual-blocks"),
        (["--dataroot", "x", "--name", "y"], "--dataset, --run-dir"),
    ],
)
def test_flag_that_was_meant_is_suggested(given, meant):
    with pytest.raises(InputError) as error:
        parse_train(*given)
    named = f"unrecognized arguments: {' '.join(given)}; did you mean {meant}?"
    assert str(error.value) == f"{named} (see --help)"


@pytest.mark.parametrize("given", [["--zzz"], ["photos"], ["--remat", "true"]])
def test_nothing_is_suggested_where_nothing_is_near(given):
    with pytest.raises(InputError, match=f"arguments: {given[-1]} \\(see --help\\)"):
        parse_train(*given)


@pytest.mark.parametrize(
    "config_class, positionals, arguments, name",
    [
        (TrainConfig, [], ["--run-dir", "gs://b/x"], "--run-dir"),  # looked into first
        (TrainConfig, [], ["--init-from", "hf:a/b"], "--init-from"),
        (EvaluateConfig, [], ["--run-dir", "runs/x", "s3://b/x"], "--run-dir"),
        (TranslateConfig, ["input", "output"], ["in", "gs://x"], "--output"),
        (TranslateConfig, [], ["--model", "hf:a/b"], "--model"),
        (TranslateConfig, [], ["--model", "~nobody-here/x"], "--model"),
    ],
)
def test_place_elsewhere_is_refused(config_class, positionals, arguments, name):
    problem = f"{name} {arguments[-1]}: (only local paths|there is no such user)"
    with pytest.raises(InputError, match=problem):
        parse(config_class, "test", positionals, arguments)


@pytest.mark.parametrize(
    "arguments",
    [
        ["--tile", "in.png", "out.png"],
        ["in.png", "--tile", "out.png"],
        ["in.png", "out.png", "--tile"],
    ],
)
def test_positionals_may_stand_on_both_sides_of_a_flag(arguments):
    config = parse(TranslateConfig, "test", ["input", "output"], arguments)
    assert config == TranslateConfig(input="in.png", output="out.png", tile=True)


@pytest.mark.parametrize(
    "arguments",
    [
        ["--model", "a", "--model", "b", "c"],
        ["--run-dir", "a", "--model=b", "--report", "--run-dir", "c"],
        ["a", "b", "--run-dir", "c"],
        ["a", "--run-dir", "b", "c"],
        ["--model", "c", "--report", "a", "b"],  # words come first
    ],
)
def test_everything_that_a_list_is_given_is_in_it(arguments):
    config = parse(EvaluateConfig, "test", ["run_dir"], arguments)
    assert config.run_dir == ["a", "b", "c"]


@pytest.mark.parametrize(
    "arguments, problem",
    [
        (["in", "out", "--output", "x"], "OUTPUT is given twice: out, and --output x"),
        (["--input=x", "in", "out"], "INPUT is given twice: in, and --input x"),
    ],
)
def test_value_with_and_without_its_flag_is_refused(arguments, problem):
    with pytest.raises(InputError, match=f"{problem} \\(see --help\\)"):
        parse(TranslateConfig, "test", ["input", "output"], arguments)


def test_range_may_begin_below_zero():
    ranges = ["--range-a", "-1000,1000", "--epochs", "2", "--range-b=-.5,.5"]
    config = parse_train("--dataset", "photos", *ranges)
    assert (config.range_a, config.range_b) == ("-1000,1000", "-.5,.5")
    with pytest.raises(InputError, match="--epochs must be at least 1, got -3"):
        parse_train("--epochs", "-3")
    with pytest.raises(InputError, match="unrecognized arguments: -3"):
        parse_train("--epochs", "3", "-3")


def test_help_has_headings(capsys):
    with pytest.raises(SystemExit):
        parse_train("--help")
    text = capsys.readouterr().out
    headings = re.findall(r"^(\w+):$", text, re.M)
    assert headings[:4] == ["options", "data", "run", "networks"]
    flags_shown = re.findall(r"^  (--[\w-]+)", text, re.M)
    fields = dataclasses.fields(TrainConfig)
    assert flags_shown == [flag(field.name) for field in fields]
    networks = text.partition("\nnetworks:")[2].partition("\nobjective:")[0]
    assert "--norm" in networks and "--epochs" not in networks


def test_plan_as_json_is_for_a_plan_only():
    assert parse_train("--dry-run", "--json").json
    with pytest.raises(InputError, match="--json is for --dry-run"):
        parse_train("--json")


# A run's own options.


@pytest.fixture
def run_dir(tmp_path):
    config = TrainConfig(
        dataset="photos", filters=8, batch_size=2, restart=True, run_dir="elsewhere"
    )
    write(tmp_path, dataclasses.asdict(config))
    return tmp_path


def write(run_dir, options, fingerprint="f00d"):
    content = {"options": options, "dataset_fingerprint": fingerprint}
    files.write_json(run_dir / "config.json", content)


def test_run_is_continued_with_its_own_options(run_dir):
    assert parse_train("--run-dir", run_dir) == TrainConfig(
        dataset="photos", filters=8, batch_size=2, run_dir=str(run_dir)
    )


def test_flag_overrides_what_the_run_was_begun_with(run_dir):
    config = parse_train(f"--run-dir={run_dir}", "--filters", 16, "--restart")
    assert (config.filters, config.batch_size, config.restart) == (16, 2, True)


@pytest.mark.parametrize("recipe", ["default", "paper"])
def test_another_recipe_keeps_nothing_of_the_one_before(tmp_path, recipe):
    images = "--dataset", "photos", "--seed", 7
    run, other = ("--run-dir", tmp_path), ("--run-dir", tmp_path / "other")
    write(tmp_path, dataclasses.asdict(parse_train(*images, *run, "--recipe", "quick")))
    again = parse_train(*run, "--recipe", recipe, "--restart")
    anew = parse_train(*images, *other, "--recipe", recipe, "--restart")
    assert again == dataclasses.replace(anew, run_dir=str(tmp_path))


def test_switch_of_a_run_stays_on_until_it_is_turned_off(run_dir):
    write(run_dir, {"remat": True})
    assert parse_train("--run-dir", run_dir).remat
    assert not parse_train("--run-dir", run_dir, "--no-remat").remat


def test_new_run_has_what_its_dataset_recommends(tmp_path):
    new = "--run-dir", tmp_path / "new"
    assert parse_train(*new, "--seed", 0).image_size == 64
    assert parse_train(*new, "--dataset", "synthetic/t1_t2").epochs == 10
    assert parse_train(*new, "--no-average", "--dataset=photos").image_size == 256


@pytest.mark.parametrize("more", [(), ("--epochs", 9), ("--restart",), ("--dry-run",)])
def test_run_that_is_not_there_is_not_begun_by_its_name_alone(tmp_path, more):
    write(tmp_path / "horses", {})
    with pytest.raises(InputError, match="no run is there .*did you mean .*horses\\?"):
        parse_train("--run-dir", tmp_path / "horse", *more)
    with pytest.raises(InputError, match="to go on with; to begin one, say which"):
        parse_train("--run-dir", tmp_path / "of another name", *more)


def test_imported_models_bring_no_options(run_dir):
    write(run_dir, {"filters": 8}, fingerprint=None)
    assert parse_train("--run-dir", run_dir).filters == 16


@pytest.mark.parametrize(
    "content",
    [
        "",
        "{",
        "[]",
        "{}",
        "null",
        '{"a": NaN',
        "[" * 10**6,
        '{"dataset_fingerprint": "f00d"}',
        '{"options": 1, "dataset_fingerprint": "f00d"}',
        '{"options": {"epochs": "many"}, "dataset_fingerprint": "f00d"}',
        '{"options": {"no_such_option": 1}, "dataset_fingerprint": "f00d"}',
    ],
)
def test_damaged_config_is_named(run_dir, content):
    (run_dir / "config.json").write_text(content)
    with pytest.raises(InputError, match="config.json is damaged .*--restart"):
        parse_train("--run-dir", run_dir)
    assert parse_train("--run-dir", run_dir, "--restart").image_size == 64

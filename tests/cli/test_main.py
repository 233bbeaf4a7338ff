"""`cyclegan COMMAND ...`, and the scripts that are the same."""

import subprocess
import sys

import pytest

from cyclegan_tf import cli
from tests.helpers import ROOT, run_here, run_script


def cyclegan(*arguments, **options):
    command = [sys.executable, "-m", "cyclegan_tf", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, **options)


@pytest.fixture(autouse=True)
def own_argv(monkeypatch):
    monkeypatch.setattr(sys, "argv", ["pytest"])


@pytest.mark.parametrize("arguments", [[], ["--help"], ["-h"]])
def test_help_names_every_command(arguments, capsys):
    cli.main(arguments)
    text = capsys.readouterr().out
    for name in cli.COMMANDS:
        assert f"\n  {name} " in text


def test_version_is_told(capsys):
    cli.main(["--version"])
    assert capsys.readouterr().out == "cyclegan 0.1.0\n"


@pytest.mark.parametrize(
    "name, hint", [("trian", "; did you mean train?"), ("serve-it", "")]
)
def test_unknown_command_is_refused(name, hint, capsys):
    with pytest.raises(SystemExit) as end:
        cli.main([name])
    assert end.value.code == 2
    expected = f"cyclegan: error: unknown command '{name}'{hint} (see --help)\n"
    assert capsys.readouterr().err == expected


def test_error_begins_with_what_was_called():
    called = cyclegan("train", "--epochs", "0", cwd=ROOT)
    script = run_script("train.py", "--epochs", "0")
    assert (called.returncode, script.returncode) == (2, 2)
    problem = "error: --epochs must be at least 1, got 0.\n"
    assert called.stderr == f"cyclegan train: {problem}"
    assert script.stderr == f"train.py: {problem}"


def test_script_is_the_command_from_any_folder(tmp_path, capsys):
    options = ["--synthetic-images", 3, "--synthetic-size", 32, "--data-dir", tmp_path]
    script = run_script("tfrecords/build.py", *options, cwd=tmp_path)
    called = run_here(capsys, "build", *options)
    assert script.stdout == called.stdout
    assert "trainA 3, trainB 3" in called.stdout


def test_examples_in_help_are_of_what_was_called():
    assert "\n    cyclegan import G_A.pth" in cyclegan("import", "-h", cwd=ROOT).stdout
    assert "\nbuild.py cycle_gan" in run_script("tfrecords/build.py", "-h").stdout

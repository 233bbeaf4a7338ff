"""`cyclegan COMMAND ...`, and the scripts that are the same."""

import subprocess
import sys

import pytest

from cyclegan_tf import cli
from tests.helpers import ROOT, run_script


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


def test_examples_in_help_are_of_what_was_called(capsys):
    with pytest.raises(SystemExit):
        cli.main(["import", "--help"])
    assert "\n    cyclegan import G_A.pth" in capsys.readouterr().out


def test_error_begins_with_what_was_called_from_any_folder(tmp_path):
    command = [sys.executable, "-m", "cyclegan_tf", "train", "--epochs", "0"]
    called = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    script = run_script("train.py", "--epochs", "0", cwd=tmp_path)
    assert (called.returncode, script.returncode) == (2, 2)
    problem = "error: --epochs must be at least 1, got 0.\n"
    assert called.stderr == f"cyclegan train: {problem}"
    assert script.stderr == f"train.py: {problem}"

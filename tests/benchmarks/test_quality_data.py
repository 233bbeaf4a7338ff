"""Which experiment `benchmarks/quality.py` takes the options for."""

import importlib
import pathlib
import types

import pytest

from benchmarks.quality_data import contest
from cyclegan_tf.cli import arguments
from cyclegan_tf.common.errors import InputError

ROOT = pathlib.Path(__file__).resolve().parents[2]
USUAL = {
    "output": "runs/quality",
    "image_size": None,
    "steps": None,
    "minutes": None,
    "flags": "",
    "paired": False,
    "inception_weights": None,
}


def contest_of(dataset, **options):
    return contest(dataset, types.SimpleNamespace(**(USUAL | options)))


def options_of(found):
    """Flags and their values; of a flag that is given twice, the last."""
    return dict(zip(found.flags[::2], found.flags[1::2], strict=True))


def test_the_script_imports_and_parses(monkeypatch):
    pytest.importorskip("torch")
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    script = importlib.import_module("quality")
    options = arguments.parse(script.Options, "", arguments=["--minutes", "2.5"])
    assert options.minutes == 2.5


def test_a_folder_is_not_taken_for_the_embedded_dataset_of_its_name(tmp_path):
    folder = tmp_path / "horse2zebra"
    folder.mkdir()
    own, embedded = contest_of(str(folder)), contest_of("horse2zebra")
    assert own.label == f"{tmp_path.name}-horse2zebra"
    assert embedded.label == "horse2zebra"
    assert options_of(own)["--data-dir"] != options_of(embedded)["--data-dir"]
    assert options_of(own)["--dataset"] == str(folder)


def test_a_tfds_name_is_trained_on_with_the_usual_settings():
    found = contest_of("cycle_gan/maps")
    assert found.label == "cycle_gan-maps"
    assert options_of(found)["--dataset"] == "cycle_gan/maps"
    assert options_of(found)["--image-size"] == "64"
    assert options_of(found)["--steps-per-epoch"] == "600"


def test_other_settings_are_another_experiment_with_the_same_shards():
    plain = contest_of("cycle_gan/maps")
    others = [
        contest_of("cycle_gan/maps", image_size=128),
        contest_of("cycle_gan/maps", steps=500),
        contest_of("cycle_gan/maps", minutes=2.5),
        contest_of("cycle_gan/maps", flags="--filters 32"),
    ]
    assert plain.label == "cycle_gan-maps"
    assert [x.label.removeprefix(plain.label) for x in others] == [
        "-128px",
        "-500steps",
        "-2.5min",
        "-filters-32",
    ]
    assert len({options_of(x)["--data-dir"] for x in (plain, *others)}) == 1
    assert options_of(others[0])["--image-size"] == "128"
    assert options_of(others[1])["--steps-per-epoch"] == "100"
    assert options_of(others[3])["--filters"] == "32"


def test_steps_that_are_no_whole_epochs_are_refused():
    with pytest.raises(InputError, match="--steps takes a multiple of 5, got 7"):
        contest_of("cycle_gan/maps", steps=7)

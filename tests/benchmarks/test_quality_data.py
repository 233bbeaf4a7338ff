"""Which experiment `benchmarks/quality.py` takes the options for."""

import importlib
import pathlib
import types

import pytest

from benchmarks.quality_data import contest
from benchmarks.quality_report import curve_chart
from cyclegan_tf.cli import arguments
from cyclegan_tf.common.errors import InputError

ROOT = pathlib.Path(__file__).resolve().parents[2]
USUAL = {
    "output": "runs/quality",
    "image_size": None,
    "steps": None,
    "minutes": None,
    "score_after": None,
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
    # What is asked of all contestants is not asked of one by its recipe.
    assert "--cycle-weight" in script.VARIANTS["quick"]
    assert "--discriminator" in script.VARIANTS["paper"]
    assert not {"--epochs", "--no-average", "--average"} & {*script.VARIANTS["paper"]}


def test_a_curve_is_drawn_of_each_run_over_its_minutes():
    points = [
        {
            "variant": variant,
            "seed": 0,
            "weights": "average",
            "seconds": seconds,
            "scores": {"kid_a_to_b": seconds / 10, "kid_b_to_a": 5.0},
        }
        for variant in ("quick", "paper")
        for seconds in (60, 120)
    ]
    nothing = {"scores": {"kid_a_to_b": 150.0, "kid_b_to_a": 150.0}}
    figure = curve_chart(points, {"untranslated": [nothing]})
    lines = {line.get_label(): line for line in figure.axes[0].lines}
    assert [*lines["untranslated"].get_ydata()] == [150.0, 150.0]
    assert [*lines["paper, seed 0, average"].get_xdata()] == [1.0, 2.0]
    assert [*lines["paper, seed 0, average"].get_ydata()] == [6.0, 12.0]


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

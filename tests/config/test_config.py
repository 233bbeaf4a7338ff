import dataclasses
import json
import pathlib

import pytest

from cyclegan_tf.cli import arguments as command_line
from cyclegan_tf.common.errors import InputError
from cyclegan_tf.common.seeds import derived_seed
from cyclegan_tf.config import (
    RECIPES,
    EvaluateConfig,
    ExportConfig,
    TrainConfig,
    TranslateConfig,
    settings,
)
from cyclegan_tf.config.sizes import Frame
from cyclegan_tf.runs.directory import Recorded, write_config


def parse(*arguments):
    return command_line.parse(TrainConfig, "test", arguments=arguments)


def test_defaults_are_the_papers():
    config = parse("--dataset", "cycle_gan/horse2zebra")
    assert config == TrainConfig(dataset="cycle_gan/horse2zebra")
    assert (config.frame, config.load_frame) == (Frame(256, 256), Frame(286, 286))
    assert (config.epochs, config.resolved_constant_epochs) == (200, 100)
    assert (config.batch_size, config.pool_size, config.filters) == (1, 50, 64)
    assert (config.cycle_weight, config.resolved_identity_weight) == (10, 5)
    assert config.learning_rate == 2e-4
    assert config.discriminator == "patch46"


@pytest.mark.parametrize("one", ["runs/one", pathlib.Path("runs/one")])
def test_one_model_may_be_given_as_it_is(one):
    assert EvaluateConfig(one) == EvaluateConfig(["runs/one"])


def test_places_may_be_paths():
    places = {"dataset": "photos", "run_dir": "runs/one", "data_dir": "shards"}
    paths = {name: pathlib.Path(place) for name, place in places.items()}
    assert TrainConfig(**paths) == TrainConfig(**places)
    assert ExportConfig(pathlib.Path("runs/one")) == ExportConfig("runs/one")


def test_export_is_refused_where_tensorflow_cannot_write():
    with pytest.raises(InputError, match="--output .* is not UTF-8"):
        ExportConfig(output="d\udce9")


@pytest.mark.parametrize("size, blocks", [(252, 6), (256, 9), (512, 9)])
def test_residual_blocks_follow_the_image_size(size, blocks):
    assert TrainConfig(image_size=size).resolved_residual_blocks == blocks
    given = TrainConfig(image_size=size, residual_blocks=2)
    assert given.resolved_residual_blocks == 2


def test_sizes_are_height_by_width():
    config = parse("--image-size", "64x128")
    assert (config.frame, config.load_frame) == (Frame(64, 128), Frame(72, 143))
    assert config.resolved()["load_size"] == "72x143"
    given = parse("--image-size", "64x128", "--load-size", "80x128", "--resize", "fit")
    assert given.load_frame == Frame(80, 128, "fit")
    uncut = TrainConfig(image_size="64x128", resize="none")
    assert uncut.load_frame == uncut.frame == Frame(64, 128, "none")


def test_recipe_comes_before_the_dataset_and_flags_before_it():
    recommended, paper = parse(), parse("--recipe", "paper", "--norm", "affine")
    assert (recommended.learning_rate, paper.learning_rate) == (1e-3, 2e-4)
    assert paper.resolved_discriminator_learning_rate == 2e-4
    assert (paper.discriminator, paper.norm, paper.average) == (
        "patch70",
        "affine",
        False,
    )
    # Of what the recipe does not set, the dataset's own.
    assert (paper.image_size, paper.filters) == (64, 16)
    assert (recommended.recipe, paper.recipe) == ("default", "paper")
    for name in RECIPES:
        assert TrainConfig("photos", **settings("photos", name)).recipe == name


def test_recipe_of_a_run_stays(tmp_path):
    given = ["--run-dir", str(tmp_path)]
    paper = parse(*given, "--recipe", "paper", "--seed", "3")
    write_config(tmp_path, Recorded(paper, "fingerprint"))
    assert parse(*given) == paper
    assert parse(*given, "--recipe", "paper") == paper


def test_seeds_differ_by_purpose_and_by_seed():
    assert derived_seed(0, "order a") == derived_seed(0, "order a")
    assert derived_seed(0, "order a") != derived_seed(0, "order b")
    assert derived_seed(0, "order a") != derived_seed(1, "order a")


def test_run_directory_is_named_after_the_dataset(tmp_path):
    assert str(TrainConfig().resolved_run_dir) == "runs/synthetic/horse2zebra"
    folder = tmp_path / "my photos"
    folder.mkdir()
    assert TrainConfig(dataset=str(folder)).resolved_run_dir.name == "my photos"


@pytest.mark.parametrize(
    "options, message",
    [
        (
            {"image_size": 30},
            "--image-size must be multiples of 4, at least 16, got 30",
        ),
        ({"image_size": "64x8"}, "--image-size must be multiples of 4, at least 16"),
        (
            {"image_size": 20, "discriminator": "patch70"},
            "--image-size 20 is too small for --discriminator patch70, which takes "
            "sides from 24 px on",
        ),
        ({"image_size": "64x16", "discriminator": "patch70"}, "64x16 is too small"),
        ({"image_size": "64 by 64"}, "--image-size: expected pixels, such as 256 or"),
        ({"load_size": "286x200"}, "--load-size must be at least 256, got 286x200"),
        ({"load_size": 286, "resize": "none"}, "--load-size has no meaning with"),
        (
            {"restart": True, "teacher": "runs/x", "run_dir": "runs/../runs/x"},
            "--teacher runs/x is what --restart renames; choose another --run-dir",
        ),
        (
            {"generator": "unet"},
            "--generator takes one of resnet, attention, mobile, got 'unet'",
        ),
        ({"precision": "int8"}, "--precision takes one of float32, bfloat16, float16"),
        ({"cache": "disk"}, "--cache takes one of auto, memory, none, got 'disk'"),
        ({"best_by": "swdd"}, "--best-by takes one of swd, kid, fid, truth_mae, got"),
        ({"batch_size": 1.5}, "--batch-size takes a whole number, got 1.5"),
        ({"batch_size": True}, "--batch-size takes a whole number, got True"),
        ({"epochs": None}, "--epochs takes a whole number, got None"),
        ({"residual_blocks": "9"}, "takes a whole number or nothing, got '9'"),
        ({"average": "no"}, "--average takes true or false, got 'no'"),
        ({"cycle_weight": "10"}, "--cycle-weight takes a number, got '10'"),
        ({"cycle_weight": float("inf")}, "--cycle-weight takes a number, got inf"),
        ({"channels_b": 5}, "--channels-b takes 1 to 4, got 5"),
        ({"range_a": "4095"}, "--range-a takes two values, such as 0,4095, or"),
        ({"range_a": "9,9"}, "--range-a: 9,9 is no range"),
        ({"range_a": "0,9,3"}, "--range-a takes two values, .* two for each channel"),
        ({"range_a": "per-channel,0,9"}, "--range-a takes .* or per-channel, with two"),
        ({"range_b": "p1,p101"}, "--range-b: percentiles are between 0 and 100"),
        ({"cycle_weight": float("nan")}, "--cycle-weight"),
        ({"learning_rate": 0.0}, "--learning-rate must be between 0 and 1"),
        ({"learning_rate": float("nan")}, "--learning-rate"),
        ({"diffaugment": "color,none"}, "--diffaugment takes none, or some of color"),
        ({"synthetic_size": 31}, "--synthetic-size must be at least 32, got 31"),
        ({"dataset": ""}, "--dataset"),
        ({"data_dir": "d\udce9"}, r"--data-dir 'd\\udce9': the name is not UTF-8"),
        ({"dataset": "/d\udce9"}, r"--dataset 'd\\udce9': the name is not UTF-8"),
        ({"run_dir": "d\udce9"}, r"--run-dir 'd\\udce9': the name is not UTF-8"),
    ],
)
def test_bad_value_is_refused_by_its_flag(options, message):
    with pytest.raises(InputError, match=message):
        TrainConfig(**options)


def test_whole_numbers_are_numbers():
    assert TrainConfig(cycle_weight=10, identity_weight=0) == TrainConfig(
        cycle_weight=10.0, identity_weight=0.0
    )


@pytest.mark.parametrize("config", [EvaluateConfig, ExportConfig, TranslateConfig])
def test_checkpoint_is_last_best_or_a_step(config):
    for name in ("last", "best", "3000"):
        assert config(checkpoint=name).checkpoint == name
    for name in ("", "newest", "-1", "3.5", "²"):
        with pytest.raises(InputError, match="--checkpoint takes last, best, or"):
            config(checkpoint=name)


def test_no_more_than_eight_models_are_compared():
    with pytest.raises(InputError, match="--run-dir takes at most 8 runs, got 9"):
        EvaluateConfig(["runs/x"] * 9)


@pytest.mark.parametrize("config", [TrainConfig, EvaluateConfig])
def test_every_option_has_help(config):
    for field in dataclasses.fields(config):
        assert field.metadata["help"]


def test_augmentations_are_in_their_order_however_they_are_given():
    config = TrainConfig(diffaugment="cutout,color,cutout")
    assert config.augmentations == ("color", "cutout")
    assert config.resolved()["diffaugment"] == "color,cutout"
    assert TrainConfig().augmentations == ()


def test_resolved_options_are_json():
    assert json.loads(json.dumps(TrainConfig().resolved()))["load_size"] == 286

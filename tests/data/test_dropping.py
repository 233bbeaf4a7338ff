import dataclasses

import numpy as np
import pytest
from PIL import Image, ImageOps

from cyclegan_tf.common.errors import InputError
from cyclegan_tf.data import findings, pipeline
from cyclegan_tf.data.check import seen_in_training
from cyclegan_tf.data.shards import names_of
from cyclegan_tf.runs.run_dir import RunDir
from cyclegan_tf.training.run import train
from tests.data.test_check import plant, write_pictures
from tests.helpers import converted, run_here, tiny_config


@pytest.fixture
def photos(tmp_path):
    """A few pictures, copies within A, and test pictures of A that are in training."""
    for seed, name in enumerate(("trainA", "trainB", "testA", "testB")):
        write_pictures(tmp_path / "photos" / name, 4, seed, size=(40, 48))
    folder = tmp_path / "photos"
    plant(folder, "trainA/001.png", "trainA/a.jpg", quality=75)
    plant(folder, "trainA/001.png", "trainA/b.png", ImageOps.mirror)
    # Two copies of a test picture, and one of another.
    plant(folder, "testA/002.png", "trainA/c.png")
    plant(folder, "testA/002.png", "trainA/d.png", ImageOps.mirror)
    plant(folder, "trainA/003.png", "testA/e.png", lambda p: p.resize((96, 80)))
    # What is in the other domain, too, may be so on purpose.
    plant(folder, "trainA/000.png", "trainB/f.png")
    return folder


def test_first_of_copies_and_all_test_images_stay(photos, tmp_path):
    whole = converted(photos)
    config = tiny_config(tmp_path, dataset=str(photos))
    assert findings.shown(config, whole) is whole
    config = dataclasses.replace(config, drop_copies=True)
    dataset = findings.shown(config, whole)
    assert findings.left_out_in_words(dataset) == (
        "--drop-copies: 5 of 8 images of trainA and 0 of 5 images of trainB are left "
        "out, as copies or test images"
    )
    splits = dataset.splits()
    names = names_of(splits["trainA"])
    assert names == [f"trainA/00{i}.png" for i in range(3)]
    images = pipeline.load_images(splits["trainA"], config.frame._replace(resize="fit"))
    for image, name in zip(images, names, strict=True):
        with Image.open(photos / name) as picture:
            resized = np.asarray(picture.resize((38, 32), Image.Resampling.BICUBIC))
        assert np.abs(np.float32(image) - resized[:, 3:-3]).mean() < 9
    assert names_of(splits["trainB"])[-1] == "trainB/f.png"
    assert [len(splits[name]) for name in ("testA", "testB")] == [5, 4]
    assert seen_in_training(whole)[0].startswith("testA: 2 of 5 images are in trainA")
    assert seen_in_training(dataset) == [
        "testA: none of 5 images is in trainA",
        "testB: none of 4 images is in trainB",
    ]
    # Nor is any there that nobody listed: each against each, also mirrored.
    tests = pipeline.load_images(splits["testA"], config.frame)
    train_images = pipeline.load_images(splits["trainA"], config.frame)
    both = np.float32([tests, tests[:, :, ::-1]])[:, :, None]
    assert np.abs(both - train_images).mean(axis=(-3, -2, -1)).min() > 20


def test_run_that_is_opened_again_leaves_out_the_same_and_scores_say_so(
    photos, tmp_path, capsys, no_weights
):
    options = {"dataset": str(photos), "epochs": 1, "steps_per_epoch": None}
    config = tiny_config(tmp_path, drop_copies=True, **options)
    train(config)
    assert "epoch 1" in (said := capsys.readouterr().err) and "5 of 8" in said
    run = RunDir.open(config.resolved_run_dir)
    assert len(run.images("train")["a"]) == 3
    with pytest.raises(InputError, match="--drop-copies was True and is now False"):
        train(tiny_config(tmp_path, **options))
    done = run_here(capsys, "evaluate", "--run-dir", run.path, "--protocol")
    assert "testA: none of 5 images is in trainA" in done.stdout


def test_domain_of_test_images_only_is_refused_before_anything_is_begun(
    photos, tmp_path
):
    for path in (photos / "trainB").iterdir():
        path.unlink()
    for path in (photos / "testB").iterdir():
        plant(photos, f"testB/{path.name}", f"trainB/{path.name}")
    config = tiny_config(tmp_path, dataset=str(photos), drop_copies=True)
    with pytest.raises(InputError, match="no image of trainB: all 4 are in testB"):
        train(config)
    assert not (config.resolved_run_dir / "config.json").exists()

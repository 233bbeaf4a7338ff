import json
import re
import shutil

import numpy as np
import pytest
from PIL import Image, ImageCms, ImageOps

from cyclegan_tf.common.errors import Damaged
from cyclegan_tf.config import DatasetConfig
from cyclegan_tf.data import copies, looks
from cyclegan_tf.data.check import NOTHING, check, seen_in_training
from cyclegan_tf.data.convert import ensure_dataset
from cyclegan_tf.data.dataset import Dataset
from cyclegan_tf.data.domain import Domain
from cyclegan_tf.data.writing import write
from tests.data.hostile_files import SRGB
from tests.helpers import converted, random_pixels, random_values, run_here


def write_pictures(folder, count, seed=0, size=(64, 80)):
    """Different pictures, with noise as cameras have it."""
    folder.mkdir(parents=True, exist_ok=True)
    noise = np.random.default_rng(seed)
    for i in range(count):
        pixels = random_pixels(*size, seed=1000 * seed + i) + noise.normal(
            0, 9, (*size, 3)
        )
        Image.fromarray(np.uint8(np.clip(pixels, 0, 255))).save(folder / f"{i:03d}.png")


@pytest.fixture
def photos(tmp_path):
    """A folder of different pictures, enough of them."""
    counts = {"trainA": 52, "trainB": 50, "testA": 4, "testB": 3}
    for seed, (split, count) in enumerate(counts.items()):
        write_pictures(tmp_path / "photos" / split, count, seed)
    return tmp_path / "photos"


def found_in(folder):
    """What is said after the table."""
    return check(converted(folder))[5:]


def plant(photos, original, copy, change=lambda picture: picture, **options):
    with Image.open(photos / original) as picture:
        change(picture).save(photos / copy, **options)


def test_table_is_said_and_has_the_smallest_and_the_largest(photos, capsys):
    write_pictures(photos / "testB", 1, seed=8, size=(100, 50))
    (photos / "trainA" / "bad.jpg").write_text("no image")
    lines = check(converted(photos))
    assert lines == capsys.readouterr().err.splitlines()[-6:]
    assert [re.split(r"  +", line) for line in lines] == [
        ["", *"images unreadable size width/height channels depth".split()],
        ["trainA", "52", "1", "64x80", "1.25", "3", "8 bits"],
        ["trainB", "50", "0", "64x80", "1.25", "3", "8 bits"],
        ["testA", "4", "0", "64x80", "1.25", "3", "8 bits"],
        ["testB", "3", "0", "100x50 to 64x80", "0.50 to 1.25", "3", "8 bits"],
        [NOTHING],
    ]


def test_planted_copies_are_all_found_and_named(photos):
    plant(photos, "trainA/003.png", "trainA/a.jpg", quality=60)
    plant(photos, "trainA/004.png", "trainA/b.png", lambda p: p.resize((40, 32)))
    plant(photos, "trainA/005.png", "trainA/c.png", ImageOps.mirror)
    plant(photos, "trainA/006.png", "trainA/d.png")
    plant(photos, "trainA/010.png", "trainB/e.jpg", ImageOps.mirror, quality=75)
    plant(photos, "trainB/011.png", "testB/f.webp", lambda p: p.resize((120, 96)))
    plant(photos, "testA/002.png", "trainB/g.jpg")
    assert found_in(photos) == [
        "trainA: 4 of 56 images are there before (trainA/a.jpg = trainA/003.png, "
        "trainA/b.png = trainA/004.png, trainA/c.png = trainA/005.png, …): remove "
        "them, as they count more than once; --drop-copies trains without",
        "testB: 1 of 4 images are in trainB, too (testB/f.webp = trainB/011.png): "
        "remove them from either, or scores come out too good; --drop-copies trains "
        "without",
        "trainA: 1 of 56 images are in trainB, too (trainA/010.png = trainB/e.jpg): "
        "keep them in one, unless A and B show the same on purpose",
        "testA: 1 of 4 images are in trainB, too (testA/002.png = trainB/g.jpg): keep "
        "them in one, unless A and B show the same on purpose",
    ]


def test_test_images_that_training_has_seen_are_named(photos):
    plant(photos, "trainA/003.png", "testA/a.jpg", ImageOps.mirror, quality=75)
    plant(photos, "trainA/003.png", "trainB/b.png")
    dataset = converted(photos)
    assert seen_in_training(dataset) == [
        "testA: 1 of 5 images are in trainA, too (testA/a.jpg = trainA/003.png)",
        "testB: none of 3 images is in trainB",
    ]


def test_empty_and_few_images_are_named(photos):
    for i in range(2, 50):
        (photos / "trainB" / f"{i:03d}.png").unlink()
    Image.new("L", (64, 64), 7).save(photos / "trainA" / "one.png")
    nearly = np.full((64, 64), 250, np.uint8) - np.random.default_rng(0).integers(
        0, 3, (64, 64), np.uint8
    )
    nearly[:8, :8] = 0
    Image.fromarray(nearly).save(photos / "trainA" / "two.jpg", quality=95)
    # Half of one value, as around a head or an object on white.
    half = np.full((64, 64, 3), 255, np.uint8)
    half[:32] = random_pixels(32, 64)
    Image.fromarray(half).save(photos / "trainA" / "three.png")
    assert found_in(photos) == [
        "trainA: 2 of 55 images are empty, of one value in 95% or more "
        "(trainA/one.png, trainA/two.jpg): remove them",
        "trainB: only 2 images, which a discriminator learns by heart: add some; in "
        "a long training --diffaugment color,translation,cutout may help",
    ]


@pytest.mark.parametrize(
    "domain, suffix, depth",
    [
        (Domain(1, "uint16", 100, 900), ".png", "16 bits"),
        (Domain(5, "float32", -3, 2000), ".npy", "float32"),
        (Domain(2, "uint8"), ".tif", "8 bits"),
    ],
)
def test_every_form_of_images_is_checked(tmp_path, domain, suffix, depth):
    pixels = random_values(domain, 107, 48, 48)
    pixels[1:3] = pixels[0, 0, 0]  # two empty ones
    pixels[60] = pixels[10, :, ::-1]
    for i, image in enumerate(pixels):
        folder = tmp_path / "photos" / ("trainA" if i < 55 else "trainB")
        folder.mkdir(parents=True, exist_ok=True)
        write(folder / f"{i:03d}{suffix}", image)
    lines = check(converted(tmp_path / "photos"))
    name = "trainA/{:03d}" + suffix
    assert [finding.split(": ")[1] for finding in lines[5:]] == [
        "2 of 55 images are empty, of one value in 95% or more "
        f"({name.format(1)}, {name.format(2)})",
        f"1 of 53 images are in trainB, too ({name.format(10)} = trainB/060{suffix})",
    ]
    assert re.split(r"  +", lines[1])[-2:] == [str(domain.channels), depth]


@pytest.mark.parametrize("name", ["synthetic/horse2zebra", "synthetic/t1_t2"])
def test_embedded_datasets_are_found_to_be_good(tmp_path, name, capsys):
    config = DatasetConfig(
        name, data_dir=str(tmp_path), synthetic_images=60, synthetic_size=64
    )
    dataset = Dataset.open(ensure_dataset(config))
    assert "trainA" not in capsys.readouterr().err  # only when asked
    assert check(dataset)[5:] == [NOTHING]


def test_build_checks_when_it_converts_and_when_it_is_asked(photos, capsys):
    plant(photos, "trainA/003.png", "trainA/a.jpg")
    options = ["build", photos, "--data-dir", photos.parent / "tfrecords"]
    finding = "trainA: 1 of 53 images are there before (trainA/a.jpg = trainA/003.png)"
    for flags, times in (["--check"], 1), ([], 0), (["--check"], 1):
        done = run_here(capsys, *options, *flags)
        assert done.returncode == 0 and "trainA 53, trainB 50" in done.stdout
        assert done.stderr.count(finding) == done.stderr.count("width/height") == times


def test_dataset_of_an_earlier_version_is_looked_at_once(photos):
    plant(photos, "trainA/003.png", "trainA/a.jpg", quality=60)
    Image.new("L", (64, 64), 7).save(photos / "trainB" / "one.png")
    dataset = converted(photos)
    kept = dataset.directory / "check.json"
    found, expected = json.loads(kept.read_text()), check(dataset)
    assert len(expected) == 7
    kept.unlink()  # which they have none of
    assert check(dataset) == expected
    assert json.loads(kept.read_text()) == found
    kept.write_text("{")
    assert check(dataset) == expected
    # What cannot be read ends it in one line.
    kept.unlink()
    shard = dataset.directory / "trainB-00000.tfrecord"
    content = bytearray(shard.read_bytes())
    content[100] ^= 1
    shard.write_bytes(content)
    with pytest.raises(Damaged, match="record 0 is damaged"):
        check(dataset)


def test_sample_is_said_where_there_are_too_many(photos, monkeypatch):
    monkeypatch.setattr(copies, "MAX_PAIRS", 1000)
    notes = found_in(photos)[:-1]
    assert notes[0] == (
        "trainA: 19 images, drawn at random, were compared with trainA, as all would "
        "take long"
    )
    assert [note.split(":")[0] for note in notes] == ["trainA", "trainB", "trainA"]


@pytest.mark.parametrize("values", [(0, 1, 2, 3, 4), (0, 1), (0, 255)])
def test_domains_of_few_values_are_named_and_not_called_empty(photos, values):
    shutil.rmtree(photos / "testB")
    for path in (photos / "trainB").iterdir():
        cells = np.random.default_rng(int(path.stem)).choice(values, (4, 4))
        Image.fromarray(np.kron(cells, np.ones((16, 16))).astype("u1")).save(path)
    Image.new("L", (64, 64), values[0]).save(photos / "trainB" / "one.png")
    found = [x for x in found_in(photos) if "there before" not in x]
    share = (values[-1] - values[0]) / 255
    expected = [
        f"trainB: all values are from 0 to {values[-1]}, {share:.0%} of the range that "
        f"a training takes: --range-b 0,{values[-1]} takes these only"
    ] * (share < 1)
    assert found == [
        *expected,
        f"trainB: the images have only {len(values)} different values; if these are "
        f"classes, as in masks and label maps, resizing mixes them, and --resample-b "
        f"nearest does not",
        "trainB: 1 of 51 images have one value in 95% or more (trainB/one.png): which "
        "masks and label maps may",
    ]


def test_domain_of_several_colour_profiles_is_said(photos):
    for i in range(3):
        plant(photos, f"trainA/{i:03d}.png", f"trainA/{i:03d}.jpg", icc_profile=SRGB)
        (photos / f"trainA/{i:03d}.png").unlink()
    plant(photos, "testA/000.png", "testA/000.png", icc_profile=SRGB[:-4] + b"none")
    dataset = converted(photos)
    said = "domain A: colour profiles differ, and are not converted: of its images 52 "
    expected = [f"{said}have none, 4 have sRGB built-in", NOTHING]
    assert check(dataset)[5:] == expected
    (dataset.directory / "check.json").unlink()
    assert check(dataset)[5:] == expected


@pytest.mark.parametrize(
    ["profile", "name"],
    [
        (b"", ""),
        (b"damaged", "one without a name"),
        (ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes(), "Lab id"),
    ],
)
def test_names_of_colour_profiles(profile, name):
    assert looks.profile_name(profile).startswith(name)
    assert bool(looks.profile_name(profile)) == bool(profile)

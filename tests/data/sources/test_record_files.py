"""TFRecords that others made, and folders of any name, as sources."""

import pytest
import tensorflow as tf

from cyclegan_tf.common.errors import InputError
from cyclegan_tf.config import DatasetConfig, TrainConfig
from cyclegan_tf.data.convert import ensure_dataset
from cyclegan_tf.data.dataset import Dataset
from cyclegan_tf.data.images import encode
from cyclegan_tf.data.shards import names_of
from tests.helpers import assert_one_line_error, random_pixels, run_here, write_images


def serialized(**features):
    lists = {name: tf.train.BytesList(value=[x]) for name, x in features.items()}
    features = {name: tf.train.Feature(bytes_list=x) for name, x in lists.items()}
    features = tf.train.Features(feature=features)
    return tf.train.Example(features=features).SerializeToString()


def write_records(path, *records):
    path.parent.mkdir(parents=True, exist_ok=True)
    with tf.io.TFRecordWriter(str(path)) as writer:
        for record in records:
            writer.write(record)


def picture(seed):
    return encode(random_pixels(20, 24, seed)).encoded


@pytest.fixture
def folders(tmp_path):
    """Kaggle's form in A, photos in B."""
    for file in range(2):
        named = (
            serialized(image=picture(10 * file + i), image_name=b"%d%d" % (file, i))
            for i in range(6)
        )
        write_records(tmp_path / "monet_tfrec" / f"monet{file:02d}-6.tfrec", *named)
    write_images(tmp_path / "photos" / "train", 3)
    write_images(tmp_path / "photos" / "test", 2)
    return tmp_path


def config_of(folders, a, b="photos/train", **options):
    places = {"domain_a": str(folders / a), "domain_b": str(folders / b)}
    data_dir = str(folders / "tfrecords")
    return DatasetConfig(data_dir=data_dir, **(places | options))


def test_folders_of_any_name_are_domains(folders, monkeypatch, capsys):
    monkeypatch.chdir(folders)
    options = ["--domain-a", "monet_tfrec", "--domain-b", "photos/train"]
    done = run_here(capsys, "build", *options, "--test-b", "photos/test")
    assert done.returncode == 0, done.stderr
    named = "tfrecords/monet_tfrec2train: trainA 11, trainB 3, testA 1, testB 2\n"
    assert done.stdout == named
    directory = folders / "tfrecords" / "monet_tfrec2train"
    names = names_of(Dataset.open(directory).split("testB"))
    assert names == ["test/000.png", "test/001.png"]
    found = [
        name
        for split in ("trainA", "testA")
        for name in names_of(Dataset.open(directory).split(split))
    ]
    files = ("monet00-6.tfrec", "monet01-6.tfrec")
    every = [f"monet_tfrec/{f}/{i}{j}" for i, f in enumerate(files) for j in range(6)]
    assert sorted(found) == every
    # Where it was converted, it need not be there any more.
    (folders / "monet_tfrec").rename(folders / "elsewhere")
    assert ensure_dataset(config_of(folders, "monet_tfrec")) == directory
    assert ensure_dataset(DatasetConfig(dataset=directory.name)).name == directory.name


def test_glob_of_records_is_a_domain(folders):
    write_records(folders / "mixed" / "a-0.tfrecord", serialized(image=picture(1)))
    standard = {"image/encoded": picture(2), "image/filename": b"x.png"}
    write_records(folders / "mixed" / "b-0.tfrecord", serialized(**standard))
    config = config_of(folders, "mixed/a*.tfrecord", "mixed/b*.tfrecord")
    directory = ensure_dataset(config)
    assert directory.name == "a2b"
    splits = [Dataset.open(directory).split(f"train{domain}") for domain in "AB"]
    assert [names_of(split) for split in splits] == [
        ["mixed/a-0.tfrecord/000000"],
        ["mixed/b-0.tfrecord/x.png"],
    ]


def test_domain_of_empty_files_is_named(folders):
    write_records(folders / "empty" / "0.tfrec")
    with pytest.raises(InputError, match="domain A has no training images"):
        ensure_dataset(config_of(folders, "empty"))


def test_records_may_lie_in_a_folder_for_both(folders):
    (folders / "monet_tfrec").rename(folders / "A")
    (folders / "photos").rename(folders / "B")
    config = DatasetConfig(dataset=str(folders), data_dir=str(folders / "tfrecords"))
    assert len(Dataset.open(ensure_dataset(config)).split("trainA")) == 11


@pytest.mark.parametrize(
    "a, b, name",
    [
        ("horses/train", "zebras/train", "horses2zebras"),
        ("horses/train", "zebras/photos/train", "horses2photos"),
        ("../monet_tfrec/*.tfrec", "photo/", "monet_tfrec2photo"),
    ],
)
def test_name_is_that_of_both_folders(a, b, name):
    config = TrainConfig(domain_a=a, domain_b=b)
    assert config.dataset_name == name
    assert str(config.resolved_run_dir) == f"runs/{name}"


def cut_off(path):
    path.write_bytes(path.read_bytes()[:-5])


def flipped(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 4] ^= 1
    path.write_bytes(content)


def compressed(path):
    import gzip

    path.write_bytes(gzip.compress(path.read_bytes()))


def without_pictures(path):
    write_records(path, serialized(img=b"x", label=b"y"))


def no_examples(path):
    write_records(path, b"\xff\xff\xff")


def with_nodata(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    features = {"image/encoded": picture(0), "image/valid": picture(1)}
    write_records(path, serialized(**features))


def text(path):
    write_records(path, *[serialized(image=b"no picture", image_name=b"x")] * 3)


@pytest.mark.parametrize(
    "spoil, problem",
    [
        (cut_off, "is cut off within record 5"),
        (flipped, "record 1 is damaged"),
        (compressed, "is no TFRecord file at record 0; expected an uncompressed"),
        (without_pictures, "record 0 has no feature image .* img, label"),
        (with_nodata, "record 0 has pixels without a value"),
        (no_examples, "record 0 is no tf.train.Example"),
        (text, "monet00-6.tfrec/x .*not a JPEG"),
    ],
)
def test_foreign_records_are_named(folders, spoil, problem):
    spoil(folders / "monet_tfrec" / "monet00-6.tfrec")
    with pytest.raises(InputError, match=f"monet00-6.tfrec.*{problem}|{problem}"):
        ensure_dataset(config_of(folders, "monet_tfrec"))
    assert not (folders / "tfrecords" / "monet_tfrec2train").exists()


@pytest.mark.parametrize(
    "options, problem",
    [
        (["--domain-a", "x"], "--domain-b is missing beside --domain-a"),
        (["--test-b", "x"], "--domain-a is missing beside --test-b"),
        (
            ["--domain-a", "photos", "--domain-b", "photos/"],
            "is the same as --domain-a",
        ),
        (["photos", "--domain-a", "x", "--domain-b", "y"], "are both given"),
        (["--domain-a", "gone", "--domain-b", "photos"], "--domain-a gone: no such"),
        (["--domain-a", "photos", "--domain-b", "*.tfrec"], "--domain-b *.tfrec: no"),
        (["--domain-a", "photos", "--domain-b", "empty"], "empty has no images"),
        (["--domain-a", "photos", "--domain-b", "."], "holds files of several kinds"),
    ],
)
def test_wrong_folders_end_in_one_line(folders, options, problem, monkeypatch, capsys):
    (folders / "empty").mkdir()
    monkeypatch.chdir(folders)
    assert_one_line_error(run_here(capsys, "build", *options), problem)


def test_images_that_are_named_replace_those_of_a_run(folders, monkeypatch, capsys):
    from cyclegan_tf.cli.arguments import parse
    from cyclegan_tf.data.domain import Domains
    from cyclegan_tf.runs.directory import Recorded, write_config

    config = TrainConfig(domain_a="x", domain_b="y")
    write_config(folders, Recorded(config, "f00d", Domains()))
    run = ["--run-dir", str(folders)]
    assert parse(TrainConfig, "", [], run).domain_a == "x"
    assert parse(TrainConfig, "", [], [*run, "--dataset", "z"]).domain_a is None

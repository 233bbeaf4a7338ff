"""The real TFDS builder, against a server that stands in for the authors' one."""

import functools
import http.server
import os
import re
import shutil
import zipfile

import numpy as np
import pytest
import tensorflow as tf

from cyclegan_tf.common.errors import InputError
from cyclegan_tf.config import DatasetConfig
from cyclegan_tf.config.sizes import Frame
from cyclegan_tf.data import convert as conversion
from cyclegan_tf.data import pipeline
from cyclegan_tf.data.dataset import Dataset, read_manifest
from cyclegan_tf.data.shards import names_of
from cyclegan_tf.data.sources.tfds import in_words
from cyclegan_tf.training import run as training
from tests.helpers import local_server, tiny_config, write_images

NAME = "cycle_gan/horse2zebra"


@pytest.fixture
def stand_in(tmp_path, monkeypatch):
    """Serves a small `horse2zebra.zip` on loopback, where the builder looks for it."""
    from tensorflow_datasets.core.download import checksums
    from tensorflow_datasets.image_classification import cycle_gan

    counts = {"trainA": 4, "trainB": 3, "testA": 2, "testB": 1}
    for split, count in counts.items():
        write_images(tmp_path / "horse2zebra" / split, count, ".jpg", (256, 256))
    folder = tmp_path / "horse2zebra" / "trainA"
    shutil.copy(folder / "000.jpg", folder / "002.jpg")
    archive = tmp_path / "served" / "horse2zebra.zip"
    archive.parent.mkdir()
    with zipfile.ZipFile(archive, "w") as file:
        for path in sorted((tmp_path / "horse2zebra").rglob("*.jpg")):
            file.write(path, path.relative_to(tmp_path))

    class Handler(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_):
            pass

    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    (tmp_path / "tfds").mkdir()
    with local_server(functools.partial(Handler, directory=archive.parent)) as server:
        url = f"http://127.0.0.1:{server.server_port}/horse2zebra.zip"
        info = checksums.compute_url_info(archive)
        monkeypatch.setattr(cycle_gan, "_DL_URLS", {"horse2zebra": url})
        monkeypatch.setattr(cycle_gan.CycleGAN, "url_infos", {url: info})
        yield tmp_path / "tfds"


@pytest.mark.slow
def test_tfds_dataset_is_converted_and_trained_on_at_256_pixels(stand_in, tmp_path):
    config = tiny_config(
        tmp_path,
        dataset=NAME,
        tfds_data_dir=str(stand_in),
        image_size=256,
        load_size=286,
        steps_per_epoch=2,
        epochs=1,
    )
    training.train(config)
    manifest = read_manifest(tmp_path / "tfrecords" / NAME)
    counts = {name: split["count"] for name, split in manifest["splits"].items()}
    assert counts == {"trainA": 4, "trainB": 3, "testA": 2, "testB": 1}
    run = config.resolved_run_dir
    assert (run / "checkpoints" / "step-000000002.npz").is_file()
    assert (run / "samples" / "epoch-0001-a.png").is_file()


def test_prepared_directory_needs_no_network_and_copies_are_told_by_their_record(
    stand_in, tmp_path, monkeypatch, capsys
):
    import tensorflow_datasets as tfds
    from tensorflow_datasets.image_classification import cycle_gan

    builder = tfds.builder(NAME, data_dir=stand_in)
    builder.download_and_prepare()
    nowhere = {"http://127.0.0.1:9/horse2zebra.zip": None}
    monkeypatch.setattr(cycle_gan.CycleGAN, "url_infos", nowhere)
    config = tiny_config(tmp_path, dataset=NAME, tfds_data_dir=str(stand_in))
    directory = conversion.ensure_dataset(config)
    assert read_manifest(directory)["splits"]["trainA"]["count"] == 4
    # Of copies the record that TFDS gives at that place; it keeps no names of files.
    said = capsys.readouterr().err
    copies = r"1 of 4 images are there before \(trainA record (\d) = trainA record (\d)"
    [(place, other)] = re.findall(copies, said)
    images = [x["image"] for x in tfds.as_numpy(builder.as_dataset("trainA"))]
    np.testing.assert_array_equal(images[int(place)], images[int(other)])


@pytest.mark.parametrize(
    "name, words",
    [
        ("cycle_gan-trainA.tfrecord-00000-of-00001__384", "trainA record 384"),
        ("maps-testB.array_record-00002-of-00004__7", "testB record 7 of shard 2"),
        ("heights-trainB__12", "trainB record 12"),
        ("trainA/photo-trainA__3.jpg", "trainA/photo-trainA__3.jpg"),
        ("", ""),
    ],
)
def test_places_in_tfds_are_said_in_words(name, words):
    assert in_words(name) == words


@pytest.mark.parametrize("file_format", ["tfrecord", "array_record"])
@pytest.mark.parametrize("kind", ["float32", "uint16", "jpeg", "tensor"])
def test_pictures_of_any_type_and_format_are_those_of_tfds(tmp_path, kind, file_format):
    import tensorflow_datasets as tfds

    pixels = np.random.default_rng(0).uniform(0, 300, (10, 24, 32, 1))
    image = {
        "float32": tfds.features.Image(shape=(24, 32, 1), dtype=np.float32),
        "uint16": tfds.features.Image(shape=(24, 32, 1), dtype=np.uint16),
        "jpeg": tfds.features.Image(shape=(24, 32, 1), encoding_format="jpeg"),
        "tensor": tfds.features.Tensor(shape=(24, 32, 1), dtype=np.float32),
    }[kind]
    dtype = {"float32": "float32", "tensor": "float32", "uint16": "uint16"}
    dtype = dtype.get(kind, "uint8")
    pixels = pixels.clip(0, 255).astype(dtype)
    splits = {"trainA": pixels[:4], "trainB": pixels[4:8]}
    splits |= {"testA": pixels[8:9], "testB": pixels[9:]}
    features = {"image": image, "file_name": tfds.features.Text()}

    def stored(part):
        names = [f"é {i}.tif" for i in range(len(part))]
        return tf.data.Dataset.from_tensor_slices({"image": part, "file_name": names})

    tfds.dataset_builders.store_as_tfds_dataset(
        name="heights",
        version="1.0.0",
        features=tfds.features.FeaturesDict(features),
        split_datasets={name: stored(part) for name, part in splits.items()},
        data_dir=tmp_path / "tfds",
        disable_shuffling=True,
        file_format=file_format,
    )
    places = {"data_dir": tmp_path / "tfrecords", "tfds_data_dir": tmp_path / "tfds"}
    places = {name: str(path) for name, path in places.items()}
    directory = conversion.ensure_dataset(DatasetConfig("heights", **places))
    split = Dataset.open(directory).split("trainA")
    assert (split.domain.channels, split.domain.dtype) == (1, dtype)
    found = pipeline.load_images(split, Frame(24, 32))
    if kind == "jpeg":
        assert np.abs(found.astype(int) - pixels[:4]).mean() < 40
    else:
        np.testing.assert_array_equal(found, pixels[:4])
    assert names_of(split) == [f"trainA/é {i}.tif" for i in range(4)]


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    """A dataset that TFDS stored, of which no code is known."""
    import tensorflow_datasets as tfds

    place = tmp_path_factory.mktemp("tfds")
    pixels = np.random.default_rng(0).integers(0, 256, (3, 40, 40, 3), np.uint8)
    tfds.dataset_builders.store_as_tfds_dataset(
        name="pictures",
        version="1.0.0",
        features=tfds.features.FeaturesDict(
            {"image": tfds.features.Image(shape=(None, None, 3))}
        ),
        split_datasets={
            split: [(i, {"image": image}) for i, image in enumerate(pixels)]
            for split in ("trainA", "trainB", "testA", "testB")
        },
        data_dir=place,
    )
    return place


@pytest.mark.parametrize("length", [0, 50])
@pytest.mark.parametrize("damaged", ["dataset_info.json", "features.json", "*trainA*"])
def test_damaged_dataset_of_tfds_is_named(prepared, tmp_path, damaged, length):
    place = shutil.copytree(prepared, tmp_path / "tfds")
    [path] = (place / "pictures" / "1.0.0").glob(damaged)
    os.truncate(path, length)
    places = {"tfds_data_dir": str(place), "data_dir": str(tmp_path / "tfrecords")}
    problem = r"pictures.* is damaged or incomplete \([^{]*"
    with pytest.raises(InputError, match=problem):
        conversion.ensure_dataset(DatasetConfig("pictures", **places))
    assert not (tmp_path / "tfrecords" / "pictures").exists()

"""The real TFDS builder, against a server that stands in for the authors' one."""

import functools
import http.server
import threading
import zipfile

import pytest

from cyclegan_tf.data import convert as conversion
from cyclegan_tf.training import run as training
from tests.helpers import tiny_config, write_images

NAME = "cycle_gan/horse2zebra"


@pytest.fixture
def stand_in(tmp_path, monkeypatch):
    """Serves a small `horse2zebra.zip` on loopback, where the builder looks for it."""
    from tensorflow_datasets.core.download import checksums
    from tensorflow_datasets.image_classification import cycle_gan

    counts = {"trainA": 4, "trainB": 3, "testA": 2, "testB": 1}
    for split, count in counts.items():
        write_images(tmp_path / "horse2zebra" / split, count, ".jpg", (256, 256))
    served = tmp_path / "served"
    served.mkdir()
    archive = served / "horse2zebra.zip"
    with zipfile.ZipFile(archive, "w") as file:
        for path in sorted((tmp_path / "horse2zebra").rglob("*.jpg")):
            file.write(path, path.relative_to(tmp_path))

    class Handler(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_):
            pass

    handler = functools.partial(Handler, directory=str(served))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_port}/horse2zebra.zip"
    info = checksums.compute_url_info(archive)
    monkeypatch.setattr(cycle_gan, "_DL_URLS", {"horse2zebra": url})
    monkeypatch.setattr(cycle_gan.CycleGAN, "url_infos", {url: info})
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    (tmp_path / "tfds").mkdir()
    yield tmp_path / "tfds"
    server.shutdown()
    server.server_close()


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
    manifest = conversion.read_manifest(tmp_path / "tfrecords" / NAME)
    counts = {name: split["count"] for name, split in manifest["splits"].items()}
    assert counts == {"trainA": 4, "trainB": 3, "testA": 2, "testB": 1}
    run = config.resolved_run_dir
    assert (run / "checkpoints" / "step-000000002.npz").is_file()
    assert (run / "samples" / "epoch-0001-a.png").is_file()


def test_prepared_directory_needs_no_network(stand_in, tmp_path, monkeypatch):
    import tensorflow_datasets as tfds
    from tensorflow_datasets.image_classification import cycle_gan

    tfds.builder(NAME, data_dir=stand_in).download_and_prepare()
    nowhere = {"http://127.0.0.1:9/horse2zebra.zip": None}
    monkeypatch.setattr(cycle_gan.CycleGAN, "url_infos", nowhere)
    config = tiny_config(tmp_path, dataset=NAME, tfds_data_dir=str(stand_in))
    directory = conversion.ensure_dataset(config)
    assert conversion.read_manifest(directory)["splits"]["trainA"]["count"] == 4

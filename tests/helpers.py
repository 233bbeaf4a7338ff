"""Builders and comparisons that several tests share."""

import contextlib
import csv
import http.server
import os
import pathlib
import shutil
import socket
import subprocess
import sys
import threading
import time

import keras
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from cyclegan_tf import cli
from cyclegan_tf.config import DatasetConfig, TrainConfig
from cyclegan_tf.data.convert import ensure_dataset
from cyclegan_tf.data.dataset import Dataset
from cyclegan_tf.data.domain import Domains
from cyclegan_tf.model.cyclegan import CycleGAN
from cyclegan_tf.model.diffaugment import DiffAugment
from cyclegan_tf.model.image_pool import ImagePool
from cyclegan_tf.model.networks import build_discriminator, build_generator
from cyclegan_tf.runs import directory, generators

ROOT = pathlib.Path(__file__).resolve().parent.parent
TINY = {
    "image_size": 32,
    "load_size": 36,
    "filters": 2,
    "residual_blocks": 1,
    "steps_per_epoch": 4,
    "epochs": 2,
    "learning_rate": 1e-3,
    "synthetic_images": 12,
    "synthetic_size": 40,
    "data_seed": 29,  # its test image has a large animal
    "pool_size": 3,
    "jit": "off",
}


def tiny_config(directory, **options):
    """A run of the embedded dataset that takes a second."""
    places = {
        "data_dir": str(directory / "tfrecords"),
        "run_dir": str(directory / "run"),
    }
    return TrainConfig(**(TINY | places | options))


def dataset_config(folder, **options):
    """The dataset of a folder, which is converted to a place beside it."""
    places = {"dataset": str(folder), "data_dir": str(folder.parent / "tfrecords")}
    return DatasetConfig(**(places | options))


def converted(folder, **options):
    """The dataset of a folder, converted and opened."""
    return Dataset.open(ensure_dataset(dataset_config(folder, **options)))


def flags(config_options):
    """Options as command-line arguments."""
    return [
        part
        for name, value in config_options.items()
        for part in (f"--{name.replace('_', '-')}", str(value))
    ]


def tiny_model(
    size=16, batch_pool=3, jit=False, seed=0, optimizer=None, augmentations=()
):
    """A compiled CycleGAN with random weights large enough to matter."""
    keras.utils.set_random_seed(seed)
    model = CycleGAN(
        build_generator(2, 1, name="gen_ab"),
        build_generator(2, 1, name="gen_ba"),
        build_discriminator(filters=2, name="disc_a"),
        build_discriminator(filters=2, name="disc_b"),
        ImagePool(batch_pool, (size, size, 3), seed=1),
        ImagePool(batch_pool, (size, size, 3), seed=2),
        diffaugment=DiffAugment(augmentations),
    )
    for variable in model.generator_variables + model.discriminator_variables:
        if "kernel" in variable.path:
            variable.assign(variable * 10)
    optimizer = optimizer or (lambda: keras.optimizers.Adam(1e-3, beta_1=0.5))
    model.compile(optimizer(), optimizer(), jit=jit)
    return model


def write_run(config, models, domains=None, step: int | None = 4):
    """Writes a run as if it had been trained to a step; without one, imported."""
    fingerprint = None
    if step is not None:
        fingerprint = Dataset.open(ensure_dataset(config)).fingerprint
    run_dir = config.resolved_run_dir
    recorded = directory.Recorded(config, fingerprint, domains or Domains())
    directory.write_config(run_dir, recorded)
    about = {} if step is None else {"step": step}
    generators.save_generators(run_dir, models, about)
    return run_dir


def random_images(count, size=16, seed=0):
    """float32 `(count, size, size, 3)` in [-1, 1]."""
    rng = np.random.default_rng(seed)
    return tf.constant(rng.uniform(-1, 1, (count, size, size, 3)), tf.float32)


def random_pixels(height, width, seed=0):
    """Smooth uint8 `(height, width, 3)`, as a photograph would be."""
    rng = np.random.default_rng(seed)
    coarse = Image.fromarray(rng.integers(0, 256, (4, 4, 3), np.uint8))
    return np.asarray(coarse.resize((width, height), Image.Resampling.BICUBIC))


def random_values(domain, count, height, width, seed=0):
    """Smooth images of a domain, over all of its range."""
    rng = np.random.default_rng(seed)
    coarse = rng.uniform(domain.low, domain.high, (count, 5, 5, domain.channels))
    images = tf.image.resize(coarse, (height, width))
    return tf.cast(images, domain.dtype).numpy()


def write_images(folder, count, suffix=".png", size=(40, 48)):
    """Writes `count` images into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for i in range(count):
        pixels = random_pixels(*size, seed=i + len(str(folder)))
        Image.fromarray(pixels).save(folder / f"{i:03d}{suffix}")


def run_script(name, *arguments, **options):
    """Runs a script of the repository as a user would; returns the finished process."""
    return subprocess.run(
        command(name, *arguments),
        capture_output=True,
        text=True,
        timeout=300,
        env=os.environ | {"PYTHONWARNINGS": "default"},
        **options,
    )


def run_here(capsys, *arguments):
    """Runs `cyclegan ...` in this process, where one of its own would show no more."""
    argv, status = sys.argv, 0
    capsys.readouterr()
    try:
        cli.main([*map(str, arguments)])
    except SystemExit as end:
        status = end.code
    finally:
        sys.argv = argv
    return subprocess.CompletedProcess(arguments, status, *capsys.readouterr())


@contextlib.contextmanager
def local_server(handler):
    """An HTTP server of this machine alone, until the end of the block."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


def free_port():
    """A port of this machine that nobody listens at."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextlib.contextmanager
def small_disk(path, kilobytes):
    """A disk of its own at a path; skips where that is not permitted."""
    path.mkdir(parents=True, exist_ok=True)
    options = ["-t", "tmpfs", "-o", f"size={kilobytes}k", "tmpfs", str(path)]
    if not shutil.which("mount"):
        pytest.skip("there is no mount")
    mounted = subprocess.run(["mount", *options], capture_output=True)
    if mounted.returncode:
        pytest.skip("a small disk cannot be mounted here")
    try:
        yield path
    finally:
        # Writers may have it open still.
        subprocess.run(["umount", "-l", path], check=True)


def command(name, *arguments):
    """The command line of a script of the repository."""
    return [sys.executable, str(ROOT / name), *map(str, arguments)]


def wait_for(path, process):
    """Returns when a process that goes on has made a file."""
    wait_until(path.exists, process)


def wait_until(condition, process):
    """Returns when a condition is met by a process that goes on."""
    deadline = time.monotonic() + 500
    while not condition():
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.01)


def rows_of(run_dir):
    """The rows of a run's `metrics.csv`, as text by column."""
    with (run_dir / "metrics.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def assert_one_line_error(process, *fragments):
    """Status 2, no traceback, and a last line that names what is wrong."""
    assert process.returncode == 2, process.stderr
    assert "Traceback" not in process.stderr
    lines = process.stderr.strip().splitlines()
    assert "error: " in lines[-1]
    for fragment in fragments:
        assert str(fragment) in lines[-1]


def assert_same_checkpoint(first, second):
    """Every array of two checkpoint files is equal to the bit."""
    with np.load(first) as a, np.load(second) as b:
        assert sorted(a.files) == sorted(b.files)
        differing = [name for name in a.files if not np.array_equal(a[name], b[name])]
    assert not differing

"""The commands as a user runs them, in processes of their own."""

import os
import signal
import subprocess
import time

import pytest

from tests.helpers import (
    TINY,
    assert_one_line_error,
    command,
    flags,
    run_here,
    write_images,
)


@pytest.mark.parametrize(
    "size, name, fragments",
    [
        (None, None, ["trainB has no images"]),
        ((40, 48), "bad.jpg", ["bad.jpg", "not a JPEG"]),
        ((1, 1), None, ["trainB/00", "1x1 pixels"]),
    ],
)
def test_bad_folder_ends_in_one_line(
    tmp_path, size, name, fragments, monkeypatch, capsys
):
    folder = tmp_path / "photos"
    write_images(folder / "trainA", 3)
    write_images(folder / "trainB", 3 if size else 0, size=size)
    if name:
        (folder / "trainB" / name).write_text("I am no picture")
    monkeypatch.chdir(tmp_path)
    done = run_here(capsys, "build", "photos", "--data-dir", "out")
    assert_one_line_error(done, *fragments)
    # Nothing that looks like a dataset is left.
    assert not (tmp_path / "out" / "photos").exists()


@pytest.mark.parametrize(
    "options, fragments",
    [
        (["--dataset", "no/such_thing"], ["--dataset no/such_thing", "TFDS"]),
        (["--dataset", "cycle_gan/horse2camel"], ["cycle_gan/horse2camel"]),
        (["--dataset", "synthetic/cats"], ["synthetic/horse2zebra"]),
    ],
)
def test_unknown_dataset_ends_in_one_line(
    tmp_path, options, fragments, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    assert_one_line_error(run_here(capsys, "train", *options), *fragments)


def test_tfds_without_a_network_fails_within_twenty_seconds(tmp_path):
    start = time.monotonic()
    # A proxy that nobody listens at stands for the missing network.
    nowhere = {"HTTPS_PROXY": "http://127.0.0.1:9", "NO_PROXY": ""}
    done = subprocess.run(
        command(
            "train.py", "--dataset", "cycle_gan/horse2zebra", "--tfds-data-dir", "."
        ),
        cwd=tmp_path,
        env=os.environ | nowhere,
        capture_output=True,
        text=True,
    )
    assert_one_line_error(done, "cycle_gan/horse2zebra", "--tfds-data-dir")
    assert time.monotonic() - start < 20


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 3 MB."""
    mount = tmp_path / "disk"
    mount.mkdir()
    mounting = ["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", str(mount)]
    if subprocess.run(mounting, capture_output=True).returncode:
        pytest.skip("mounting a small file system needs root")
    yield mount
    subprocess.run(["umount", "-l", str(mount)], check=True)


def test_full_disk_while_converting_leaves_nothing_behind(small_disk, capsys):
    done = run_here(capsys, "build", "--data-dir", small_disk / "data")
    assert_one_line_error(done, "No space left")
    assert not (small_disk / "data" / "synthetic" / "horse2zebra").exists()


def test_full_disk_while_training_keeps_earlier_checkpoints(
    small_disk, tiny_data_dir, capsys
):
    options = TINY | {"data_dir": tiny_data_dir, "filters": 10, "epochs": 3}
    run_dir = small_disk / "run"
    done = run_here(capsys, "train", *flags(options | {"run_dir": run_dir}))
    assert_one_line_error(done, run_dir, "No space left")
    kept = sorted(path.name for path in (run_dir / "checkpoints").iterdir())
    assert kept and all(name.startswith(("step-", "best.")) for name in kept)


def test_build_prints_the_counts_and_reuses_what_is_there(tmp_path, capsys):
    options = ["--data-dir", tmp_path, "--synthetic-images", 5, "--synthetic-size", 32]
    counts = "trainA 5, trainB 5, testA 1, testB 1"
    assert counts in run_here(capsys, "build", *options).stdout
    manifest = tmp_path / "synthetic" / "horse2zebra" / "dataset.json"
    written = manifest.stat().st_mtime_ns
    assert counts in run_here(capsys, "build", *options).stdout
    assert manifest.stat().st_mtime_ns == written


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_killed_conversion_leaves_no_dataset(tmp_path, capsys, number):
    process = subprocess.Popen(
        command("tfrecords/build.py", "--data-dir", tmp_path),
        stderr=subprocess.PIPE,
        text=True,
    )
    partial = tmp_path / "synthetic" / ".unfinished-horse2zebra"
    deadline = time.monotonic() + 240
    while not partial.exists():
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.05)
    process.send_signal(number)
    errors = process.communicate(timeout=60)[1]
    expected = 130 if number == signal.SIGINT else -number
    assert process.returncode == expected, errors
    if number == signal.SIGINT:
        assert "Traceback" not in errors and "interrupted" in errors
    assert not (tmp_path / "synthetic" / "horse2zebra").exists()
    options = ["--data-dir", tmp_path, "--synthetic-images", 5]
    assert run_here(capsys, "build", *options).returncode == 0
    assert not partial.exists()

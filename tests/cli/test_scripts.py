"""The commands as a user runs them, in processes of their own."""

import os
import signal
import subprocess

import pytest

from tests.helpers import (
    assert_one_line_error,
    command,
    run_here,
    small_disk,
    wait_for,
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


def test_tfds_without_a_network_fails_and_does_not_wait_for_it(tmp_path):
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
        timeout=100,  # of which a busy machine may take 40 to import TensorFlow
    )
    assert_one_line_error(done, "cycle_gan/horse2zebra", "--tfds-data-dir")


def test_full_disk_while_converting_leaves_nothing_behind(tmp_path, capsys):
    with small_disk(tmp_path / "disk", 3000) as disk:
        done = run_here(capsys, "build", "--data-dir", disk / "data")
        assert_one_line_error(done, "No space left")
        assert not (disk / "data" / "synthetic" / "horse2zebra").exists()


def test_interrupted_conversion_leaves_no_dataset(tmp_path, capsys):
    process = subprocess.Popen(
        command("tfrecords/build.py", "--data-dir", tmp_path),
        stderr=subprocess.PIPE,
        text=True,
    )
    partial = tmp_path / "synthetic" / ".unfinished-horse2zebra"
    wait_for(partial, process)
    process.send_signal(signal.SIGINT)
    errors = process.communicate(timeout=60)[1]
    assert process.returncode == 128 + signal.SIGINT, errors
    assert "Traceback" not in errors and "interrupted" in errors
    assert not (tmp_path / "synthetic" / "horse2zebra").exists()
    options = ["--data-dir", tmp_path, "--synthetic-images", 5]
    assert run_here(capsys, "build", *options).returncode == 0
    assert not partial.exists()

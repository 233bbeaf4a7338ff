import io
import os
import shutil

import numpy as np
import pytest
from PIL import Image

import cyclegan_tf
from cyclegan_tf.common import checksums
from cyclegan_tf.common.errors import InputError
from cyclegan_tf.common.files import claim
from cyclegan_tf.config import ExportConfig
from cyclegan_tf.data import images
from cyclegan_tf.data.domain import Domain, Domains
from cyclegan_tf.exporting.formats import saved_model
from cyclegan_tf.inference import files
from cyclegan_tf.inference.direction import Translator
from cyclegan_tf.inference.exported import SUMS, find_export
from cyclegan_tf.inference.jobs import find, plan
from cyclegan_tf.inference.pixels import translate_all
from cyclegan_tf.runs import checkpoint, generators
from tests.helpers import (
    assert_one_line_error,
    random_pixels,
    run_here,
    tiny_model,
    write_images,
)

RGB = Domain()
SAME = Translator(RGB, RGB, lambda images: images)
NEGATIVE = Translator(RGB, RGB, lambda images: 255 - images)


def save_export(path, models, megapixels):
    config = ExportConfig(max_megapixels=megapixels)
    saved_model.write(models, Domains(), path, config)
    checksums.write_sums(path, SUMS)


def planned(given, output, file_format="png", target=RGB):
    request = find(str(given), str(output))
    return plan(request, file_format, target)


def translated(jobs, translate, batch_size=1, overwrite=False):
    """Translates pictures; returns how many became what."""
    return files.translate_files(jobs, translate, batch_size, overwrite)


def pixels_of(path):
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB"))


@pytest.mark.parametrize("direction", ["a_to_b", "b_to_a"])
def test_loaded_run_equals_keras(run_dir, direction):
    pictures = np.stack([random_pixels(22, 33, seed) for seed in range(2)])
    model = generators.load_generators(run_dir)[direction]
    expected = translate_all(model, pictures, *Domains()).astype(int)
    loaded = cyclegan_tf.load(run_dir, direction)
    assert np.abs(loaded(pictures) - expected).max() <= 1
    one = loaded(pictures[0])
    assert one.shape == (22, 33, 3) and np.abs(one - expected[0]).max() <= 1


def test_newest_version_is_found(tmp_path):
    for name in ("9", "10", "11", "none"):
        (tmp_path / name).mkdir()
    for name in ("9", "10", "none"):
        (tmp_path / name / "saved_model.pb").touch()
    assert find_export(tmp_path) == ("savedmodel", tmp_path / "10")


def test_run_with_exports_and_checksums_in_it_is_a_run(run_dir, tmp_path):
    run = shutil.copytree(run_dir, tmp_path / "run")
    (run / checksums.SUMS).touch()
    for version in ("1", "onnx/1"):
        (run / version).mkdir(parents=True)
    (run / "1" / "saved_model.pb").touch()
    (run / "onnx" / "1" / "a_to_b.onnx").touch()
    picture = random_pixels(24, 32)
    of_run = cyclegan_tf.load(run_dir, scratch_dir=tmp_path)(picture)
    assert np.array_equal(cyclegan_tf.load(run, scratch_dir=tmp_path)(picture), of_run)
    assert find_export(run / "1") == ("savedmodel", run / "1")


def test_missing_direction_is_named(run_dir, save_run, tmp_path):
    model = generators.load_generators(run_dir)["b_to_a"]
    save_run(tmp_path, {"b_to_a": model})
    with pytest.raises(InputError, match="has no direction a_to_b"):
        cyclegan_tf.load(tmp_path, "a_to_b")


def test_best_checkpoint_of_a_run_translates(run_dir, tmp_path):
    path = shutil.copytree(run_dir, tmp_path / "run")
    model = tiny_model(seed=1)
    checkpoint.save_best(model, path / "checkpoints", {"step": 7})
    picture = random_pixels(24, 32)
    expected = translate_all(model.gen_ba, picture[None], *Domains())[0].astype(int)
    best = cyclegan_tf.load(path, "b_to_a", "best")(picture)
    assert np.abs(best - expected).max() <= 1
    last = cyclegan_tf.load(path, "b_to_a")(picture)
    assert np.abs(last - expected).max() > 1


@pytest.mark.parametrize("flags", [("--checkpoint", "best"), ("--tile",)])
def test_options_of_runs_are_refused_for_an_export(tmp_path, capsys, flags):
    write_images(tmp_path / "in", 1)
    (tmp_path / "a_to_b.onnx").touch()
    model = ("--model", tmp_path / "a_to_b.onnx", *flags)
    done = run_here(capsys, "translate", *model, tmp_path / "in", tmp_path / "out")
    assert_one_line_error(done, " ".join(flags), "is an export", "of a run")
    assert not (tmp_path / "out").exists()


def test_folder_keeps_its_tree_sizes_and_names_but_for_bad_files(
    run_dir, tmp_path, capsys
):
    write_images(tmp_path / "in" / "deep" / "er", 3, size=(20, 30))
    write_images(tmp_path / "in", 2, ".jpg", size=(17, 41))
    Image.fromarray(random_pixels(24, 24)).save(tmp_path / "in" / "馬 🦓.webp")
    (tmp_path / "in" / "text.jpg").write_text("hello")
    arguments = "--model", run_dir, tmp_path / "in", tmp_path / "out"
    done = run_here(capsys, "translate", *arguments)
    assert done.returncode == 1 and "Traceback" not in done.stderr
    assert "text.jpg" in done.stderr
    assert "6 translated, 0 there before, 1 failed" in done.stdout
    (tmp_path / "in" / "text.jpg").unlink()
    expected, got = (
        {
            path.relative_to(tmp_path / name).with_suffix(""): pixels_of(path).shape
            for path in (tmp_path / name).rglob("*.*")
        }
        for name in ("in", "out")
    )
    assert got == expected
    assert {path.suffix for path in (tmp_path / "out").rglob("*.*")} == {".png"}


def test_pictures_of_a_batch_keep_their_places(run_dir, tmp_path):
    write_images(tmp_path / "in", 5, size=(20, 24))
    jobs = planned(tmp_path / "in", tmp_path / "out")
    loaded = cyclegan_tf.load(run_dir)
    translated(jobs, loaded, 2)
    for source, target in jobs:
        expected = loaded(pixels_of(source)).astype(int)
        # Another batch size adds in another order.
        assert np.abs(pixels_of(target) - expected).max() <= 1


def test_picture_beyond_the_exports_limit_fails_alone(run_dir, tmp_path, capsys):
    models = generators.load_generators(run_dir)
    save_export(tmp_path / "1", models, megapixels=40 * 48 / 1e6)
    write_images(tmp_path / "in", 3, size=(40, 48))  # fits, but not two at once
    write_images(tmp_path / "in" / "large", 1, size=(64, 64))
    arguments = "--model", tmp_path, tmp_path / "in", tmp_path / "out"
    done = run_here(capsys, "translate", *arguments)
    assert done.returncode == 1 and "Traceback" not in done.stderr
    assert "3 translated, 0 there before, 1 failed" in done.stdout
    (line,) = [x for x in done.stderr.splitlines() if "failed" in x]
    assert str(tmp_path / "in" / "large" / "000.png") in line
    assert "at most 1920 pixels" in line


def test_second_start_skips_what_is_done_unless_told_to_overwrite(tmp_path):
    write_images(tmp_path / "in", 3)
    jobs = planned(tmp_path / "in", tmp_path / "out")

    def outcome(overwrite):
        done = translated(jobs, NEGATIVE, 2, overwrite)
        return done["translated"], done["there"]

    assert outcome(overwrite=False) == (3, 0)
    jobs[1].target.unlink()
    assert outcome(overwrite=False) == (1, 2)
    assert outcome(overwrite=True) == (3, 0)


def test_one_file_becomes_the_named_file_in_its_format(tmp_path):
    write_images(tmp_path / "in", 1)
    target = tmp_path / "one.jpg"
    jobs = planned(tmp_path / "in" / "000.png", target)
    translated(jobs, SAME)
    assert Image.open(io.BytesIO(target.read_bytes())).format == "JPEG"


def test_glob_finds_in_any_depth(tmp_path):
    write_images(tmp_path / "in" / "x", 1)
    write_images(tmp_path / "in" / "y", 1)
    jobs = planned(f"{tmp_path}/in/**/*.png", tmp_path / "o", "jpeg")
    targets = [str(job.target.relative_to(tmp_path / "o")) for job in jobs]
    assert targets == ["x/000.jpg", "y/000.jpg"]


def test_glob_follows_no_circles_and_no_hidden_folders(tmp_path):
    for name in ("folder", ".hidden"):
        (tmp_path / "in" / name).mkdir(parents=True)
        (tmp_path / "in" / name / "within.png").touch()
    (tmp_path / "in" / "circle").symlink_to(".")
    (tmp_path / "in" / "up").symlink_to("..")
    for pattern, folder in (("**", "folder"), (".hid*", ".hidden")):
        found = find(f"{tmp_path}/in/{pattern}/*.png", "out")
        assert [path.parent.name for path in found.pictures] == [folder]
    for pattern in ("a**/*.png", "nothing/**/*.png"):
        with pytest.raises(InputError, match="\\*\\*"):
            find(f"{tmp_path}/{pattern}", "out")


@pytest.mark.parametrize(
    "names, targets",
    [
        (["a.jpg", "a.png"], ["a.jpg.png", "a.png.png"]),
        (["a.jpg", "a.jpg.png", "a.png"], ["a.jpg.png", "a.jpg.png.png", "a.png.png"]),
        (
            ["a.jpg", "a.jpg.png", "a.jpg.png.webp", "a.png", "b.webp"],
            ["a.jpg.png", "a.jpg.png.png", "a.jpg.png.webp.png", "a.png.png", "b.png"],
        ),
    ],
)
def test_names_that_would_collide_keep_their_suffixes(tmp_path, names, targets):
    (tmp_path / "in").mkdir()
    for i, name in enumerate(names):
        Image.fromarray(random_pixels(20, 20, i)).save(tmp_path / "in" / name)
    jobs = planned(tmp_path / "in", tmp_path / "out")
    assert {job.source.name: job.target.name for job in jobs} == dict(
        zip(names, targets, strict=True)
    )
    assert translated(jobs, SAME)["translated"] == len(names)
    assert sorted(os.listdir(tmp_path / "out")) == sorted(targets)
    assert translated(planned(tmp_path / "in", tmp_path / "out"), SAME) == {
        "there": len(names)
    }


def test_output_inside_of_the_input_is_not_translated_again(tmp_path):
    write_images(tmp_path / "in", 2)
    out = tmp_path / "in" / "out"
    for _ in range(2):
        jobs = planned(tmp_path / "in", out)
        assert len(jobs) == 2
        translated(jobs, SAME, overwrite=True)


def test_glob_that_finds_its_own_output_is_continued(tmp_path):
    write_images(tmp_path / "in" / "deep", 2, ".jpg")
    for out in (tmp_path / "in" / "out", tmp_path / "in" / "deep" / "out"):
        for done in ({"translated": 2}, {"there": 2}):
            jobs = planned(f"{tmp_path}/in/deep/**/*.jpg", out, "jpeg")
            assert [job.target.parent for job in jobs] == [out, out]
            assert translated(jobs, SAME) == done


@pytest.mark.parametrize("overwrite", [False, True])
def test_folder_in_the_place_of_a_picture_fails_alone(tmp_path, capsys, overwrite):
    write_images(tmp_path / "in", 3)
    (tmp_path / "out" / "001.png").mkdir(parents=True)
    jobs = planned(tmp_path / "in", tmp_path / "out")
    done = translated(jobs, SAME, 2, overwrite)
    assert done == {"translated": 2, "failed": 1}
    assert "001.png' is a folder" in capsys.readouterr().err


def test_source_is_never_replaced(tmp_path):
    write_images(tmp_path, 1)
    with pytest.raises(InputError, match="would be replaced"):
        planned(tmp_path / "000.png", tmp_path)
    for name in ("000.jpg", "000.jpg.png"):  # the former would become the latter
        (tmp_path / name).write_bytes((tmp_path / "000.png").read_bytes())
    with pytest.raises(InputError, match=r"000\.jpg\.png would be replaced"):
        planned(tmp_path / "*", tmp_path)


def test_two_processes_share_a_folder_and_translate_each_picture_once(tmp_path):
    write_images(tmp_path / "in", 6)
    jobs, seen = planned(tmp_path / "in", tmp_path / "out"), []

    def function(images):
        seen.append(len(images))
        if len(seen) == 1:  # another process starts in the middle of this call
            assert translated(jobs, NEGATIVE, 2) == {"elsewhere": 2, "translated": 4}
        return images

    assert translated(jobs, Translator(RGB, RGB, function), 2) == {
        "translated": 2,
        "there": 4,
    }
    assert len(os.listdir(tmp_path / "out")) == 6


def test_what_a_killed_process_had_begun_is_taken_over(tmp_path):
    write_images(tmp_path / "in", 1)
    (job,) = planned(tmp_path / "in", tmp_path / "out")
    begun = claim(job.target)
    begun.aside.write_bytes(b"half" * 10**6)
    assert translated([job], SAME) == {"elsewhere": 1}
    begun._file.close()  # as the end of a process does
    assert translated([job], SAME) == {"translated": 1}
    assert os.listdir(tmp_path / "out") == ["000.png"]
    assert np.array_equal(pixels_of(job.target), pixels_of(job.source))


def test_translation_that_no_file_of_its_kind_holds_fails_alone(
    tmp_path, monkeypatch, capsys
):
    write_images(tmp_path / "in", 3)
    jobs, write = planned(tmp_path / "in", tmp_path / "out"), files.writing.write

    def limited(path, pixels, source):
        if np.array_equal(source.pixels, pixels_of(jobs[1].source)):
            path.write_bytes(b"half")
            raise images.UnreadableImage("70000 pixels wide")
        write(path, pixels, source)

    monkeypatch.setattr(files.writing, "write", limited)
    assert translated(jobs, SAME, 3) == {"translated": 2, "failed": 1}
    assert "001.png': 70000 pixels wide" in capsys.readouterr().err
    assert sorted(os.listdir(tmp_path / "out")) == ["000.png", "002.png"]


def test_nothing_waits_when_the_disk_is_full(tmp_path, monkeypatch):
    write_images(tmp_path / "in", 3)
    jobs = planned(tmp_path / "in", tmp_path / "out")

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(files.writing, "write", full)
    with pytest.raises(OSError, match=r"No space.*000\.png"):
        translated(jobs, SAME, 2)
    assert not os.listdir(tmp_path / "out")

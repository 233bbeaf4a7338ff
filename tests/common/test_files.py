import errno
import os
import pathlib
import shutil
import threading

import pytest

from cyclegan_tf.common import files, locks
from cyclegan_tf.common.errors import Damaged, InputError
from cyclegan_tf.common.locks import locked_folder


def write(path, text):
    with files.folder_written_aside(path) as aside:
        (aside / "content").write_text(text)


def test_folder_takes_the_place_of_another(tmp_path):
    for text in ("old", "new"):
        write(tmp_path / "folder", text)
        assert (tmp_path / "folder" / "content").read_text() == text
    assert os.listdir(tmp_path) == ["folder"]


def test_failed_folder_leaves_the_earlier_one(tmp_path):
    write(tmp_path / "folder", "old")
    with pytest.raises(ZeroDivisionError):
        with files.folder_written_aside(tmp_path / "folder") as aside:
            (aside / "content").write_text("half")
            1 / 0  # noqa: B018
    assert (tmp_path / "folder" / "content").read_text() == "old"
    assert os.listdir(tmp_path) == ["folder"]


def test_failed_rename_restores_the_earlier_folder(tmp_path, monkeypatch):
    def fail_once_moved(source, target):
        if ".partial-" in str(source):
            raise OSError(errno.ENOSPC, "No space left on device")
        rename(source, target)

    rename = os.rename
    write(tmp_path / "folder", "old")
    monkeypatch.setattr(os, "rename", fail_once_moved)
    with pytest.raises(OSError, match="No space left"):
        write(tmp_path / "folder", "new")
    assert (tmp_path / "folder" / "content").read_text() == "old"
    assert os.listdir(tmp_path) == ["folder"]


@pytest.mark.parametrize("text", ["old", "new"])
def test_folder_that_a_kill_left_while_it_was_replaced_is_mended(tmp_path, text):
    path = tmp_path / "folder"
    write(path, "old")
    path.rename(tmp_path / ".earlier-folder")
    (tmp_path / ".partial-folder").mkdir()
    if text == "new":
        (tmp_path / ".partial-folder" / "content").write_text("new")
        (tmp_path / ".partial-folder").rename(path)
    assert (files.current(path) / "content").read_text() == text
    files.mend(path)
    assert (path / "content").read_text() == text
    assert os.listdir(tmp_path) == ["folder"]


def test_locked_folder_is_refused_or_waited_for(tmp_path, capsys):
    path, order = tmp_path / "new" / "folder", []

    def second():
        with locked_folder(path, "waiting"):
            order.append("second")

    with locked_folder(path):
        with pytest.raises(TimeoutError), locked_folder(path):
            pass
        thread = threading.Thread(target=second)
        thread.start()
        order.append("first")
    thread.join()
    assert order == ["first", "second"]


@pytest.mark.parametrize("exists", [True, False])
def test_locked_folder_that_another_process_just_removes_is_made_anew(
    tmp_path, monkeypatch, exists
):
    path, make, removed = tmp_path / "new" / "folder", os.mkdir, []

    def mkdir(folder, *mode):
        """Has another process remove what is there, once, at the worst moment."""
        is_last_moment = exists == os.path.exists(path) and os.path.exists(path.parent)
        if pathlib.Path(folder) == path and is_last_moment and not removed:
            removed.append(shutil.rmtree(path.parent))
            raise FileExistsError(folder) if exists else FileNotFoundError(folder)
        make(folder, *mode)

    monkeypatch.setattr(os, "mkdir", mkdir)
    if exists:
        path.mkdir(parents=True)
    with locked_folder(path):
        assert removed and path.is_dir()
    assert not path.parent.exists()


def test_locked_folder_names_what_is_in_its_place(tmp_path):
    (tmp_path / "file").touch()
    (tmp_path / "link").symlink_to("nowhere")
    with pytest.raises(FileExistsError, match="file"), locked_folder(tmp_path / "file"):
        pass
    for path in (tmp_path / "link", tmp_path / "link" / "folder"):
        with pytest.raises(FileExistsError, match="link"), locked_folder(path):
            pass


@pytest.mark.parametrize("is_kept", [True, False])
def test_locked_folder_is_removed_if_it_is_new_and_empty(tmp_path, is_kept):
    path = tmp_path / "new" / "folder"
    with locked_folder(tmp_path), locked_folder(path):
        if is_kept:
            (path / "content").touch()
    assert (tmp_path / "new").exists() == is_kept
    assert tmp_path.is_dir()


def test_file_system_without_locks_lets_everybody_write(tmp_path, monkeypatch):
    def without_locks(*_):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(locks.fcntl, "flock", without_locks)
    path = tmp_path / "file"
    with locked_folder(tmp_path), locked_folder(tmp_path):
        with files.claim(path) as first, files.claim(path) as second:
            assert first.aside != second.aside
            second.aside.write_text("second")
            second.keep()
    assert path.read_text() == "second"
    assert sorted(os.listdir(tmp_path)) == [".lock", "file"]


def test_long_name_is_written_aside(tmp_path):
    path = tmp_path / ("\N{BLACK HEART SUIT}" * 83 + ".png")  # 253 bytes
    with files.written_aside(path) as aside:
        assert aside.suffix == ".png"
        aside.touch()
    assert os.listdir(tmp_path) == [path.name]


@pytest.mark.parametrize("text", ["{", "[]", "null", "[" * 10**5, "\x00"])
def test_json_that_is_no_object_is_damaged(tmp_path, text):
    (tmp_path / "x.json").write_text(text)
    with pytest.raises(Damaged, match=r"x.json is damaged \(.*\); delete it\."):
        files.read_json(tmp_path / "x.json", "delete it")


def test_places_elsewhere_are_refused():
    for value in ("gs://b/x", "https://x", "hf:a/b", "S3://x", "s3:x"):
        with pytest.raises(InputError, match=f"--output {value}: only local paths"):
            files.require_local("--output", value)
    for value in (None, "", "runs/x", "C:\\x", "maps:3.0", "/x://y"):
        files.require_local("--output", value)


def test_error_names_the_path_and_not_what_lies_aside(tmp_path):
    path = tmp_path / ("long" * 100)
    with pytest.raises(OSError) as error:
        files.write_text(path, "x")
    assert error.value.filename == str(path)
    folder = tmp_path / "folder"
    with pytest.raises(OSError) as error, files.folder_written_aside(folder) as aside:
        (aside / "none" / "file").touch()
    assert error.value.filename == str(folder / "none" / "file")
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="--output .*x: .*file is a file; name a fol"):
        files.require_folder("--output", tmp_path / "file" / "x")


def test_remains_are_removed_but_for_what_is_being_written(tmp_path):
    (tmp_path / "model").mkdir()
    left = tmp_path / "model" / ".partial-killed"
    left.touch()
    with files.written_aside(tmp_path / "scores.json") as aside:
        aside.write_text("new")
        files.remove_remains(tmp_path)
        assert not left.exists()
    assert (tmp_path / "scores.json").read_text() == "new"

"""Files from somebody else: they run nothing, name nothing elsewhere, stay small.

Of `.pth` files `tests/reference/test_exchange.py` says the same.
"""

import io
import os
import resource
import shutil
import subprocess
import sys
import zipfile

import numpy as np
import pytest

from cyclegan_tf.common import checksums, console, files
from cyclegan_tf.common.errors import InputError
from cyclegan_tf.evaluation import pictures
from cyclegan_tf.inference import translator
from cyclegan_tf.runs import checkpoint, generators, saved
from cyclegan_tf.runs import directory as run_directory
from cyclegan_tf.runs.directory import Recorded
from tests.data.hostile_files import png
from tests.helpers import ROOT, tiny_config, tiny_model

HOSTILE = "a\n| b | <script>x()</script> [x](javascript:x) \x1b]0;owned\x07 \u202e"
WEIGHTS = "model/generators.npz"
CHECKPOINT = "checkpoints/step-000000004.npz"
KERNEL = "gen_ab/stem/kernel"


@pytest.fixture(scope="module")
def honest_run(tmp_path_factory):
    path = tmp_path_factory.mktemp("trust") / "run"
    path.mkdir()
    run_directory.write_config(path, Recorded(tiny_config(path), "f00d"))
    generators.save_generators(path, tiny_model().generators, {"step": 4})
    checkpoint.save(tiny_model(), path / "checkpoints", 4)
    return path


@pytest.fixture
def run_dir(honest_run, tmp_path):
    return shutil.copytree(honest_run, tmp_path / "run")


def refused(run_dir, file, problem=""):
    """That the generators of a file are refused, by its name."""
    name = "last" if file == WEIGHTS else "4"
    with pytest.raises(InputError, match=f"{file}.*{problem}"):
        generators.load_generators(run_dir, name)


# Code.


class Touch:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.system, (f"touch {self.path}",)


@pytest.mark.parametrize("file", [WEIGHTS, CHECKPOINT])
def test_objects_are_not_unpickled(run_dir, tmp_path, file):
    np.savez(run_dir / file, **{KERNEL: np.array([Touch(tmp_path / "marker")])})
    with np.load(run_dir / file, allow_pickle=True) as arrays:
        arrays[KERNEL]
    (tmp_path / "marker").unlink()  # it does work
    refused(run_dir, file, "pickle")
    assert not (tmp_path / "marker").exists()


# Files elsewhere.


@pytest.mark.parametrize(
    "place", [WEIGHTS, "checkpoints", ".lock", ".partial-config.json"]
)
def test_run_with_a_link_is_refused_and_its_target_left_alone(run_dir, tmp_path, place):
    victim = tmp_path / "victim"
    path = run_dir / place
    if path.is_dir():
        path.rename(victim)
    else:
        victim.write_text("precious")
        path.unlink(missing_ok=True)
    path.symlink_to(victim)
    with pytest.raises(InputError, match=f"{place} is a symbolic link"):
        generators.load_generators(run_dir)
    with pytest.raises(InputError, match=f"{place} is a symbolic link"):
        with run_directory.locked(run_dir):
            pass
    assert victim.is_dir() or victim.read_text() == "precious"


def test_nothing_is_written_through_a_link(tmp_path):
    victim = tmp_path / "victim"
    victim.write_text("precious")
    with files.claim(tmp_path / "scores.json") as claimed:
        pass
    for path in (claimed.aside, claimed.path):
        path.symlink_to(victim)
    files.write_text(tmp_path / "scores.json", "new")
    assert victim.read_text() == "precious"
    assert not (tmp_path / "scores.json").is_symlink()


def test_checksums_name_no_file_elsewhere(tmp_path):
    folder = tmp_path / "export" / "1"
    folder.mkdir(parents=True)
    (folder / "saved_model.pb").touch()
    (tmp_path / "secret").touch()
    (folder / "assets.extra").mkdir()
    sums = folder / "assets.extra" / "SHA256SUMS"
    digest = checksums.file_digest(tmp_path / "secret")
    sums.write_text(f"{digest}  saved_model.pb\n{digest}  ../../secret\n")
    with pytest.raises(InputError, match="secret is missing"):
        translator.load(tmp_path / "export")
    (folder / "link").symlink_to(tmp_path / "secret")
    with pytest.raises(InputError, match="link is a symbolic link"):
        translator.load(tmp_path / "export")


def test_checkpoint_that_is_named_otherwise_is_none(run_dir):
    for name in ("step-x.npz", "step-.npz", "step-1-2.npz"):
        (run_dir / "checkpoints" / name).touch()
    with pytest.raises(InputError, match="there are last, 4"):
        generators.load_generators(run_dir, "5")


# Memory.


def npy(shape):
    header = {"descr": "<f4", "fortran_order": False, "shape": shape}
    file = io.BytesIO()
    np.lib.format.write_array_header_1_0(file, header)
    return file.getvalue()


@pytest.mark.parametrize(
    "content, options",
    [
        (npy((10**6, 10**6)), {}),
        (npy((10**9,)) + bytes(10**8), {"compression": zipfile.ZIP_DEFLATED}),
        (b"\x93NUMPY\x01\x00\xff\xff" + b"(" * 65535, {}),
    ],
)
def test_arrays_take_no_more_memory_than_their_file_is_long(tmp_path, content, options):
    path = tmp_path / "step-000000001.npz"
    with zipfile.ZipFile(path, "w", **options) as archive:
        archive.writestr(f"{KERNEL}.npy", content)
    del content
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(InputError, match="is damaged"):
        saved.read_arrays(path)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 50_000  # KiB


@pytest.mark.parametrize("file", [WEIGHTS, CHECKPOINT])
@pytest.mark.parametrize(
    "changes", [{KERNEL: np.zeros((7, 7, 3, 3))}, {KERNEL: None}, {}]
)
def test_weights_of_another_network_are_refused(run_dir, file, changes):
    arrays = saved.read_arrays(run_dir / file) | changes if changes else {}
    arrays = {name: array for name, array in arrays.items() if array is not None}
    saved.write_arrays(run_dir / file, arrays)
    with pytest.raises(InputError, match=f"do not fit.*{KERNEL}"):
        generators.load_generators(run_dir, "last" if file == WEIGHTS else "4")


@pytest.mark.parametrize("directions", [["../x"], "a_to_b", 3, None])
def test_unknown_directions_are_refused(run_dir, directions):
    about = {"step": 4, "directions": directions}
    files.write_json(run_dir / "model" / "model.json", about)
    with pytest.raises(InputError, match="model.json is damaged"):
        generators.load_generators(run_dir)


def test_sample_that_claims_to_be_huge_is_not_decoded(tmp_path):
    path = tmp_path / "epoch-0001-a.png"
    path.write_bytes(png((60_000, 60_000, 8, 2, 0), (b"IDAT", b"")))
    with pytest.raises(InputError, match="epoch-0001-a.png cannot be read"):
        pictures.read_png(path)


# Names.


def test_markdown_keeps_ordinary_names_and_escapes_others():
    name = "cycle-gan/horse2zebra v1.2"
    assert console.markdown(name) == name
    assert console.markdown(1e-3) == "0.001"
    escaped = console.markdown(HOSTILE)
    assert escaped.isprintable() and "<" not in escaped and " | " not in escaped
    assert "](" not in escaped.replace("\\]\\(", "")


def test_console_shows_no_escape_sequences(capsys):
    console.say(HOSTILE)
    console.show(f"{HOSTILE}\nsecond line")
    captured = capsys.readouterr()
    assert captured.err.count("\n") == 1 and "\\x1b]0;owned\\x07" in captured.err
    assert "\x1b" not in captured.out and captured.out.endswith("\nsecond line\n")
    assert "\u202e" not in captured.err


def test_hostile_name_on_the_command_line_is_escaped(tmp_path):
    done = subprocess.run(
        [sys.executable, ROOT / "translate.py", "--model", "x\x1b[2J", tmp_path, "out"],
        capture_output=True,
        cwd=tmp_path,
    )
    assert done.returncode == 2 and b"\x1b" not in done.stderr

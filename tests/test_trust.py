"""Files from somebody else: they run nothing, name nothing elsewhere, stay small."""

import hashlib
import io
import json
import os
import pathlib
import resource
import shutil
import struct
import subprocess
import sys
import warnings
import zipfile
import zlib

import h5py
import keras
import numpy as np
import pytest

from cyclegan_tf.common import checksums, console, files
from cyclegan_tf.common.errors import InputError
from cyclegan_tf.evaluation import pictures
from cyclegan_tf.inference import translator
from cyclegan_tf.runs import checkpoint, generators
from cyclegan_tf.runs import directory as run_directory
from cyclegan_tf.training import run as training
from tests.helpers import ROOT, tiny_config, tiny_model

HOSTILE = "a\n| b | <script>x()</script> [x](javascript:x) \x1b]0;owned\x07 \u202e"
VARIABLE = "layers/conv2d/vars/0"


@pytest.fixture(scope="module")
def honest_run(tmp_path_factory):
    path = tmp_path_factory.mktemp("trust") / "run"
    run_id = run_directory.write_config(path, tiny_config(path), "f00d")
    generators.save_generators(path, tiny_model().generators, {"step": 4}, run_id)
    checkpoint.save(tiny_model(), path / "checkpoints", 4, run_id)
    return path


@pytest.fixture
def run_dir(honest_run, tmp_path):
    return shutil.copytree(honest_run, tmp_path / "run")


def rewrite(run_dir, change_entries=None, change_weights=None, zip_options=None):
    """Changes `gen_ab.keras`, and then its checksum: whoever can do one can do both."""
    path = run_dir / "model" / "gen_ab.keras"
    with zipfile.ZipFile(path) as archive:
        entries = {name: archive.read(name) for name in archive.namelist()}
    if change_weights:
        content = io.BytesIO(entries["model.weights.h5"])
        with h5py.File(content, "r+") as file:
            change_weights(file)
        entries["model.weights.h5"] = content.getvalue()
    if change_entries:
        change_entries(entries)
    with zipfile.ZipFile(path, "w", **(zip_options or {})) as archive:
        for name, content in entries.items():
            archive.writestr(name, content)
    reseal(run_dir, checksums={"a_to_b": checksums.file_digest(path)})


def reseal(run_dir, checksums=None, **changes):
    path = run_dir / "model" / "model.json"
    about = json.loads(path.read_text())
    about["checksums"] |= checksums or {}
    files.write_json(path, about | changes)


def refused(run_dir, problem, file="gen_ab.keras"):
    with pytest.raises(InputError, match=f"{file}.*{problem}"):
        generators.load_generators(run_dir)


# Code.


def lambda_layer(marker):
    function = eval(f"lambda x: open({str(marker)!r}, 'w') and x")
    return keras.layers.Lambda(function, output_shape=(None, None, 3), name="stem")


def calls_a_function(marker):
    return {
        "module": "keras.utils",
        "class_name": "get_file",
        "config": {"fname": str(marker), "origin": f"file://{ROOT}/LICENSE"},
        "registered_name": None,
    }


def is_of_any_module(marker):
    return {
        "module": "subprocess",
        "class_name": "run",
        "config": {"args": ["touch", str(marker)]},
        "registered_name": None,
    }


@pytest.mark.parametrize("kind", ["lambda", "function", "module", "unsafe"])
def test_no_configuration_of_a_model_is_run(run_dir, tmp_path, kind):
    marker = tmp_path / "marker"
    before = generators.load_generators(run_dir)["a_to_b"].get_weights()

    def change(entries):
        config = json.loads(entries["config.json"])
        if kind == "lambda":
            inputs = keras.Input((None, None, 3))
            hostile = keras.Model(inputs, lambda_layer(marker)(inputs))
            marker.unlink(missing_ok=True)  # Keras has tried it
            config = keras.saving.serialize_keras_object(hostile)
        elif kind == "function":
            config["config"]["layers"][1] = calls_a_function(marker)
        elif kind == "module":
            config["config"]["layers"][1] = is_of_any_module(marker)
        else:
            enable = {
                "module": "keras.config",
                "class_name": "enable_unsafe_deserialization",
                "config": {},
                "registered_name": "enable_unsafe_deserialization",
            }
            config["config"]["layers"].insert(1, enable)
        entries["config.json"] = json.dumps(config).encode()

    rewrite(run_dir, change)
    loaded = generators.load_generators(run_dir)["a_to_b"].get_weights()
    for array, expected in zip(loaded, before, strict=True):
        np.testing.assert_array_equal(array, expected)
    assert not marker.exists()


def test_checkpoint_with_objects_is_not_unpickled(tmp_path):
    class Touch:
        def __reduce__(self):
            return os.system, (f"touch {tmp_path / 'marker'}",)

    path = tmp_path / "step-000000001.npz"
    np.savez(path, **{"gen_ab/stem/kernel": np.array([Touch()])})
    checksums.seal_zip(path, "")
    with pytest.raises(InputError, match="step-000000001.npz is damaged.*pickle"):
        checkpoint.read_arrays(path, "")
    assert not (tmp_path / "marker").exists()


def test_best_with_a_checksum_but_no_archive_is_damaged(tmp_path):
    content = b"no archive"
    digest = hashlib.sha256(content).hexdigest()
    (tmp_path / "best.npz").write_bytes(content + digest.encode())
    files.write_json(tmp_path / "best.json", {"step": 1, "checkpoint": digest})
    with pytest.raises(InputError, match="best.npz is damaged"):
        checkpoint.find(tmp_path, "best")


# Files elsewhere.


def external_link(file, secret):
    del file[VARIABLE]
    file[VARIABLE] = h5py.ExternalLink(str(secret), "secret")


def soft_link(file, secret):
    del file[VARIABLE]
    file[VARIABLE] = h5py.SoftLink("/layers/conv2d_1/vars/0")


def external_storage(file, secret):
    shape, dtype = file[VARIABLE].shape, file[VARIABLE].dtype
    del file[VARIABLE]
    size = int(np.prod(shape)) * 4
    file.create_dataset(VARIABLE, shape, dtype, external=[(str(secret), 0, size)])


def virtual(file, secret):
    shape, dtype = file[VARIABLE].shape, file[VARIABLE].dtype
    del file[VARIABLE]
    layout = h5py.VirtualLayout(shape, dtype)
    layout[:] = h5py.VirtualSource(str(secret), "secret", shape, dtype)
    file.create_virtual_dataset(VARIABLE, layout)


@pytest.mark.parametrize(
    "change, problem",
    [
        (external_link, "is a link"),
        (soft_link, "is a link"),
        (external_storage, "not stored in one piece"),
        (virtual, "not stored in one piece"),
    ],
)
def test_weights_cannot_lie_in_another_file(run_dir, tmp_path, change, problem):
    secret = tmp_path / "secret.h5"
    with h5py.File(secret, "w") as file:
        file["secret"] = np.ones((7, 7, 3, 2), np.float32)
    rewrite(run_dir, change_weights=lambda file: change(file, secret))
    refused(run_dir, problem)


@pytest.mark.parametrize("name", ["../outside", "/tmp/outside", "assets/x"])
def test_model_with_further_members_is_refused(run_dir, tmp_path, name):
    rewrite(run_dir, lambda entries: entries.update({name: b"x"}))
    refused(run_dir, "it holds")
    assert not (tmp_path / "outside").exists()


@pytest.mark.parametrize(
    "place", ["model/gen_ab.keras", "checkpoints", ".lock", ".partial-config.json"]
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
        with run_directory.locked(run_dir, restart=False):
            pass
    assert victim.is_dir() or victim.read_text() == "precious"


def test_nothing_is_written_through_a_link(tmp_path):
    victim = tmp_path / "victim"
    victim.write_text("precious")
    for name in (".partial-scores.json", "scores.json"):
        (tmp_path / name).symlink_to(victim)
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


def compressed(file, _=None):
    shape = file[VARIABLE].shape
    del file[VARIABLE]
    file.create_dataset(VARIABLE, shape, "f4", chunks=True, compression="gzip")


def huge(file, _=None):
    del file[VARIABLE]
    file.create_dataset(VARIABLE, (10**6, 10**6), "f4")  # of no byte in the file


@pytest.mark.parametrize(
    "change, problem",
    [(compressed, "not stored in one piece"), (huge, "larger than the file")],
)
def test_weights_cannot_grow(run_dir, change, problem):
    rewrite(run_dir, change_weights=change)
    refused(run_dir, problem)


def test_compressed_model_is_refused(run_dir):
    def bomb(entries):
        entries["metadata.json"] = bytes(10**8)

    rewrite(run_dir, bomb, zip_options={"compression": zipfile.ZIP_DEFLATED})
    refused(run_dir, "is compressed")


@pytest.mark.parametrize(
    "changes, problem",
    [
        ({"filters": 10**6}, "is too short"),
        ({"residual_blocks": 10**9}, "is too short"),
        ({"filters": 0}, "is damaged"),
        ({"filters": "2"}, "is damaged"),
        ({"norm": "odd"}, "is wrong"),
        ({"upsampling": []}, "is wrong"),
        ({"directions": ["../x"]}, "is damaged"),
    ],
)
def test_architecture_cannot_be_larger_than_its_file(run_dir, changes, problem):
    reseal(run_dir, **changes)
    for checkpoint_name in ("last", "4"):
        with pytest.raises(InputError, match=problem):
            generators.load_generators(run_dir, checkpoint_name)


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
def test_checkpoint_takes_no_more_memory_than_it_is_long(tmp_path, content, options):
    path = tmp_path / "step-000000001.npz"
    with zipfile.ZipFile(path, "w", **options) as archive:
        archive.writestr("gen_ab/stem/kernel.npy", content)
    checksums.seal_zip(path, "")
    del content
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(InputError, match="is damaged"):
        checkpoint.read_arrays(path, "")
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 50_000  # KiB


@pytest.mark.parametrize("text", ["[" * 10**6, "9" * 10**5, '{"a": NaN', "null"])
def test_json_that_is_none_of_ours_is_damaged(run_dir, text):
    (run_dir / "config.json").write_text(text)
    with pytest.raises(InputError, match="config.json is damaged"):
        run_directory.read_config(run_dir)


def test_sample_that_claims_to_be_huge_is_not_decoded(tmp_path):
    def chunk(name, content):
        sum_ = struct.pack(">I", zlib.crc32(name + content))
        return struct.pack(">I", len(content)) + name + content + sum_

    header = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)
    path = tmp_path / "epoch-0001-a.png"
    png = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", b"")
    path.write_bytes(png + chunk(b"IEND", b""))
    with pytest.raises(InputError, match="epoch-0001-a.png cannot be read"):
        pictures.grid_cells(path, 1, 32)


# Names.


def test_table_in_tensorboard_has_a_row_for_each_option():
    with warnings.catch_warnings(action="ignore"):
        from tensorboard.plugin_util import markdowns_to_safe_html
    config = tiny_config(pathlib.Path("x"), dataset=HOSTILE)
    html = markdowns_to_safe_html(
        [training.options_table(config)], lambda parts: parts[0]
    )
    assert (
        html.count("<tr>") == html.count("<td>") / 2 + 1 == len(config.resolved()) + 1
    )
    assert "<script" not in html and "href" not in html
    assert "&lt;script&gt;" in html and "\x1b" not in html


def test_markdown_keeps_ordinary_names():
    assert (
        console.markdown("cycle-gan/horse2zebra v1.2") == "cycle-gan/horse2zebra v1.2"
    )
    assert console.markdown(1e-3) == "0.001"


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

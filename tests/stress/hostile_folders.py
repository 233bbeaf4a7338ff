"""Makes folders of files that are hostile in more than their content, and reads them.

    python -m tests.stress.hostile_folders 4000

gives a folder of so many to the converter, with its threads, and to
`translate_files` with a run's and an export's model. Pipes, devices, sparse and growing
files, links in circles, names that a terminal obeys: each must be an image or one line,
nothing may hang, and the memory is bounded.
"""

import contextlib
import io
import itertools
import os
import pathlib
import random
import resource
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time

from PIL import Image

from cyclegan_tf.common import checksums
from cyclegan_tf.config import DatasetConfig, ExportConfig
from cyclegan_tf.data.domain import Domains
from cyclegan_tf.data.loading import load_in_order
from cyclegan_tf.data.sources import find_source
from cyclegan_tf.exporting.formats import saved_model
from cyclegan_tf.inference import exported, translator
from cyclegan_tf.inference import files as picture_files
from cyclegan_tf.inference.jobs import find, plan
from cyclegan_tf.model.networks import build_generator
from tests.data.hostile_files import PICTURE, encode
from tests.helpers import random_pixels, tiny_config, write_run
from tests.stress.hostile_images import hostile_files

SPARSE_BYTES = 100 * 10**9
NESTED_FOLDERS = 1100  # more than Python's stack of calls is deep
NAMES = (
    b"line\nbreak",
    b"tab\tbell\x07back\x08",
    b"\x1b[2J\x1b]0;owned\x07",
    b"\xff\xfe not utf-8 \x80",
    b"\xed\xa0\x80 surrogate",
    "\u202egnp.exe".encode(),
    b" spaces ",
    b"-rf",
    b"--help",
    b"%s%n{}",
    b"*?[a-z]",
    b"'\"`$(id)`;&|",
    b"\\..\\..",
    b"x" * 240,
    "馬".encode() * 80,
    b"e\xcc\x81",
)
SUFFIXES = (b".png", b".jpg", b".JPEG", b".webp", b".gif", b".bmp", b".jfif")


def make_traps(folder):
    """Writes what is no plain file; returns those of which no picture may come."""
    picture = encode(PICTURE, "PNG")
    outside = folder.parent / f"{folder.name}-outside"
    folder.mkdir(parents=True)
    outside.mkdir()
    (outside / "good.png").write_bytes(picture)
    (folder / "linked.png").symlink_to(outside / "good.png")
    (folder / "dots.png").symlink_to(f"../{outside.name}/good.png")
    os.link(outside / "good.png", folder / "hard-1.png")
    os.link(outside / "good.png", folder / "hard-2.png")
    # Followed, each of these two would double the paths at every level.
    (folder / "circle").symlink_to(".")
    (folder / "round").symlink_to(folder)
    (folder / "up").symlink_to("..")
    (folder / "linked-folder.png").symlink_to(outside)
    (folder / "folder.png").mkdir()
    (folder / "folder.png" / "within.png").write_bytes(picture)
    nest_folders(folder / "deep", NESTED_FOLDERS)
    nest_folders(folder / "long", 20, "long" * 60)

    bad = [folder / f"{name}.png" for name in ("self", "ping", "pong", "nowhere")]
    bad[0].symlink_to(bad[0])
    bad[1].symlink_to(bad[2])
    bad[2].symlink_to(bad[1])
    bad[3].symlink_to("nowhere at all")
    bad.append(folder / "pipe.jpg")
    os.mkfifo(bad[-1])
    bad.append(folder / "pipe-link.jpg")
    bad[-1].symlink_to(folder / "pipe.jpg")
    bad.append(folder / "socket.jpg")
    with _in(folder):  # the path of a socket is short
        with socket.socket(socket.AF_UNIX) as bound:
            bound.bind("socket.jpg")
    for device in ("zero", "random", "full", "tty", "null"):
        bad.append(folder / f"{device}.jpg")
        bad[-1].symlink_to(f"/dev/{device}")
    # A regular file without a size that cannot be read.
    bad.append(folder / "memory.jpg")
    bad[-1].symlink_to("/proc/self/mem")
    bad.append(folder / "empty.png")
    bad[-1].touch()
    for name, start in (("sparse.png", b""), ("sparse-png.png", picture)):
        bad.append(folder / name)
        bad[-1].write_bytes(start)
        os.truncate(bad[-1], SPARSE_BYTES)
    return bad


def nest_folders(folder, number, name="d"):
    """Makes so many folders in each other; no call may take so long a path."""
    folder.mkdir()
    handle = os.open(folder, os.O_RDONLY)
    for _ in range(number):
        os.mkdir(name, dir_fd=handle)
        inner = os.open(name, os.O_RDONLY, dir_fd=handle)
        os.close(handle)
        handle = inner
    os.close(handle)


@contextlib.contextmanager
def _in(folder):
    before = os.getcwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)


def write_files(folder, count, seed):
    """Writes hostile contents under hostile names."""
    rng = random.Random(seed)
    for i, data in enumerate(hostile_files(count, seed)):
        name = rng.choice(NAMES) if rng.random() < 0.5 else b"plain"
        suffix = rng.choice(SUFFIXES)
        number = b"%d" % i
        room = 255 - len(suffix) - len(number)
        path = os.path.join(os.fsencode(folder), number + name[:room] + suffix)
        with open(path, "wb") as file:
            file.write(data)


@contextlib.contextmanager
def changing_files(folder):
    """Yields files that vanish, come back, grow and shrink while others read them."""
    picture = encode(Image.fromarray(random_pixels(200, 300)), "PNG")
    paths = [folder / f"{name}.png" for name in ("vanishing", "growing", "cut")]
    for path in paths:
        path.write_bytes(picture)
    done = threading.Event()

    def change():
        while not done.is_set():
            paths[0].unlink(missing_ok=True)
            with paths[1].open("ab") as file:
                file.write(bytes(100_000))
                if file.tell() > 20_000_000:
                    file.truncate(len(picture))
            os.truncate(paths[2], len(picture) // 2)
            paths[0].write_bytes(picture)
            paths[2].write_bytes(picture)
            time.sleep(0.001)

    thread = threading.Thread(target=change)
    thread.start()
    try:
        yield paths
    finally:
        done.set()
        thread.join()


def read_by_converter(folder):
    """Names of files that are images for the converter, and the number of others."""
    source = find_source(DatasetConfig(dataset=str(folder)))
    read, num_refused = set(), 0
    jobs = itertools.chain.from_iterable(s.jobs for s in source.open().values())
    for done in load_in_order(jobs):
        assert done.problem is None or done.problem.isprintable()
        if done.problem:
            num_refused += 1
        else:
            read.add(done.name)
    return read, num_refused


def read_by_translator(folder, out, translate):
    """The files that are translated, and the number of others; each has a line."""
    request = find(str(folder), str(out))
    jobs = plan(request, "png", translate.target)
    said = io.StringIO()
    with contextlib.redirect_stderr(said):
        outcome = picture_files.translate_files(jobs, translate, 4, overwrite=False)
    assert outcome["translated"] + outcome["failed"] == len(jobs)
    # A progress bar returns to the beginning of its line.
    lines = said.getvalue().replace("\r", "\n").split("\n")
    lines = [line for line in lines if "failed " in line]
    assert len(lines) == outcome["failed"], "one line each"
    assert all(line.isprintable() for line in lines)
    return {job.source for job in jobs if job.target.exists()}, outcome["failed"]


def model_of(folder, kind):
    """The model of a run, or of an export, as a function."""
    path = folder / kind
    models = {"a_to_b": build_generator(2, 1)}
    if kind == "run":
        write_run(tiny_config(folder, run_dir=str(path)), models, step=None)
    else:
        config = ExportConfig(max_megapixels=1)
        saved_model.write(models, Domains(), path / "1", config)
        checksums.write_sums(path / "1", exported.SUMS)
    return translator.load(path)


def feed(count, seed, folder, kinds):
    """Gives so many files, and the traps, to the converter and to models of `kinds`.

    Returns how many each has read and refused.
    """
    domain = folder / "images" / "trainA"
    bad = make_traps(domain)
    write_files(domain, count, seed)
    shutil.copytree(domain / "folder.png", domain.with_name("trainB"))
    with changing_files(domain):
        read, num_refused = read_by_converter(domain.parent)
    assert not {f"trainA/{path.name}" for path in bad} & read
    outcomes = {"converter": (len(read), num_refused)}
    for kind in kinds:
        translate, out = model_of(folder, kind), folder / f"translated-{kind}"
        with changing_files(domain):
            read, num_refused = read_by_translator(domain, out, translate)
        assert not set(bad) & read
        outcomes[kind] = len(read), num_refused
    return outcomes


def remove(folder):
    """Removes a tree that is too deep for `shutil.rmtree`."""
    subprocess.run(["rm", "-rf", folder], check=True)


if __name__ == "__main__":
    place = pathlib.Path(tempfile.mkdtemp())
    try:
        fed = feed(int(sys.argv[1]), 1, place, ("run", "export"))
    finally:
        remove(place)
    print("read, refused:", fed)
    for whose in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN):
        print(f"at most {resource.getrusage(whose).ru_maxrss / 2**10:.0f} MiB")

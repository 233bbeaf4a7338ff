"""Folders of images, one for each domain."""

import hashlib
import itertools
import os
import pathlib
from collections import Counter

import numpy as np

from cyclegan_tf.common.console import say
from cyclegan_tf.common.errors import InputError
from cyclegan_tf.config import DatasetConfig
from cyclegan_tf.data import images
from cyclegan_tf.data.sources.source import SPLITS, Loaded, Source, Split

HOLDOUT_SHARE = 0.1
MAX_HOLDOUT = 200
MAX_SUFFIXES = 9  # named of files that are not read; the others are counted together


def find(config: DatasetConfig) -> Source | None:
    """The folder that `--dataset` names, if there is one.

    What is in it counts, not where it lies: moved, or named by a relative path, it is
    the same dataset.

    Raises:
        InputError: it is a file, or not laid out as expected.
    """
    path = pathlib.Path(config.dataset).expanduser()
    if not path.exists():
        return None
    if not path.is_dir():
        raise InputError(f"--dataset {path} is a file; expected a folder of images.")
    path = path.resolve()
    if not path.name:
        raise InputError(f"--dataset {path}: name a folder below the root.")
    splits, listing = {}, hashlib.sha256()
    for split, names in _split_files(path, config.data_seed).items():
        splits[split] = Split(len(names), zip(itertools.repeat(str(path)), names))
        for name in names:
            stamp = _stamp(os.path.join(path, name))
            listing.update(os.fsencode(f"{split}\0{name}\0{stamp}\0"))
    identity = {
        "kind": "folder",
        "seed": config.data_seed,
        "listing": listing.hexdigest(),
    }
    place = str(path).encode("utf-8", "backslashreplace").decode()
    return Source(config.dataset_name, identity, lambda: splits, _read_file, path=place)


def names_near(name: str) -> list[str]:
    """Paths of the folders beside one that is not there."""
    beside = pathlib.Path(name).expanduser().parent
    try:
        return [str(path) for path in beside.iterdir() if path.is_dir()]
    except OSError:
        return []


def image_files(root: pathlib.Path, folder: str = "") -> list[str]:
    """Files below `root`, or a folder in it, that are named like images.

    Hidden ones are left out. Links to files are followed wherever they lead, links to
    folders are not. What is passed over is said.

    Returns:
        Their names below `root`, with slashes, sorted folder by folder.
    """
    found, others = [], Counter()
    # Not os.walk, which before Python 3.12 ends with an error where folders are nested
    # a thousand times. The next comes last; folders end with a slash.
    waiting = [start := folder and f"{folder}/"]
    while waiting:
        name = waiting.pop()
        if name and not name.endswith("/"):
            found.append(name)
            continue
        try:
            inside = _scan(f"{root}/{name}", others)
        except OSError as error:
            if name != start:
                say(f"skipped the folder {root}/{name[:-1]}: {error.strerror}")
            continue
        waiting += [name + each for each in inside]
    if others:
        named = others.most_common(MAX_SUFFIXES)
        if rest := others.total() - sum(count for _, count in named):
            named.append(("other", rest))
        counts = ", ".join(f"{count} {suffix}" for suffix, count in named)
        say(f"{root / folder}: not used: {counts} files")
    return found


def _scan(folder, others):
    """Images and folders in a folder, the last first; counts what else there is."""
    names = []
    with os.scandir(folder) as entries:
        for entry in entries:
            suffix = os.path.splitext(entry.name)[1].lower()
            if entry.name.startswith("."):
                continue
            if entry.is_dir(follow_symlinks=False):
                names.append(f"{entry.name}/")
            elif entry.is_symlink() and os.path.isdir(entry.path):
                say(f"skipped {entry.path}: links to folders are not followed")
            elif suffix in images.SUFFIXES:
                names.append(entry.name)
            else:
                others[suffix or "suffixless"] += 1
    return sorted(names, key=lambda name: name.rstrip("/"), reverse=True)


def _split_files(path, seed):
    """Image files per split, from either layout."""
    if (path / "trainA").is_dir() or (path / "trainB").is_dir():
        files = {split: image_files(path, split) for split in SPLITS}
        names = ("trainA", "trainB")
    elif (path / "A").is_dir() or (path / "B").is_dir():
        files = {}
        for domain in "AB":
            train, test = _hold_out(image_files(path, domain), seed)
            files[f"train{domain}"], files[f"test{domain}"] = train, test
        names = ("A", "B")
    else:
        raise InputError(
            f"{path} has neither trainA/ and trainB/ (and perhaps testA/ and testB/) "
            f"nor A/ and B/; expected one folder of images per domain."
        )
    for name, split in zip(names, ("trainA", "trainB"), strict=True):
        if not files[split]:
            found = "has no images" if (path / name).is_dir() else "is missing"
            raise InputError(
                f"{path / name} {found}; expected {images.KINDS} files of one domain "
                f"in it."
            )
    return files


def _hold_out(files, seed):
    """A random tenth of the files as test images; at least one image stays to train."""
    number = min(round(len(files) * HOLDOUT_SHARE), MAX_HOLDOUT)
    number = max(number, min(1, len(files) - 1))
    order = np.random.default_rng(seed).permutation(len(files))
    held_out = set(order[:number].tolist())
    train = [file for i, file in enumerate(files) if i not in held_out]
    return train, [files[i] for i in sorted(held_out)]


def _stamp(file):
    """Changes when the file does."""
    try:
        status = os.stat(file)
    except OSError:
        return "none"  # vanished, or a link to nowhere
    return f"{status.st_size}\0{status.st_mtime_ns}"


def _read_file(job):
    folder, name = job
    data = images.read_file(os.path.join(folder, name))
    return Loaded(images.normalize(data), name)

"""Folders of images, one for each domain; see `files` for what is in them."""

import functools
import hashlib
import itertools
import os
import pathlib

import numpy as np

from cyclegan_tf.common.errors import InputError
from cyclegan_tf.config import DatasetConfig
from cyclegan_tf.data.sources.files import files_below, files_named, globbed
from cyclegan_tf.data.sources.source import SPLITS, Source, Split

HOLDOUT_SHARE = 0.1
MAX_HOLDOUT = 200


def is_on_disk(config: DatasetConfig) -> bool:
    """Whether the options name folders, or files, that are there."""
    if config.domain_a is not None:
        path = pathlib.Path(config.domain_a).expanduser()
        return path.exists() or bool(globbed(path))
    return bool(config.dataset) and pathlib.Path(config.dataset).expanduser().is_dir()


def find(config: DatasetConfig) -> Source | None:
    """The folder, or the folders, that the options name, if they are there.

    What is in it counts, not where it lies: moved, or named by a relative path, it is
    the same dataset. Raises `InputError` for a file, or another layout.
    """
    if config.domain_a is not None:
        parts = _parts_named(config)
        place = " and ".join(map(_place_of, (config.domain_a, config.domain_b)))
    else:
        path = pathlib.Path(config.dataset or config.dataset_name).expanduser()
        if not path.exists():
            return None
        if not path.is_dir():
            raise InputError(f"--dataset {path} is a file; expected a folder.")
        path = path.resolve()
        if not path.name:
            raise InputError(f"--dataset {path}: name a folder below the root.")
        parts, place = _parts_below(path), str(path)
    listing, sizes = hashlib.sha256(), hashlib.sha256()
    for part, files in parts.items():
        if files:
            keeps_alpha = getattr(config, f"channels_{part[-1].lower()}") in (2, 4)
            parts[part] = files._replace(keeps_alpha=keeps_alpha)
            for named, time in parts[part].stamps(part):
                sizes.update(os.fsencode(named))
                listing.update(os.fsencode(named + time))
    identity = {
        "kind": "folder",
        "seed": config.data_seed,
        "listing": listing.hexdigest(),
    }
    place = place.encode("utf-8", "backslashreplace").decode()
    opened = functools.partial(_open, parts, config.data_seed)
    return Source(
        config.dataset_name, identity, opened, path=place, sizes=sizes.hexdigest()
    )


def _parts_named(config):
    """The files of each split; None where these are held out of the training ones."""
    if _place_of(config.domain_a) == _place_of(config.domain_b):
        raise InputError(
            f"--domain-b {config.domain_b} is the same as --domain-a; give a folder "
            f"for each domain."
        )
    parts = {}
    for domain in "ab":
        train, test = f"domain_{domain}", f"test_{domain}"
        parts[f"train{domain.upper()}"] = files_named(train, getattr(config, train))
        given = getattr(config, test)
        parts[f"test{domain.upper()}"] = given and files_named(test, given)
    return parts


def _parts_below(path):
    """Files by split of the folders in one folder."""
    is_split = (path / "trainA").is_dir() or (path / "trainB").is_dir()
    if not (is_split or (path / "A").is_dir() or (path / "B").is_dir()):
        raise InputError(
            f"{path} has neither trainA/ and trainB/ (and perhaps testA/ and testB/) "
            f"nor A/ and B/; expected one folder of images per domain, or --domain-a "
            f"and --domain-b."
        )
    parts = {}
    for domain in "AB":
        train, test = f"train{domain}", f"test{domain}"
        parts[train] = files_below(path, train if is_split else domain)
        parts[test] = files_below(path, test, may_lack=True) if is_split else None
    return parts


def _open(parts, seed):
    splits = {}
    for domain in "AB":
        train, test = parts[f"train{domain}"], parts[f"test{domain}"]
        is_test = np.zeros(train.count(), bool)
        if test is None:
            is_test[_held_out(len(is_test), seed)] = True
            splits[f"test{domain}"] = _part_of(train, is_test)
        else:
            splits[f"test{domain}"] = Split(test.count(), test.jobs())
        splits[f"train{domain}"] = _part_of(train, ~is_test)
    return {split: splits[split] for split in SPLITS}


def _part_of(files, is_in):
    return Split(int(is_in.sum()), itertools.compress(files.jobs(), is_in))


def _held_out(count, seed):
    """A random tenth as test images, by index; at least one image stays to train."""
    number = min(round(count * HOLDOUT_SHARE), MAX_HOLDOUT)
    number = max(number, min(1, count - 1))
    return np.random.default_rng(seed).permutation(count)[:number]


def _place_of(given):
    return str(pathlib.Path(given).expanduser().resolve())

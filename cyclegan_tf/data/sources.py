"""Where images come from: TensorFlow Datasets, folders, the embedded dataset.

A source lists jobs per split; a job becomes a `Loaded` picture by the source's `load`,
which runs in worker processes and so needs no TensorFlow.
"""

import concurrent.futures
import contextlib
import dataclasses
import hashlib
import itertools
import multiprocessing
import os
import pathlib
import re
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

import numpy as np

from cyclegan_tf.common.console import say
from cyclegan_tf.common.errors import InputError
from cyclegan_tf.config import DatasetConfig
from cyclegan_tf.data import drawing, images

SPLITS = ("trainA", "trainB", "testA", "testB")
SYNTHETIC = "synthetic/horse2zebra"
TFDS_NAME = re.compile(r"[a-z0-9_]+(/[\w.\-+]+)*(:[\w.*]+)?")
HOLDOUT_SHARE = 0.1
MAX_HOLDOUT = 200
NETWORK_TIMEOUT = 8  # seconds to connect, and again to answer
# Below this, starting processes takes longer than the work.
MIN_PARALLEL_JOBS = 48


class Loaded(NamedTuple):
    """A picture ready for the shards: image, its name, its mask (PNG) or nothing."""

    image: images.EncodedImage
    filename: str
    mask: bytes = b""


class Split(NamedTuple):
    """The jobs of one split and how many they are."""

    count: int
    jobs: Iterable[Any]


@dataclasses.dataclass(frozen=True)
class Source:
    """A dataset before its conversion.

    Attributes:
        name: of its directory under the data directory.
        identity: what its content depends on; equal identity, equal shards.
        open: lists the splits; may be slow, and may raise `InputError`.
        load: makes a `Loaded` of a job, or raises `images.UnreadableImage`.
        is_paired: whether test images i of both domains show the same scene.
    """

    name: str
    identity: dict[str, Any]
    open: Callable[[], dict[str, Split]]
    load: Callable[[Any], Loaded]
    is_paired: bool = False


def find_source(config: DatasetConfig) -> Source:
    """The source that `--dataset` names.

    Raises:
        InputError: it names nothing that can be used.
    """
    name = config.dataset
    if name == SYNTHETIC:
        return _synthetic_source(config)
    if name.startswith("synthetic/"):
        raise InputError(f"--dataset {name}: the only embedded dataset is {SYNTHETIC}.")
    path = pathlib.Path(name).expanduser()
    if path.is_dir():
        return _folder_source(path, config)
    if path.exists():
        raise InputError(f"--dataset {name} is a file; expected a folder of images.")
    if TFDS_NAME.fullmatch(name):
        return _tfds_source(config)
    raise InputError(
        f"--dataset {name}: no such folder, and not the name of a TFDS dataset such as "
        f"cycle_gan/horse2zebra or of the embedded dataset {SYNTHETIC}."
    )


def load_in_order(
    load: Callable[[Any], Loaded], splits: Iterable[Split]
) -> Iterator[tuple[Loaded | None, str, str | None]]:
    """Loads the jobs of all splits in parallel; results come in the order of the jobs.

    Few results wait in memory at any time.

    Yields:
        `(loaded, name, None)`, or `(None, name, problem)` for an unreadable image.
    """
    splits = list(splits)
    jobs = itertools.chain.from_iterable(split.jobs for split in splits)
    if sum(split.count for split in splits) < MIN_PARALLEL_JOBS:
        yield from (_load(load, job) for job in jobs)
        return
    # Not forked: a fork of a process with TensorFlow's threads can hang.
    context = multiprocessing.get_context("spawn")
    num_workers = os.cpu_count() or 1
    with concurrent.futures.ProcessPoolExecutor(
        num_workers, context, initializer=_begin_worker
    ) as executor:
        waiting = deque()
        try:
            for job in jobs:
                with _interrupts_held_back():
                    waiting.append(executor.submit(_load, load, job))
                if len(waiting) >= 8 * num_workers:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()


@contextlib.contextmanager
def _interrupts_held_back():
    """Ctrl-C reaches every process of a terminal: workers begun in here ignore it."""
    if not hasattr(signal, "pthread_sigmask"):
        yield  # not on Windows
        return
    received = []
    is_main = threading.current_thread() is threading.main_thread()
    if is_main:
        # Another thread may take the signal, and Python then raises it in this one.
        previous = signal.signal(signal.SIGINT, lambda *_: received.append(True))
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
        if is_main:
            signal.signal(signal.SIGINT, previous)
    if received:
        signal.raise_signal(signal.SIGINT)


def _begin_worker():
    def end_with_parent():
        # A parent that is killed tells nobody, and its workers would wait for ever.
        multiprocessing.parent_process().join()
        os._exit(1)

    threading.Thread(target=end_with_parent, daemon=True).start()


def _load(load, job):
    try:
        loaded = load(job)
        return loaded, loaded.filename, None
    except images.UnreadableImage as error:
        return None, str(job[-1]), str(error)


# The embedded dataset.


def _synthetic_source(config):
    num_test = max(1, round(config.synthetic_images / 10))
    size = config.resolved_synthetic_size

    def jobs(stream, coat, number):
        return Split(
            number, [(config.data_seed, stream, i, coat, size) for i in range(number)]
        )

    def splits():
        return {
            "trainA": jobs(0, "brown", config.synthetic_images),
            "trainB": jobs(1, "striped", config.synthetic_images),
            # The same scenes in both coats.
            "testA": jobs(2, "brown", num_test),
            "testB": jobs(2, "striped", num_test),
        }

    identity = {
        "kind": "synthetic",
        "version": drawing.VERSION,
        "seed": config.data_seed,
        "images": config.synthetic_images,
        "size": size,
    }
    return Source(SYNTHETIC, identity, splits, _draw, is_paired=True)


def _draw(job):
    seed, stream, index, coat, size = job
    picture = drawing.draw((seed, stream, index), coat, size)
    is_test = stream == 2
    mask = images.encode_png(picture.mask).encoded if is_test else b""
    return Loaded(images.encode_png(picture.image), f"{coat}-{index:05d}.png", mask)


# Folders.


def _folder_source(path, config):
    path = path.resolve()
    if not path.name:
        raise InputError(f"--dataset {path}: name a folder below the root.")
    files = _split_files(path, config.data_seed)
    listing = hashlib.sha256()
    for split in SPLITS:
        for file in files[split]:
            listing.update(os.fsencode(f"{split}\0{file}\0{_stamp(file)}\0"))
    identity = {
        "kind": "folder",
        "path": str(path).encode("utf-8", "backslashreplace").decode(),
        "seed": config.data_seed,
        "listing": listing.hexdigest(),
    }

    def splits():
        return {
            split: Split(
                len(files[split]), [(f, _name_in(f, path)) for f in files[split]]
            )
            for split in SPLITS
        }

    return Source(config.dataset_name, identity, splits, _read_file)


def _split_files(path, seed):
    """Image files per split, from either layout."""
    if (path / "trainA").is_dir() or (path / "trainB").is_dir():
        files = {split: image_files(path / split) for split in SPLITS}
        names = ("trainA", "trainB")
    elif (path / "A").is_dir() or (path / "B").is_dir():
        files = {}
        for domain in "AB":
            train, test = _hold_out(image_files(path / domain), seed)
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
                f"{path / name} {found}; expected JPEG, PNG, WebP, BMP or GIF files "
                f"of one domain in it."
            )
    return files


def image_files(folder: pathlib.Path) -> list[pathlib.Path]:
    """Files below a folder that are named like images, sorted; none that are hidden.

    Links to files are followed wherever they lead, links to folders are not.
    """
    found = []
    # Not os.walk, which passes over what it cannot read without a word, and before
    # Python 3.12 ends with an error where folders are nested a thousand times.
    folders = [str(folder)]
    while folders:
        try:
            with os.scandir(folders.pop()) as entries:
                seen = [entry for entry in entries if not entry.name.startswith(".")]
        except OSError as error:
            if error.filename != str(folder):
                say(f"skipped the folder {error.filename}: {error.strerror}")
            continue
        for entry in seen:
            if entry.is_dir(follow_symlinks=False):
                folders.append(entry.path)
            elif os.path.isdir(entry.path):
                say(f"skipped {entry.path}: links to folders are not followed")
            elif os.path.splitext(entry.name)[1].lower() in images.SUFFIXES:
                found.append(pathlib.Path(entry.path))
    return sorted(found)


def _stamp(file):
    """Changes when the file does."""
    try:
        status = file.stat()
    except OSError:
        return "none"  # vanished, or a link to nowhere
    return f"{status.st_size}\0{status.st_mtime_ns}"


def _hold_out(files, seed):
    """A random tenth of the files as test images; at least one image stays to train."""
    number = min(round(len(files) * HOLDOUT_SHARE), MAX_HOLDOUT)
    if len(files) > 1:
        number = max(1, number)
    order = np.random.default_rng(seed).permutation(len(files))
    held_out = set(order[:number].tolist())
    train = [file for i, file in enumerate(files) if i not in held_out]
    return train, [files[i] for i in sorted(held_out)]


def _name_in(file, root):
    return file.relative_to(root).as_posix()


def _read_file(job):
    file, name = job
    return Loaded(images.normalize(images.read_file(file)), name)


# TensorFlow Datasets.


def _tfds_source(config):
    name = config.dataset
    identity = {"kind": "tfds", "name": name}

    def splits():
        import tensorflow_datasets as tfds

        builder = _tfds_builder(config)
        decoders = {"image": tfds.decode.SkipDecoding()}
        read_config = tfds.ReadConfig(add_tfds_id=True)

        def examples(split):
            dataset = builder.as_dataset(
                split=split, decoders=decoders, read_config=read_config
            )
            for example in tfds.as_numpy(dataset):
                yield bytes(example["image"]), example["tfds_id"].decode()

        return {
            split: Split(builder.info.splits[split].num_examples, examples(split))
            for split in SPLITS
        }

    return Source(name, identity, splits, _normalize_example)


def _normalize_example(job):
    data, name = job
    return Loaded(images.normalize(data), name)


def _tfds_builder(config):
    """The prepared builder; downloads it where that is needed and possible."""
    import requests
    import tensorflow_datasets as tfds

    name, data_dir = config.dataset, config.tfds_data_dir
    if data_dir is not None:
        data_dir = pathlib.Path(data_dir).expanduser()
        if not data_dir.is_dir():
            raise InputError(f"--tfds-data-dir {data_dir}: no such directory.")
    try:
        builder = tfds.builder(name, data_dir=data_dir)
    except (ValueError, ImportError, OSError) as error:
        reason = str(error).splitlines()[0]
        raise InputError(
            f"--dataset {name}: no such folder, and TFDS cannot load it ({reason})."
        ) from None
    if not builder.info.splits:
        _require_network(name, builder)
        try:
            builder.download_and_prepare()
        except (requests.RequestException, tfds.download.DownloadError) as error:
            raise InputError(
                f"--dataset {name}: the download failed "
                f"({type(error).__name__}); run the command again to retry."
            ) from None
    missing = [split for split in SPLITS if split not in builder.info.splits]
    if missing:
        raise InputError(
            f"--dataset {name} has no split {missing[0]}; expected the four splits "
            f"{', '.join(SPLITS)}."
        )
    if "image" not in (builder.info.features or {}):
        raise InputError(f"--dataset {name} has no feature 'image'.")
    return builder


def _require_network(name, builder):
    """Fails within seconds where TFDS would retry for minutes."""
    import requests

    urls = sorted(builder.url_infos)
    config_name = (
        builder.builder_config.name if builder.builder_config else builder.name
    )
    urls = [url for url in urls if config_name in url] or urls
    if not urls:
        return
    try:
        requests.head(urls[0], timeout=NETWORK_TIMEOUT, allow_redirects=False)
    except requests.RequestException as error:
        raise InputError(
            f"--dataset {name}: it is not in {builder.data_dir} and its server "
            f"cannot be reached ({type(error).__name__}); give a prepared directory "
            f"with --tfds-data-dir, or a folder of images with --dataset."
        ) from None

"""TensorFlow Datasets: downloaded and prepared by TFDS, or prepared already."""

import pathlib
import re

from cyclegan_tf.common.errors import InputError, reason_of
from cyclegan_tf.config import DatasetConfig
from cyclegan_tf.data.picture import Picture
from cyclegan_tf.data.sources.source import SPLITS, Job, Source, Split

NAME = re.compile(r"[a-z0-9_]+(/[\w.\-+]+)*(:[\w.*]+)?")
# Features with the name of a picture's file, which few datasets have.
FILE_NAMES = ("image/filename", "filename", "file_name", "image/file_name")
# What TFDS calls an example otherwise: its place in a shard, or in the split.
ID = re.compile(rf".+-({'|'.join(SPLITS)})(?:\.\w+-(\d+)-of-(\d+))?__(\d+)")
PAPERS = (
    *("apple2orange", "summer2winter_yosemite", "horse2zebra", "monet2photo"),
    *("cezanne2photo", "ukiyoe2photo", "vangogh2photo", "maps", "facades"),
    "iphone2dslr_flower",
)
NETWORK_TIMEOUT = 8  # seconds to connect, and again to answer


def find(config: DatasetConfig) -> Source | None:
    """The dataset of that name, if TFDS has one; nothing is downloaded before `open`.

    Raises `InputError` if TFDS has it but cannot load it.
    """
    if not may_have(config):
        return None
    import tensorflow_datasets as tfds

    name, data_dir = config.dataset_name, config.tfds_data_dir
    place = data_dir and _local(data_dir)
    try:
        builder = tfds.builder(name, data_dir=place)
    except Exception as error:  # of nearly any type where what was prepared is damaged
        if place and (place / name).is_dir():
            raise InputError(
                f"--tfds-data-dir {data_dir}: {name} in it is damaged or incomplete "
                f"({type(error).__name__}); prepare it anew."
            ) from None
        if isinstance(error, ValueError):
            return None  # no dataset of that name, or no configuration of it
        reason = (str(error) or type(error).__name__).splitlines()[0]
        raise InputError(f"--dataset {name}: TFDS cannot load it ({reason}).") from None
    identity = {"kind": "tfds", "name": name}
    return Source(name, identity, lambda: _open(builder, name))


def may_have(config: DatasetConfig) -> bool:
    """Whether the name could be one of TFDS; it is not imported, as that takes seconds.

    Raises `InputError` if there is no `--tfds-data-dir`.
    """
    data_dir = config.tfds_data_dir
    if data_dir is not None and not _local(data_dir).is_dir():
        raise InputError(f"--tfds-data-dir {data_dir}: no such directory.")
    return bool(NAME.fullmatch(config.dataset_name))


def _local(data_dir):
    return pathlib.Path(data_dir).expanduser()


def in_words(name: str) -> str:
    """What a reader can look up: of a picture that TFDS calls by its place, that."""
    found = ID.fullmatch(name)
    if not found:
        return name
    split, shard, num_shards, number = found.groups()
    place = f"{split} record {int(number)}"
    return place if num_shards in (None, "00001") else f"{place} of shard {int(shard)}"


def _open(builder, name):
    import numpy as np
    import tensorflow as tf
    import tensorflow_datasets as tfds

    _prepare(builder, name)
    feature = builder.info.features["image"]
    if len(feature.shape or ()) not in (2, 3):
        raise InputError(
            f"--dataset {name}: its feature image has the shape {feature.shape}; "
            f"expected pictures (height, width, channels)."
        )
    is_file = isinstance(feature, tfds.features.Image) and feature.np_dtype in (
        np.uint8,
        np.uint16,
    )
    # The floats of an Image are stored as a PNG of their bytes, so TFDS decodes them.
    decoders = {"image": tfds.decode.SkipDecoding()} if is_file else None
    # These have no tf.data pipeline.
    has_random_access = builder.info.file_format.value == "array_record"
    file_name = next((x for x in FILE_NAMES if x in builder.info.features), None)
    named = _named_at_random if has_random_access else _named_in_order

    def jobs(split):
        try:
            for example, called in named(builder, split, decoders):
                if file_name is not None:
                    own = tf.compat.as_str_any(example[file_name])
                    called = f"{split}/{own}" if own else called
                image = example["image"]
                content = bytes(image) if is_file else Picture(np.atleast_3d(image))
                yield Job(called, content)
        except tf.errors.OpError as error:
            raise InputError(
                f"--dataset {name}: {builder.data_dir} is damaged or incomplete "
                f"({reason_of(error)}); prepare it anew."
            ) from None

    return {
        split: Split(builder.info.splits[split].num_examples, jobs(split))
        for split in SPLITS
    }


def _named_in_order(builder, split, decoders):
    import tensorflow_datasets as tfds

    read_config = tfds.ReadConfig(add_tfds_id=True)
    dataset = builder.as_dataset(
        split=split, decoders=decoders, read_config=read_config
    )
    for example in tfds.as_numpy(dataset):
        yield example, example["tfds_id"].decode()


def _named_at_random(builder, split, decoders):
    examples = builder.as_data_source(split=split, decoders=decoders)
    for index, example in enumerate(examples):
        yield example, f"{builder.name}-{split}__{index}"


def _prepare(builder, name):
    """Downloads the dataset where that is needed and possible."""
    import requests
    import tensorflow_datasets as tfds

    if not builder.info.splits:
        _require_network(builder, name)
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


def _require_network(builder, name):
    """Fails within seconds where TFDS would retry for minutes."""
    import requests

    part = builder.builder_config.name if builder.builder_config else builder.name
    urls = sorted(builder.url_infos)
    urls = [url for url in urls if part in url] or urls
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

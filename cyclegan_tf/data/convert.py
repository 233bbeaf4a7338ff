"""From a source to TFRecord shards on disk, once.

A dataset is a directory `<data_dir>/<name>/` of shards
`{trainA,trainB,testA,testB}-0000i-of-0000n.tfrecord` and a `dataset.json` that says
what they are. It is written aside and renamed, so it is there whole or not at all.
"""

import concurrent.futures.process
import hashlib
import pathlib
from typing import Any

import tensorflow as tf

from cyclegan_tf.common import checksums, files
from cyclegan_tf.common.console import progress_bar, say
from cyclegan_tf.common.errors import InputError
from cyclegan_tf.common.files import folder_written_aside, locked, mend
from cyclegan_tf.config import DatasetConfig
from cyclegan_tf.data import records
from cyclegan_tf.data.loading import load_in_order
from cyclegan_tf.data.sources import SPLITS, Source, find_source

MANIFEST = "dataset.json"
EXAMPLES_PER_SHARD = 512
MAX_UNREADABLE_SHARE = 0.05


def ensure_dataset(config: DatasetConfig) -> pathlib.Path:
    """Converts the dataset unless that has been done; returns its directory.

    Raises:
        InputError: the source cannot be used, or the directory is not ours.
    """
    data_dir = pathlib.Path(config.data_dir).expanduser()
    existing = data_dir / config.dataset
    # A converted dataset can be used where its source cannot be reached, but the
    # embedded one follows its flags.
    is_folder = pathlib.Path(config.dataset).expanduser().is_dir()
    if not is_folder and _made_from(existing).get("kind") not in (None, "synthetic"):
        return existing
    source = find_source(config)
    directory = data_dir / source.name
    directory.parent.mkdir(parents=True, exist_ok=True)
    lock = directory.with_name(f".{directory.name}.lock")
    waiting = f"waiting for another process that is converting {directory}"
    with locked(lock, waiting):
        mend(directory)  # of a conversion that was killed
        made_from = _made_from(directory)
        if all(made_from.get(key) == part for key, part in source.identity.items()):
            return directory
        if directory.exists():
            _require_replaceable(directory, made_from, source)
        with folder_written_aside(directory) as aside:
            _convert(source, aside)
    return directory


def read_manifest(directory: pathlib.Path) -> dict[str, Any]:
    """The content of a dataset's `dataset.json`.

    Raises:
        InputError: it is missing, damaged, or of another schema version, or a file
            of the dataset is a link.
    """
    path = directory / MANIFEST
    checksums.require_no_links(directory)
    again = f"delete {directory} and run again to convert anew"
    try:
        manifest = files.read_json(path, again)
        if manifest["schema_version"] != records.SCHEMA_VERSION:
            raise InputError(f"{path} has another schema version; {again}.")
        for split in SPLITS:
            for shard in manifest["splits"][split]["shards"]:
                if pathlib.PurePath(shard["file"]).name != shard["file"]:
                    raise InputError(f"{path} names a file outside its directory.")
                shard["count"], shard["sha256"]
        manifest["source"]["kind"], manifest["fingerprint"], manifest["is_paired"]
    except FileNotFoundError:
        raise InputError(f"{path} is missing.") from None
    except (ValueError, KeyError, TypeError) as error:
        reason = f"{type(error).__name__}: {error}"
        raise InputError(f"{path} is damaged ({reason}); {again}.") from None
    return manifest


def _made_from(directory):
    """What a converted dataset was made from; empty where there is none."""
    if not (directory / MANIFEST).is_file():
        return {}
    return read_manifest(directory)["source"]


def _require_replaceable(directory, made_from, source):
    """Only what this program made from the same source may be replaced."""
    if not made_from:
        if not directory.is_dir() or any(directory.iterdir()):
            raise InputError(
                f"{directory} exists but has no {MANIFEST}, so it was not made by this "
                f"program; move it away or choose another --data-dir."
            )
        return
    before = made_from["kind"], made_from.get("path")
    if before != (source.identity["kind"], source.path):
        raise InputError(
            f"{directory} was made from other images ({before[1] or before[0]}) than "
            f"those of {source.path or source.name}; delete it or choose another "
            f"--data-dir."
        )
    say(f"{directory}: its source or options have changed, converting again")


def _convert(source: Source, directory: pathlib.Path) -> None:
    splits = source.open()
    try:
        total = sum(split.count for split in splits.values())
        written = {}
        with progress_bar(total, f"converting {source.name}", " images") as bar:
            results = load_in_order(source.load, splits.values())
            for name, split in splits.items():
                written[name] = _write_split(directory, name, split.count, results, bar)
        num_unreadable = sum(split["unreadable"] for split in written.values())
        if num_unreadable:
            say(f"{num_unreadable} of {total} images could not be used (named above)")
        files.write_json(directory / MANIFEST, _manifest(source, written))
    except concurrent.futures.process.BrokenProcessPool:
        raise InputError(
            f"--dataset {source.name}: a worker process died, most likely for lack of "
            f"memory; remove very large images or free memory, and run again."
        ) from None
    except tf.errors.OpError as error:
        raise InputError(f"--dataset {source.name}: {error.message}") from None


def _manifest(source, written):
    digests = [s["sha256"] for name in SPLITS for s in written[name]["shards"]]
    return {
        "schema_version": records.SCHEMA_VERSION,
        "name": source.name,
        "source": source.identity | ({"path": source.path} if source.path else {}),
        "is_paired": source.is_paired,
        "fingerprint": hashlib.sha256("".join(digests).encode()).hexdigest(),
        "splits": written,
    }


def _write_split(directory, split, count, results, bar):
    """Writes the next `count` results to shards; returns the manifest's entry."""
    num_shards = -(-count // EXAMPLES_PER_SHARD)
    shards, unreadable = [], 0
    for i in range(num_shards):
        path = directory / f"{split}-{i:05d}-of-{num_shards:05d}.tfrecord"
        num_written = 0
        with tf.io.TFRecordWriter(str(path)) as writer:
            for _ in range(min(EXAMPLES_PER_SHARD, count - i * EXAMPLES_PER_SHARD)):
                loaded, name, problem = next(results)
                problem = problem or _why_undecodable(loaded)
                if problem:
                    unreadable += 1
                    say(f"skipped {name}: {problem}")
                    _require_few(unreadable, count, split, name, problem)
                else:
                    writer.write(records.serialize(*loaded))
                    num_written += 1
                bar.update()
        digest = checksums.file_digest(path)
        shards.append({"file": path.name, "count": num_written, "sha256": digest})
    return {"count": count - unreadable, "unreadable": unreadable, "shards": shards}


def _require_few(unreadable, count, split, name, problem):
    if unreadable > MAX_UNREADABLE_SHARE * count:
        raise InputError(
            f"{unreadable} of {count} images of {split} cannot be used, more than "
            f"{MAX_UNREADABLE_SHARE:.0%}; the last one is {name} ({problem}). Remove "
            f"or mend the files named above."
        )


def _why_undecodable(loaded):
    """What the training would decode is decoded once here, to be sure of it."""
    try:
        records.decode(loaded.image.encoded)
    except (tf.errors.OpError, ValueError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        return f"TensorFlow cannot decode it ({reason})"
    return None

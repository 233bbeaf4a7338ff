"""From a source to TFRecord shards on disk, once.

A dataset is a directory `<data_dir>/<name>/`, see `shards`. It is written aside and
renamed, so it is there whole or not at all; a conversion that was ended goes on after
the last shard that was finished.
"""

import collections
import concurrent.futures.process
import dataclasses
import hashlib
import itertools
import pathlib
import shutil

import numpy as np
import tensorflow as tf

from cyclegan_tf.common import checksums, files
from cyclegan_tf.common.console import progress_bar, say
from cyclegan_tf.common.errors import InputError
from cyclegan_tf.common.files import locked, mend
from cyclegan_tf.config import DatasetConfig
from cyclegan_tf.data import check, journal, records
from cyclegan_tf.data.dataset import INDEX, MANIFEST, SCHEMA_VERSION, read_manifest
from cyclegan_tf.data.domain import Domain, Domains
from cyclegan_tf.data.forms import common_form, default_domain
from cyclegan_tf.data.loading import NUM_WORKERS, in_order, load_in_order
from cyclegan_tf.data.sources import SPLITS, find_source
from cyclegan_tf.data.sources.folder import is_on_disk

SHARD_BYTES = 150 * 10**6  # TensorFlow's advice: 100 to 200 megabytes
MAX_UNREADABLE_SHARE = 0.05
MAX_NOTES = 9  # that differ, of what was left out of files


def ensure_dataset(config: DatasetConfig, check_anyway: bool = False) -> pathlib.Path:
    """Converts the dataset unless that has been done; returns its directory.

    What has just been converted is checked, see `check`; but not the embedded datasets,
    which are drawn.

    Args:
        config: which images.
        check_anyway: also where they had been converted before, or are drawn.

    Raises:
        InputError: the source cannot be used, or the directory is not ours.
    """
    directory, is_new = _ensured(config)
    if check_anyway or (is_new and _made_from(directory)["kind"] != "synthetic"):
        check.tell(directory)
    return directory


def _ensured(config):
    """The dataset's directory, and whether it has been made just now."""
    data_dir = pathlib.Path(config.data_dir).expanduser()
    existing = data_dir / config.dataset_name
    # A converted dataset can be used where its source cannot be reached, but the
    # embedded one follows its flags.
    made_from = {} if is_on_disk(config) else _made_from(existing)
    is_current = made_from.get("schema_version") == SCHEMA_VERSION
    if is_current and made_from["kind"] != "synthetic":
        return existing, False
    try:
        source = find_source(config)
    except InputError as error:
        if not made_from:
            raise
        raise InputError(
            f"{existing} is of an earlier version of this program, and its source, to "
            f"convert it anew, cannot be reached: {error}"
        ) from None
    directory = data_dir / source.name
    directory.parent.mkdir(parents=True, exist_ok=True)
    lock = directory.with_name(f".{directory.name}.lock")
    waiting = f"waiting for another process that is converting {directory}"
    with locked(lock, waiting):
        mend(directory)  # of a process that was killed when it was done
        made_from = _made_from(directory)
        identity = source.identity | {"schema_version": SCHEMA_VERSION}
        if identity.items() <= made_from.items():
            return directory, False
        if directory.exists():
            _require_replaceable(directory, made_from, source)
        unfinished = directory.with_name(f".unfinished-{directory.name[-60:]}")
        if not identity.items() <= _made_from(unfinished).items():
            _convert(source, identity, unfinished)
        (unfinished / journal.NAME).unlink(missing_ok=True)
        files.put_in_place(unfinished, directory)
        mend(directory)
    return directory, True


def _made_from(directory):
    """What a converted dataset was made from; empty where there is none."""
    if not (directory / MANIFEST).is_file():
        return {}
    manifest = read_manifest(directory, any_version=True)
    return manifest["source"] | {"schema_version": manifest["schema_version"]}


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
    is_current = made_from["schema_version"] == SCHEMA_VERSION
    changed = "source or options have" if is_current else "format has"
    say(f"{directory}: its {changed} changed, converting again")


def _convert(source, identity, directory):
    """Writes what a directory lacks of a dataset."""
    finished = journal.finished_shards(directory, identity)
    try:
        splits = source.open()
        done = {name: sum(s["images"] for s in finished[name]) for name in splits}
        total = sum(split.count for split in splits.values())
        num_done = sum(done.values())
        if num_done:
            say(f"{source.name}: going on after {num_done} of {total} images")
        jobs = itertools.chain.from_iterable(
            itertools.islice(split.jobs, done[name], None)
            for name, split in splits.items()
        )
        loaded = load_in_order(source.load, jobs, total - num_done)
        what = f"converting {source.name}"
        with (
            concurrent.futures.ThreadPoolExecutor(NUM_WORKERS) as threads,
            progress_bar(total, what, " images", num_done) as bar,
        ):
            results = in_order(threads, _serialize, loaded)
            for name, split in splits.items():
                _write_split(directory, name, split.count, finished, results, bar)
        _write_manifest(directory, source, splits, finished)
    except concurrent.futures.process.BrokenProcessPool:
        raise InputError(
            f"--dataset {source.name}: a worker process died, most likely for lack of "
            f"memory; remove very large images or free memory, and run again."
        ) from None
    except tf.errors.OpError as error:
        raise InputError(f"--dataset {source.name}: {error.message}") from None
    except InputError:
        shutil.rmtree(directory, ignore_errors=True)
        raise


def _write_split(directory, split, count, finished, results, bar):
    """Writes the `results` of a split to shards, and adds them to the finished ones."""
    lines = finished[split]
    done = sum(line["images"] for line in lines)
    unreadable = done - sum(len(line["lengths"]) for line in lines)
    while done < count:
        path = directory / f"{split}-{len(lines):05d}.tfrecord"
        keys = ("lengths", "sizes", "forms", "values")
        line = {"split": split, "notes": {}} | {key: [] for key in keys}
        num_bytes, before = 0, done
        with tf.io.TFRecordWriter(str(path)) as writer:
            while done < count and num_bytes < SHARD_BYTES:
                serialized, image, name, problem = next(results)
                done += 1
                bar.update()
                if problem:
                    unreadable += 1
                    say(f"skipped {name}: {problem}")
                    _require_few(unreadable, count, split, name, problem)
                    continue
                writer.write(serialized)
                line["lengths"].append(len(serialized))
                num_bytes += len(serialized) + records.OVERHEAD
                _note(line, image, name, finished)
        if not line["lengths"]:
            path.unlink()
            return
        files.sync(path)
        shard = {"file": path.name, "count": len(line["lengths"]), "bytes": num_bytes}
        shard["sha256"] = checksums.file_digest(path)
        lines.append(line | {"images": done - before, "shard": shard})
        journal.add(directory, lines[-1])


def _note(line, image, name, finished):
    """Adds to the journal's line of a shard what an image is like."""
    line["sizes"].append([image.height, image.width])
    low, high = line["values"] or (image.low, image.high)
    line["values"] = [min(low, image.low), max(high, image.high)]
    if image.note:
        count, first = line["notes"].get(image.note, (0, name))
        line["notes"][image.note] = count + 1, first
    form = [image.channels, image.dtype]
    if form not in [known[:2] for known in line["forms"]]:
        line["forms"].append([*form, name])
        domain = line["split"][-1]
        # Now, and not when all is converted.
        common_form(domain, _forms_of(domain, finished, line))


def _forms_of(domain, finished, *more):
    """A name of an image by each form that a domain's images have."""
    lines = [x for split in SPLITS if split[-1] == domain for x in finished[split]]
    return {
        (channels, dtype): name
        for line in (*more, *lines)
        for channels, dtype, name in line["forms"]
    }


def _write_manifest(directory, source, splits, finished):
    written, index = {}, {}
    for name, split in splits.items():
        lines = finished[name]
        index[name] = np.array([x for line in lines for x in line["lengths"]], int)
        sizes = [size for line in lines for size in line["sizes"]]
        index[f"{name}_sizes"] = np.array(sizes, int).reshape(-1, 2)
        count, shards = len(sizes), [line["shard"] for line in lines]
        unreadable = split.count - count
        written[name] = {"count": count, "unreadable": unreadable, "shards": shards}
    num_unreadable = sum(split["unreadable"] for split in written.values())
    if num_unreadable:
        total = sum(split.count for split in splits.values())
        say(f"{num_unreadable} of {total} images could not be used (named above)")
    _say_notes(line["notes"] for name in SPLITS for line in finished[name])
    np.savez(directory / INDEX, **index)
    digests = [s["sha256"] for name in SPLITS for s in written[name]["shards"]]
    manifest = {
        "schema_version": SCHEMA_VERSION,
        "name": source.name,
        "source": source.identity | ({"path": source.path} if source.path else {}),
        "is_paired": source.is_paired,
        "domains": {
            name: dataclasses.asdict(_domain_of(name.upper(), finished))
            for name in Domains._fields
        },
        "fingerprint": hashlib.sha256("".join(digests).encode()).hexdigest(),
        "index_sha256": checksums.file_digest(directory / INDEX),
        "splits": written,
    }
    files.write_json(directory / MANIFEST, manifest)


def _say_notes(notes):
    """Says of how many files what was left out or changed."""
    counts, firsts = collections.Counter(), {}
    for note, (count, first) in itertools.chain.from_iterable(x.items() for x in notes):
        counts[note] += count
        firsts.setdefault(note, first)
    for note, count in counts.most_common(MAX_NOTES):
        say(f"of {count} files: {note} (such as {firsts[note]})")
    if rest := counts.total() - sum(n for _, n in counts.most_common(MAX_NOTES)):
        say(f"of {rest} files likewise other pages or bands")


def _domain_of(domain, finished):
    form = common_form(domain, _forms_of(domain, finished))
    lines = finished[f"train{domain}"]
    low, high = zip(*(line["values"] for line in lines), strict=True)
    return default_domain(domain, form, min(low), max(high))


def _require_few(unreadable, count, split, name, problem):
    if unreadable > MAX_UNREADABLE_SHARE * count:
        raise InputError(
            f"{unreadable} of {count} images of {split} cannot be used, more than "
            f"{MAX_UNREADABLE_SHARE:.0%}; the last one is {name} ({problem}). Remove "
            f"or mend the files named above."
        )


def _serialize(result):
    """The example of what a worker has loaded, decoded once to be sure of it."""
    loaded, name, problem = result
    if problem:
        return None, None, name, problem
    image = loaded.image
    serialized = records.serialize(*loaded)
    try:
        form = Domain(image.channels, image.dtype)
        records.decode(records.parse(serialized), form)
    except (tf.errors.OpError, ValueError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        return None, None, name, f"TensorFlow cannot decode it ({reason})"
    return serialized, image, name, None

"""Writes the images of a source to shards, and a manifest that says what they are."""

import hashlib
import itertools
import pathlib
import shutil
from collections import Counter
from typing import Any

import numpy as np
import tensorflow as tf

from cyclegan_tf.common import checksums, files
from cyclegan_tf.common.console import progress_bar, say
from cyclegan_tf.common.errors import InputError
from cyclegan_tf.data import findings, records
from cyclegan_tf.data.dataset import INDEX, MANIFEST, SCHEMA_VERSION
from cyclegan_tf.data.domain import Domains
from cyclegan_tf.data.forms import common_form, default_domain
from cyclegan_tf.data.images import without_warnings
from cyclegan_tf.data.loading import load_in_order
from cyclegan_tf.data.looks import LOOK
from cyclegan_tf.data.parts import PARTS, ROW, SHARD, Part, finished_parts
from cyclegan_tf.data.sources import SPLITS, Source

SHARD_BYTES = 150 * 10**6  # TensorFlow's advice: 100 to 200 megabytes
MAX_UNREADABLE_SHARE = 0.05
MAX_NOTES = 9  # that differ, of what was left out of files


def write_shards(source: Source, directory: pathlib.Path) -> dict[str, Any]:
    """Writes what a directory lacks of a dataset; returns its manifest.

    Raises `InputError` if the source has too few images that can be used, or images
    that cannot be in one domain; then nothing is left.
    """
    identity = source.identity | {"schema_version": SCHEMA_VERSION}
    parts = finished_parts(directory, identity)
    try:
        splits = source.open()
        done = {x: sum(len(part.rows) for part in parts[x]) for x in splits}
        total = sum(split.count for split in splits.values())
        if num_done := sum(done.values()):
            say(f"{source.name}: going on after {num_done} of {total} images")
        jobs = itertools.chain.from_iterable(
            itertools.islice(split.jobs, done[name], None)
            for name, split in splits.items()
        )
        what = f"converting {source.name}"
        with without_warnings(), progress_bar(total, what, " images", num_done) as bar:
            results = load_in_order(jobs)
            for name, split in splits.items():
                _write_split(directory, name, split.count, results, parts, bar)
        manifest = _write_manifest(source, splits, directory, parts)
    except tf.errors.OpError as error:
        raise InputError(f"--dataset {source.name}: {error.message}") from None
    except InputError:
        shutil.rmtree(directory, ignore_errors=True)
        raise
    shutil.rmtree(directory / PARTS)
    return manifest


def _write_split(directory, split, count, results, parts, bar):
    """Writes the results of a split to shards, and adds them to the finished parts."""
    finished = parts[split]
    unreadable = sum(len(part.rows) - len(part.images) for part in finished)
    left = count - sum(len(part.rows) for part in finished)
    while left:
        path = directory / SHARD.format(split, len(finished))
        none = np.empty(0, ROW), np.empty(0, LOOK)
        part, rows, looks = Part({"file": path.name}, *none), [], []
        num_bytes = num_nodata = 0
        with tf.io.TFRecordWriter(str(path)) as writer:
            while left and num_bytes < SHARD_BYTES:
                if (done := next(results, None)) is None:
                    raise InputError(
                        f"{split}: its files have become fewer; run again."
                    )
                left -= 1
                bar.update()
                size = (done.image.height, done.image.width) if done.image else (0, 0)
                rows.append((done.digest.ljust(16, b"\0"), len(done.serialized), size))
                if done.problem:
                    unreadable += 1
                    say(f"skipped {done.name}: {done.problem}")
                    _require_few(unreadable, count, split, done)
                    continue
                writer.write(done.serialized)
                num_bytes += len(done.serialized) + records.OVERHEAD
                looks.append(done.look)
                num_nodata += bool(done.image.valid)
                if part.note(done):
                    # Now, and not when all is converted.
                    common_form(split[-1], _forms_of(split[-1], parts, part))
        if not looks:
            path.unlink()
            if finished:  # the digests of its files are the dataset's, too
                finished[-1].rows = np.append(finished[-1].rows, np.array(rows, ROW))
                finished[-1].save(directory)
            return
        files.sync(path)
        part.rows, part.looks = np.array(rows, ROW), np.array(looks, LOOK)
        part.shard |= {"count": len(looks), "bytes": num_bytes, "nodata": num_nodata}
        part.shard["sha256"] = checksums.file_digest(path)
        part.save(directory)
        finished.append(part)


def _forms_of(domain, parts, *more):
    """A name of an image by each form that a domain's images have."""
    others = itertools.chain(parts[f"train{domain}"], parts[f"test{domain}"])
    return {
        (channels, dtype): name
        for part in (*more, *others)
        for channels, dtype, name in part.forms
    }


def _write_manifest(source, splits, directory, parts):
    index, looks, levels, written = {}, {}, {}, {}
    for name, split in splits.items():
        images = [part.images for part in parts[name]]
        images = np.concatenate([np.empty(0, ROW), *images])
        index[name], index[f"{name}_sizes"] = images["length"], images["size"]
        seen = [part.looks for part in parts[name]]
        looks[name], levels[name] = np.concatenate([np.empty(0, LOOK), *seen]), None
        for part in parts[name]:
            levels[name] = part.levels.joined(levels[name])
        written[name] = {
            "count": len(images),
            "unreadable": split.count - len(images),
            "shards": [part.shard for part in parts[name]],
        }
    _tell_of_parts(splits, parts, written)
    np.savez(directory / INDEX, **index)
    for domain in "AB":
        if not written[f"train{domain}"]["count"]:
            raise InputError(f"domain {domain} has no training images.")
    forms = {x: common_form(x, _forms_of(x, parts)) for x in "AB"}
    domains = Domains(
        *(default_domain(x, forms[x], *levels[f"train{x}"][:2]) for x in "AB")
    )
    found = findings.examine(looks, levels, domains)
    files.write_json(directory / findings.FOUND, found)
    every = [part for split in SPLITS for part in parts[split]]
    sums = (part.shard["sha256"] for part in every)
    digests = itertools.chain(*(part.rows["digest"].tolist() for part in every))
    contents = b"".join(filter(any, digests))  # of what could be read
    manifest = {
        "schema_version": SCHEMA_VERSION,
        "name": source.name,
        "source": source.identity | ({"path": source.path} if source.path else {}),
        "content": {
            "sizes": source.sizes,
            "sha256": hashlib.sha256(contents).hexdigest(),
        },
        "is_paired": source.is_paired,
        "domains": {x: domain.form() for x, domain in domains._asdict().items()},
        "fingerprint": hashlib.sha256("".join(sums).encode()).hexdigest(),
        "index_sha256": checksums.file_digest(directory / INDEX),
        "splits": written,
    }
    files.write_json(directory / MANIFEST, manifest)
    return manifest


def _tell_of_parts(splits, parts, written):
    """Says how many files were not used, or not as a whole."""
    if num_unreadable := sum(split["unreadable"] for split in written.values()):
        total = sum(split.count for split in splits.values())
        say(f"{num_unreadable} of {total} images could not be used (named above)")
    counts, firsts = Counter(), {}
    for part in itertools.chain(*parts.values()):
        for note, (count, first) in part.notes.items():
            counts[note] += count
            firsts.setdefault(note, first)
    for note, count in counts.most_common(MAX_NOTES):
        say(f"of {count} files: {note} (such as {firsts[note]})")
    if rest := counts.total() - sum(n for _, n in counts.most_common(MAX_NOTES)):
        say(f"of {rest} files likewise other pages or bands")


def _require_few(unreadable, count, split, last):
    if unreadable > MAX_UNREADABLE_SHARE * count:
        raise InputError(
            f"{unreadable} of {count} images of {split} cannot be used, more than "
            f"{MAX_UNREADABLE_SHARE:.0%}; the last one is {last.name} "
            f"({last.problem}). Remove or mend the files named above."
        )

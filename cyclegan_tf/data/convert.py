"""From a source to TFRecord shards on disk, once.

A dataset is a directory `<data_dir>/<name>/`, or of a later version of the images one
beside it, see `versions`. It is written aside and renamed, so it is there whole or not
at all; a conversion that was ended goes on after the last shard that was finished.
"""

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
from cyclegan_tf.common.files import locked
from cyclegan_tf.config import DatasetConfig
from cyclegan_tf.data import check, findings, journal, records, versions
from cyclegan_tf.data.copies import LOOK
from cyclegan_tf.data.dataset import INDEX, MANIFEST, SCHEMA_VERSION
from cyclegan_tf.data.domain import Domains
from cyclegan_tf.data.forms import common_form, default_domain
from cyclegan_tf.data.images import without_warnings
from cyclegan_tf.data.loading import Levels, load_in_order
from cyclegan_tf.data.sources import SPLITS, Source, find_source
from cyclegan_tf.data.sources.folder import is_on_disk

SHARD_BYTES = 150 * 10**6  # TensorFlow's advice: 100 to 200 megabytes
MAX_UNREADABLE_SHARE = 0.05


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
    if check_anyway or (is_new and (directory / findings.FOUND).exists()):
        check.tell(directory)
    return directory


def _ensured(config):
    """The dataset's directory, and whether it has been made just now."""
    data_dir = pathlib.Path(config.data_dir).expanduser()
    # A converted dataset can be used where its source cannot be reached, but the
    # embedded one follows its flags.
    before = [] if is_on_disk(config) else _versions(data_dir, config.dataset_name)
    for version in before:
        if version.is_current and version.manifest["source"]["kind"] != "synthetic":
            return version.directory, False
    try:
        source = find_source(config)
    except InputError as error:
        if not before:
            raise
        raise InputError(
            f"{before[0].directory} is of an earlier version of this program, and its "
            f"source, to convert it anew, cannot be reached: {error}"
        ) from None
    looked_at = _versions(data_dir, source.name)
    directory = versions.version_of(source, looked_at)
    if directory:
        return directory, False
    first = data_dir / source.name
    first.parent.mkdir(parents=True, exist_ok=True)
    waiting = f"waiting for another process that is converting {first}"
    with locked(first.with_name(f".{first.name}.lock"), waiting):
        # Another process may have converted it meanwhile.
        before = _versions(data_dir, source.name)
        new = [version for version in before if version not in looked_at]
        directory = versions.version_of(source, new)
        if directory:
            return directory, False
        directory = versions.place_for(source, data_dir, before)
        unfinished = first.with_name(f".unfinished-{first.name[-60:]}")
        manifest = _convert(source, unfinished)
        journal.clear(unfinished)
        for version in before:
            if version.manifest["fingerprint"] == manifest["fingerprint"]:
                return _adopted(version.directory, unfinished), False
        files.put_in_place(unfinished, directory)
    return directory, True


def _versions(data_dir, name):
    files.mend(data_dir / name)  # which earlier versions of this program replaced
    return versions.versions_of(data_dir, name)


def _adopted(directory, anew):
    """A dataset that was made of the same images, and now says of which files."""
    for name in (findings.FOUND, INDEX, MANIFEST):
        if (anew / name).exists():
            files.write_bytes(directory / name, (anew / name).read_bytes())
    shutil.rmtree(anew, ignore_errors=True)
    say(f"{directory} holds the same images, and is used")
    return directory


@dataclasses.dataclass
class Writing:
    """A conversion: where to, of what, and which shards it has finished, by split."""

    directory: pathlib.Path
    source: Source
    finished: dict

    @property
    def is_drawn(self):
        """Whether nothing need be looked for in the images."""
        return self.source.identity["kind"] == "synthetic"

    def lines(self):
        """Of all finished shards, in their order."""
        return [line for split in SPLITS for line in self.finished[split]]


def _convert(source, directory):
    """Writes what a directory lacks of a dataset; returns its manifest."""
    identity = source.identity | {"schema_version": SCHEMA_VERSION}
    writing = Writing(directory, source, journal.finished_shards(directory, identity))
    try:
        splits = source.open()
        done = {x: sum(s["images"] for s in writing.finished[x]) for x in splits}
        total = sum(split.count for split in splits.values())
        if num_done := sum(done.values()):
            say(f"{source.name}: going on after {num_done} of {total} images")
        jobs = itertools.chain.from_iterable(
            itertools.islice(split.jobs, done[name], None)
            for name, split in splits.items()
        )
        what = f"converting {source.name}"
        with (
            without_warnings(),
            progress_bar(total, what, " images", num_done) as bar,
        ):
            results = load_in_order(source, jobs, with_looks=not writing.is_drawn)
            for name, split in splits.items():
                _write_split(writing, name, split.count, results, bar)
        return _write_manifest(writing, splits)
    except tf.errors.OpError as error:
        raise InputError(f"--dataset {source.name}: {error.message}") from None
    except InputError:
        shutil.rmtree(directory, ignore_errors=True)
        raise


def _write_split(writing, split, count, results, bar):
    """Writes the `results` of a split to shards, and adds them to the finished ones."""
    lines = writing.finished[split]
    done = sum(line["images"] for line in lines)
    unreadable = done - sum(len(line["lengths"]) for line in lines)
    while done < count:
        path = writing.directory / f"{split}-{len(lines):05d}.tfrecord"
        keys = ("lengths", "sizes", "forms", "digests")
        line = {"split": split, "levels": None, "notes": {}} | {key: [] for key in keys}
        num_bytes, before, looks = 0, done, []
        with tf.io.TFRecordWriter(str(path)) as writer:
            while done < count and num_bytes < SHARD_BYTES:
                result = next(results)
                done += 1
                bar.update()
                line["digests"].append(result.digest.hex())
                if result.problem:
                    unreadable += 1
                    say(f"skipped {result.name}: {result.problem}")
                    _require_few(unreadable, count, split, result)
                    continue
                writer.write(result.serialized)
                num_bytes += len(result.serialized) + records.OVERHEAD
                looks += result.looks
                _note(line, result, writing.finished)
        if not line["lengths"]:
            path.unlink()
            return
        files.sync(path)
        shard = {"file": path.name, "count": len(line["lengths"]), "bytes": num_bytes}
        shard["sha256"] = checksums.file_digest(path)
        lines.append(line | {"images": done - before, "shard": shard})
        journal.add(writing.directory, lines[-1], np.array(looks, LOOK))


def _note(line, result, finished):
    """Adds to the journal's line of a shard what an image is like."""
    image = result.image
    line["lengths"].append(len(result.serialized))
    line["sizes"].append([image.height, image.width])
    line["levels"] = result.levels.joined(line["levels"])
    if image.note:
        count, first = line["notes"].get(image.note, (0, result.name))
        line["notes"][image.note] = count + 1, first
    form = [image.channels, image.dtype]
    if form not in [known[:2] for known in line["forms"]]:
        line["forms"].append([*form, result.name])
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


def _write_manifest(writing, splits):
    directory, source, finished = writing.directory, writing.source, writing.finished
    written, index = {}, {}
    for name, split in splits.items():
        lines = finished[name]
        index[name] = np.array([x for line in lines for x in line["lengths"]], int)
        sizes = [size for line in lines for size in line["sizes"]]
        index[f"{name}_sizes"] = np.array(sizes, int).reshape(-1, 2)
        count, shards = len(sizes), [line["shard"] for line in lines]
        unreadable = split.count - count
        written[name] = {"count": count, "unreadable": unreadable, "shards": shards}
    _tell_of_parts(writing, splits, written)
    np.savez(directory / INDEX, **index)
    levels = {name: _levels_of(finished[name]) for name in splits}
    domains = Domains(*(_domain_of(x, finished, levels) for x in "AB"))
    if not writing.is_drawn:
        looks = {name: _looks_of(directory, finished[name]) for name in splits}
        found = findings.examine(looks, levels, domains)
        files.write_json(directory / findings.FOUND, found)
    digests = [s["sha256"] for name in SPLITS for s in written[name]["shards"]]
    contents = b"".join(bytes.fromhex("".join(x["digests"])) for x in writing.lines())
    manifest = {
        "schema_version": SCHEMA_VERSION,
        "name": source.name,
        "source": source.identity | ({"path": source.path} if source.path else {}),
        "content": {"sizes": source.sizes, "sha256": _digest(contents)},
        "is_paired": source.is_paired,
        "domains": {x: domain.form() for x, domain in domains._asdict().items()},
        "fingerprint": _digest("".join(digests).encode()),
        "index_sha256": checksums.file_digest(directory / INDEX),
        "splits": written,
    }
    files.write_json(directory / MANIFEST, manifest)
    return manifest


def _digest(content):
    return hashlib.sha256(content).hexdigest()


def _tell_of_parts(writing, splits, written):
    """Says how many files were not used, or not as a whole."""
    if num_unreadable := sum(split["unreadable"] for split in written.values()):
        total = sum(split.count for split in splits.values())
        say(f"{num_unreadable} of {total} images could not be used (named above)")
    journal.tell_of_notes(writing.lines())


def _looks_of(directory, lines):
    looks = [journal.looks(directory, line) for line in lines]
    return np.concatenate([np.empty(0, LOOK), *looks])


def _levels_of(lines):
    found = None
    for line in lines:
        found = Levels(*line["levels"]).joined(found)
    return found


def _domain_of(domain, finished, levels):
    form = common_form(domain, _forms_of(domain, finished))
    return default_domain(domain, form, *levels[f"train{domain}"][:2])


def _require_few(unreadable, count, split, last):
    if unreadable > MAX_UNREADABLE_SHARE * count:
        raise InputError(
            f"{unreadable} of {count} images of {split} cannot be used, more than "
            f"{MAX_UNREADABLE_SHARE:.0%}; the last one is {last.name} "
            f"({last.problem}). Remove or mend the files named above."
        )

"""Do starts, reading and conversion stay good where a dataset is large?

    python benchmarks/large_dataset.py
    python benchmarks/large_dataset.py --parts start --records 10000 1000000
    python benchmarks/large_dataset.py --parts read --pictures 20000 --delay-ms 20
    python benchmarks/large_dataset.py --parts convert --files 100000

Prints JSON lines. Each figure is of a process of its own.

start: seconds from opening the dataset to the first batch, nothing kept in memory, and
the most memory that the process had. The records are small pictures, written as shards.

read: examples per second of readers of 256 px pictures, in a random order: `before`, as
an earlier version did, `one by one`, and `ahead`, as it is; `in order` reads the shards
from the beginning, which is no random order; `training` decodes, resizes and crops. The
page cache has the shards (warm), or has been emptied of them (cold), or each open and
read of the system takes so many milliseconds longer (delayed, by strace).

convert: a folder of so many files; once, and killed three times.
"""

import dataclasses
import io
import itertools
import json
import os
import pathlib
import resource
import shutil
import subprocess
import sys
import tempfile
import time

from common import field, quiet_start, report, script

from cyclegan_tf.common.checksums import file_digest

NUM_DRAWN = 20  # different pictures, that the others are copies of
NUM_KILLS = 3


@dataclasses.dataclass(frozen=True)
class Options:
    """What to measure, and how much of it."""

    parts: list[str] = field(
        default_factory=lambda: ["start", "read", "convert"], help="what to measure"
    )
    records: list[int] = field(
        default_factory=lambda: [10_000, 100_000, 1_000_000], help="of the starts"
    )
    pictures: int = field(20_000, help="of 256 px, to be read")
    seconds: float = field(5, help="of reading")
    delay_ms: int = field(20, help="of each open and read")
    files: int = field(100_000, help="to be converted")
    folder: str | None = field(None, help="to work in; default: a temporary one")
    child: str | None = field(None, help="for the script itself: what to run")


def main(options):
    """Measures the parts one after the other."""
    if options.child:
        CHILDREN[options.child.split(":")[0]](*options.child.split(":")[1:])
        return
    with tempfile.TemporaryDirectory(dir=options.folder) as name:
        for part in options.parts:
            folder = pathlib.Path(name) / part
            folder.mkdir()
            {"start": start, "read": read, "convert": convert}[part](options, folder)
            shutil.rmtree(folder)


def start(options, folder):
    """Starts, by the number of records."""
    for count in options.records:
        directory = write_dataset(folder / str(count), count, size=32)
        report(part="start", records=count, **child(f"start:{directory}"))
        shutil.rmtree(directory)


def read(options, folder):
    """Readers, by what the disk is like."""
    directory = write_dataset(folder / "dataset", options.pictures, size=256)
    shards = sorted(map(str, directory.glob("*.tfrecord")))
    calls = "openat,pread64,read"
    delay = f"inject={calls}:delay_enter={1000 * options.delay_ms}"
    strace = f"strace --seccomp-bpf -f -qq -o {os.devnull} -e trace={calls} -e {delay}"
    paths = [word for shard in shards for word in ("-P", shard)]
    for disk in ("warm", "cold", "delayed"):
        if disk == "delayed" and not shutil.which("strace"):
            report(part="read", disk=disk, missing="strace")
            continue
        for reader in ("before", "one by one", "in order", "ahead", "training"):
            prefix = [*strace.split(), *paths] if disk == "delayed" else []
            what = f"read:{directory}:{reader}:{disk}:{options.seconds}"
            report(part="read", disk=disk, reader=reader, **child(what, prefix))


def convert(options, folder):
    """Conversions, whole and killed."""
    source = write_files(folder / "photos", options.files)
    shard_bytes = sum(f.stat().st_size for f in source.rglob("*.jpg")) // 16
    digests = []
    for kills in (0, NUM_KILLS):
        data_dir = folder / f"killed-{kills}"
        what = f"convert:{source}:{data_dir}:{shard_bytes}"
        after = [converted_before_kill(what, data_dir, 4 * i + 4) for i in range(kills)]
        figures = child(what) | {"killed_after_shards": after}
        report(part="convert", files=options.files, **figures)
        converted = (data_dir / "photos").iterdir()
        digests.append({path.name: file_digest(path) for path in converted})
    report(part="convert", shards=len(digests[0]) - 2, equal=digests[0] == digests[1])


def converted_before_kill(what, data_dir, num_shards):
    """Kills a conversion when so many shards are finished; how many it has left."""
    journal = data_dir / ".unfinished-photos" / "journal.jsonl"
    process = subprocess.Popen(command(what), stderr=subprocess.DEVNULL)
    finished = -1
    while process.poll() is None and finished < num_shards:
        time.sleep(0.05)
        if journal.exists():
            finished = journal.read_bytes().count(b"\n") - 1
    process.kill()
    process.wait()
    return finished


def command(what):
    """Of a child process."""
    return [sys.executable, __file__, "--child", what]


def child(what, prefix=()):
    """The figures that a process of its own prints."""
    done = subprocess.run(
        [*prefix, *command(what)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    if done.returncode:
        raise SystemExit(f"{what}: status {done.returncode}")
    return json.loads(done.stdout.splitlines()[-1])


def figures_of(**figures):
    """Prints them, with the most memory that this process had."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps(figures | {"peak_mib": round(peak)}))


def start_child(directory):
    """Opens a dataset and makes the first batch."""
    with quiet_start():
        from cyclegan_tf.data import pipeline

    before, cpu = time.perf_counter(), time.process_time()
    splits = open_both(directory)
    opened = time.perf_counter()
    next(iter(batches_of(splits, 32, 36, pipeline)))
    figures_of(
        open_s=round(opened - before, 3),
        first_batch_s=round(time.perf_counter() - before, 3),
        cpu_s=round(time.process_time() - cpu, 3),
    )


def read_child(directory, reader, disk, seconds):
    """Reads for some seconds; the first examples do not count."""
    with quiet_start():
        import tensorflow as tf

        from cyclegan_tf.data import pipeline, shards

    split_a, split_b = open_both(directory)
    order = tf.data.Dataset.range(2**62).map(
        lambda position: pipeline.index_at(position, len(split_a), 1)
    )
    if reader == "before":
        examples = order.map(one_as_before(split_a, tf))
    elif reader == "in order":
        examples = tf.data.TFRecordDataset(split_a.paths).repeat()
    elif reader == "training":
        examples = batches_of([split_a, split_b], 256, 286, pipeline)
    else:
        if reader == "one by one":
            shards.READ_AHEAD = 1
        examples = shards.serialized_examples(split_a, order)
    for path in pathlib.Path(directory).glob("*.tfrecord"):
        with path.open("rb") as file:
            if disk == "cold":
                os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
            elif disk == "warm":
                while file.read(2**20):
                    pass
    found = iter(examples)
    next(found)
    count, begin, cpu = 0, time.perf_counter(), time.process_time()
    while time.perf_counter() - begin < float(seconds):
        next(found)
        count += 2 if reader == "training" else 1
    rate = count / (time.perf_counter() - begin)
    cpu_ms = 1000 * (time.process_time() - cpu) / count
    figures_of(examples_per_s=float(f"{rate:.3g}"), cpu_ms=round(cpu_ms, 3))


def one_as_before(split, tf):
    """The earlier reader: the rest of the file is declared header and footer."""
    paths, places = tf.constant(split.paths), tf.constant(split.places)
    sizes = tf.constant([os.path.getsize(path) for path in split.paths], tf.int64)

    def one(index):
        shard, _, start, length = tf.unstack(places[index])
        footer = sizes[shard] - start - 12 - length
        return tf.data.FixedLengthRecordDataset(
            paths[shard], length, header_bytes=start + 12, footer_bytes=footer
        ).get_single_element()

    return one


def convert_child(source, data_dir, shard_bytes):
    """Converts a folder to so many shards."""
    with quiet_start():
        from cyclegan_tf.config import DatasetConfig
        from cyclegan_tf.data import convert as conversion

    conversion.SHARD_BYTES = int(shard_bytes)
    before, cpu = time.perf_counter(), time.process_time()
    conversion.ensure_dataset(DatasetConfig(source, data_dir=data_dir))
    figures_of(
        seconds=round(time.perf_counter() - before, 1),
        cpu_s=round(time.process_time() - cpu, 1),
    )


def batches_of(splits, image_size, load_size, pipeline):
    """What a training takes, of images that are not kept in memory."""
    from cyclegan_tf.config.sizes import Frame

    return pipeline.training_input(
        *splits,
        frame=Frame(image_size, image_size),
        load_frame=Frame(load_size, load_size),
        flip="horizontal",
        batch_size=1,
        seed=0,
        cache="none",
    )(12345)


CHILDREN = {"start": start_child, "read": read_child, "convert": convert_child}


def open_both(directory):
    """The training images of both domains."""
    from cyclegan_tf.data.dataset import Dataset

    dataset = Dataset.open(pathlib.Path(directory))
    return [dataset.split(name) for name in ("trainA", "trainB")]


def drawn(size):
    """Some pictures as JPEG."""
    from PIL import Image

    from cyclegan_tf.data import drawing

    for i in range(NUM_DRAWN):
        buffer = io.BytesIO()
        picture = drawing.draw((i,), ("brown", "striped")[i % 2], size)
        Image.fromarray(picture.image).save(buffer, "JPEG", quality=95)
        yield buffer.getvalue()


def write_dataset(directory, count, size):
    """A converted dataset of so many records, half of them in each domain."""
    with quiet_start():
        from tqdm import tqdm

        from cyclegan_tf.data import convert as conversion
        from cyclegan_tf.data import images, journal, loading, records
        from cyclegan_tf.data.sources import SPLITS, Source, Split

    directory.mkdir()
    examples = []
    for i, data in enumerate(drawn(size)):
        picture, pixels = images.normalize_decoded(data)
        example = records.serialize(picture, f"{i}.jpg")
        looks, levels = loading.look_at(pixels)
        examples.append(
            loading.Done(f"{i}.jpg", None, b"", example, picture, levels, tuple(looks))
        )
    counts = {name: count // 2 * name.startswith("train") for name in SPLITS}
    splits = {name: Split(number, ()) for name, number in counts.items()}
    source = Source("large", {"kind": "synthetic"}, splits.copy, None)
    writing = conversion.Writing(directory, source, {name: [] for name in SPLITS})
    for name, number in counts.items():
        results, bar = itertools.cycle(examples), tqdm(disable=True)
        conversion._write_split(writing, name, number, results, bar)
    conversion._write_manifest(writing, splits)
    journal.clear(directory)
    return directory


def write_files(folder, count):
    """A folder of so many small pictures."""
    pictures = list(drawn(32))
    for domain in ("trainA", "trainB"):
        (folder / domain).mkdir(parents=True)
        for i in range(count // 2):
            path = folder / domain / f"{i:07d}.jpg"
            path.write_bytes(pictures[i % NUM_DRAWN])
    return folder


if __name__ == "__main__":
    script(main, Options, __doc__)

"""Which images, and how they become TFRecords."""

import dataclasses
import pathlib
import re

from cyclegan_tf.common.files import require_utf8
from cyclegan_tf.config.options import Nature, Options, flag, option, require

DEFAULT_DATASET = "synthetic/horse2zebra"
# The options that name images.
SOURCES = ("dataset", "domain_a", "domain_b", "test_a", "test_b")
FILES = (".txt", ".csv", ".parquet")  # that name or hold the images of a domain
GLOB = re.compile(r"[*?\[\]]")


@dataclasses.dataclass(frozen=True)
class DatasetConfig(Options):
    """Which images, and how they become TFRecords."""

    dataset: str | None = option(
        None,
        "TFDS name (cycle_gan/horse2zebra), folder of images, or one of the embedded "
        f"{DEFAULT_DATASET} and synthetic/t1_t2; default: the first of these",
        Nature.SOURCE,
        heading="data",
    )
    domain_a: str | None = option(
        None,
        "instead, with --domain-b: folder of the images of A; or a list of them (.txt, "
        ".csv); or a folder or quoted glob of TFRecords (.tfrec, .tfrecord) with a "
        "feature image, or of Parquet files (.parquet) with a column image",
        Nature.SOURCE,
    )
    domain_b: str | None = option(None, "the same of B", Nature.SOURCE)
    test_a: str | None = option(
        None, "test images of A; default: a tenth of --domain-a", Nature.SOURCE
    )
    test_b: str | None = option(None, "the same of B", Nature.SOURCE)
    channels_a: int | None = option(
        None,
        "train on A as grey (1) or RGB (3); 2 or 4: a band that a TIFF calls alpha is "
        "one of values; default: as the images are, alpha put on white",
    )
    channels_b: int | None = option(None, "the same of domain B")
    data_dir: str = option(
        "tfrecords", "where datasets live as TFRecord shards", Nature.PLACE
    )
    tfds_data_dir: str | None = option(
        None, "TFDS directory with the dataset prepared already", Nature.PLACE
    )
    data_seed: int = option(
        0, "seed of the drawn pictures, and of the images held out as test", at_least=0
    )
    synthetic_images: int = option(
        600,
        "training images per domain of an embedded dataset; test: a tenth",
        at_least=1,
    )
    synthetic_size: int | None = option(
        None,
        "side of its pictures in pixels; default: 128, or the image size",
        at_least=32,
    )

    def __post_init__(self):
        super().__post_init__()
        for name in SOURCES:
            require(getattr(self, name) != "", flag(name), "must not be empty")
        for name in ("channels_a", "channels_b"):
            channels = getattr(self, name)
            require(
                channels in (None, 1, 2, 3, 4),
                flag(name),
                f"takes 1 to 4, got {channels}",
            )
        given = [name for name in SOURCES[1:] if getattr(self, name) is not None]
        for name in ("domain_a", "domain_b") if given else ():
            require(name in given, flag(name), f"is missing beside {flag(given[0])}")
        require(
            self.dataset is None or self.domain_a is None,
            "--dataset",
            f"({self.dataset}) and --domain-a are both given; give one of them",
        )
        require_utf8("--data-dir", self.data_dir)
        require_utf8("--domain-a" if self.domain_a else "--dataset", self.dataset_name)

    @property
    def dataset_name(self) -> str:
        """What the dataset's directory is called.

        Of a folder, its own name; of a folder for each domain both names, such as
        horses2zebras.
        """
        if self.domain_a is not None:
            return _name_of_both(self.domain_a, self.domain_b)
        if self.dataset is None:
            return DEFAULT_DATASET
        folder = pathlib.Path(self.dataset).expanduser()
        is_folder = folder.is_dir() or folder.is_absolute()  # perhaps one that is gone
        return folder.resolve().name if is_folder else self.dataset

    @property
    def resolved_synthetic_size(self) -> int:
        """Side of the drawn pictures in pixels."""
        return self.synthetic_size or 128


@dataclasses.dataclass(frozen=True)
class BuildConfig(DatasetConfig):
    """A conversion without a training."""

    check: bool = option(
        False,
        "look for copies, empty images and whatever else spoils a training, as after "
        "a conversion",
        Nature.COMMAND,
        heading="checks",
    )
    verify: bool = option(
        False, "compare all shards with their checksums", Nature.COMMAND
    )


def _name_of_both(given_a, given_b):
    a, b = (_names_on_the_way(given) for given in (given_a, given_b))
    # Of horses/train and zebras/train, where they differ.
    while len(a) > 1 and len(b) > 1 and a[-1] == b[-1]:
        a, b = a[:-1], b[:-1]
    return f"{a[-1]}2{b[-1]}"


def _names_on_the_way(given):
    """The names of a path; of a glob, what of it is no pattern; of files no suffix."""
    path = pathlib.Path(given).expanduser().resolve()
    names = (path.with_suffix("") if path.suffix in FILES else path).parts[1:]
    if names and GLOB.search(names[-1]):
        rest = GLOB.sub("", pathlib.PurePath(names[-1]).stem)
        names = (*names[:-1], rest) if rest else names[:-1]
    return names or ("all",)

"""Which images, and how they become TFRecords."""

import dataclasses
import pathlib

from cyclegan_tf.config.options import Nature, Options, option, require


@dataclasses.dataclass(frozen=True)
class DatasetConfig(Options):
    """Which images, and how they become TFRecords."""

    dataset: str = option(
        "synthetic/horse2zebra",
        "TFDS name (cycle_gan/horse2zebra), folder of images, or one of the embedded "
        "synthetic/horse2zebra and synthetic/t1_t2",
        Nature.SOURCE,
    )
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
        require(bool(self.dataset), "--dataset", "must not be empty")

    @property
    def dataset_name(self) -> str:
        """What the dataset's directory is called: of a folder, its own name."""
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

    verify: bool = option(
        False, "compare all shards with their checksums", Nature.COMMAND
    )

"""A run, opened once and handed on: what every command that reads a run asks."""

import dataclasses
import functools
import os
import pathlib
import shutil
from typing import Any

from cyclegan_tf.common.errors import InputError
from cyclegan_tf.common.files import current, folder_written_aside
from cyclegan_tf.config import TrainConfig
from cyclegan_tf.data.convert import ensure_dataset
from cyclegan_tf.data.dataset import MANIFEST, Dataset, find_dataset
from cyclegan_tf.data.domain import Domains
from cyclegan_tf.data.findings import shown
from cyclegan_tf.data.shards import Split
from cyclegan_tf.data.sources.synthetic import EMBEDDED
from cyclegan_tf.runs.directory import CONFIG, read_config
from cyclegan_tf.runs.evaluations import evaluations_of
from cyclegan_tf.runs.generators import Trained, load_trained
from cyclegan_tf.runs.saved import FOLDER, LAST


@dataclasses.dataclass(frozen=True)
class RunDir:
    """The directory of a run, whose `config.json` has been read.

    **A command that reads a run converts nothing.** The images of the run are the
    shards with the run's fingerprint, wherever its data directory has them; a folder
    that has changed since has shards of its own beside them. Where there are none, the
    error says so; exports and reports go on without. Scoring, which is of no use
    without images, first calls `convert_if_never`.

    Attributes:
        path: the directory.
        options, fingerprint, domains, onednn: as of `Recorded`.
    """

    path: pathlib.Path
    options: TrainConfig
    fingerprint: str | None
    domains: Domains
    onednn: bool | None

    @classmethod
    def open(
        cls, path: str | os.PathLike, data_dir: str | os.PathLike | None = None
    ) -> "RunDir":
        """Reads the options of a run, see `read_config`.

        With a `data_dir`, its images are looked for there, and not where it had them.
        """
        path = pathlib.Path(path).expanduser()
        run = cls(path, *read_config(path))
        if data_dir is None:
            return run
        options = dataclasses.replace(run.options, data_dir=os.fspath(data_dir))
        return dataclasses.replace(run, options=options)

    def generators(self, checkpoint: str = LAST, weights: str = "average") -> Trained:
        """The trained generators, their step and weights; see `load_generators`."""
        form = self.options, self.domains
        return load_trained(self.path, *form, checkpoint, weights)

    def copy_generators(self, path: pathlib.Path) -> None:
        """Makes a run of the same options and generators, with nothing else."""
        with folder_written_aside(path) as aside:
            shutil.copyfile(self.path / CONFIG, aside / CONFIG)
            shutil.copytree(current(self.path / FOLDER), aside / FOLDER)

    @functools.cached_property
    def dataset(self) -> Dataset:
        """The images that the run was trained for, opened when first asked for.

        Of imported models, these are the dataset of the name that they were given.
        Raises `InputError` if the data directory does not have them.
        """
        found = find_dataset(self.options, self.fingerprint)
        if found is not None:
            return shown(self.options, found)
        named = self._named_dataset
        problem = "has not the images"
        if (named / MANIFEST).is_file():
            problem = "holds other images than those"
        raise InputError(
            f"{named} {problem} that {self.path} was trained on; convert them with "
            f"`cyclegan build`, or name another place with --data-dir."
        )

    def images(self, kind: str) -> dict[str, Split]:
        """The "train" or "test" images of `dataset` by domain, in the run's form."""
        return {
            name: self.dataset.split(f"{kind}{name.upper()}", domain)
            for name, domain in self.domains._asdict().items()
        }

    def convert_if_never(self) -> None:
        """Converts the images of the run where nothing of their name ever has been.

        As after a data directory was removed, or a run was copied without it. Those of
        an embedded dataset are drawn again beside others of its name, too.
        """
        is_drawn = self.options.dataset_name in EMBEDDED
        if is_drawn or not (self._named_dataset / MANIFEST).exists():
            if find_dataset(self.options, self.fingerprint) is None:
                ensure_dataset(self.options)

    def scores(self, step: int | None, weights: str) -> list[dict[str, Any]]:
        """The evaluations of a step's "average" or "raw" weights, in their order."""
        return evaluations_of(self.path, step, weights)

    @property
    def _named_dataset(self):
        data_dir = pathlib.Path(self.options.data_dir).expanduser()
        return data_dir / self.options.dataset_name

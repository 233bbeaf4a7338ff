"""The options of a distillation: a small generator from a large one."""

import dataclasses
import pathlib
from typing import Literal

from cyclegan_tf.common.files import with_name
from cyclegan_tf.config.commands import DEFAULT_RUN
from cyclegan_tf.config.dataset import SOURCES
from cyclegan_tf.config.options import Nature, Options, option
from cyclegan_tf.config.train import TrainConfig

# Of the teacher's channels, by the name of a student.
SHARES = {"tiny": 1 / 4, "small": 1 / 2, "medium": 1}


@dataclasses.dataclass(frozen=True)
class DistillConfig(Options):
    """Which run is taught from, and what learns from it."""

    run_dir: str = option(DEFAULT_RUN, "the teacher: a trained run", Nature.PLACE)
    student_dir: str | None = option(
        None, "the student's run; default: the teacher's, with -STUDENT", Nature.PLACE
    )
    student: Literal["tiny", "small", "medium"] = option(
        "small", "a quarter, half, or all of the teacher's channels"
    )
    filters: int | None = option(
        None, "instead: a quarter of the student's channels", at_least=1
    )
    residual_blocks: int | None = option(
        None, "of the student; default: the teacher's", at_least=1
    )
    epochs: int | None = option(
        None, "of the student's run; default: the teacher's", at_least=1
    )
    dataset: str | None = option(
        None, "the teacher's images; default: where its run had them", Nature.SOURCE
    )
    data_dir: str | None = option(
        None, "where they are as shards; default: where the run had them", Nature.PLACE
    )
    restart: bool = option(
        False, "begin anew; the student's earlier run is renamed", Nature.COMMAND
    )

    def on_images(self, teacher: TrainConfig) -> TrainConfig:
        """The options of the teacher, on its images or on those that are named here."""
        changes = {"data_dir": self.data_dir} if self.data_dir else {}
        if self.dataset:
            # Replaces the teacher's, in whichever way that is named.
            changes |= dict.fromkeys(SOURCES) | {"dataset": self.dataset}
        return dataclasses.replace(teacher, **changes)

    @property
    def resolved_student_dir(self) -> pathlib.Path:
        """Where the student's run lives."""
        teacher = with_name(self.run_dir)
        default = teacher.with_name(f"{teacher.name}-{self.student}")
        return pathlib.Path(self.student_dir or default).expanduser()

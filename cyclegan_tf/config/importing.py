"""The options of taking over the authors' models, and of giving models back."""

import dataclasses

from cyclegan_tf.config.options import Nature, option


@dataclasses.dataclass(frozen=True)
class ImportConfig:
    """Models of the authors' program, and a run directory of ours."""

    models: list[str] = option(
        help=".pth of the generator from A to B, and of that from B to A",
        nature=Nature.PLACE,
        default_factory=list,
        positional=True,
        nargs="*",
        metavar="FILE [FILE]",
    )
    run_dir: str | None = option(
        None,
        "new run directory to write; with --to-reference: the run to read",
        Nature.PLACE,
    )
    dataset: str = option(
        "unknown", "what the models were trained on, e.g. cycle_gan/horse2zebra"
    )
    to_reference: str | None = option(
        None,
        "instead, write the run's generators as .pth files to this folder",
        Nature.PLACE,
    )

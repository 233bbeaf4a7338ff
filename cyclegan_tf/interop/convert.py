"""Takes over ResNet generators of PyTorch programs, and gives generators back.

What is taken over becomes a run directory, for `train.py --init-from` and for
everything that uses a trained run.
"""

import pathlib

import numpy as np

from cyclegan_tf.common import files
from cyclegan_tf.common.console import say
from cyclegan_tf.common.errors import InputError
from cyclegan_tf.config import TrainConfig
from cyclegan_tf.data.domain import Domain, Domains
from cyclegan_tf.interop.reference_weights import (
    form_of,
    generator_from_reference,
    generator_to_reference,
    size_of,
)
from cyclegan_tf.runs import directory as run_directory
from cyclegan_tf.runs.directory import Recorded
from cyclegan_tf.runs.generators import load_generators, save_generators

FILES = {"a_to_b": "latest_net_G_A.pth", "b_to_a": "latest_net_G_B.pth"}
StateDict = dict[str, np.ndarray]


def import_models(
    models: list[tuple[pathlib.Path, StateDict]], run_dir: pathlib.Path, dataset: str
) -> pathlib.Path:
    """Writes a run directory with one or two generators.

    What their tensors do not tell, and was assumed, is said.

    Args:
        models: A to B, or A to B and B to A: each a state dict, and the file of it.
        run_dir: must not exist; it appears whole or not at all.
        dataset: what they were trained on, for `config.json`.

    Returns:
        The run directory.

    Raises:
        InputError: one is no such generator, both differ in their architecture or the
            second does not lead back, or the directory exists.
    """
    if run_dir.exists():
        raise InputError(f"--run-dir {run_dir} exists; choose a new directory.")
    generators = {}
    for direction, (path, tensors) in zip(FILES, models, strict=False):
        generators[direction], assumed = generator_from_reference(tensors, str(path))
        if assumed:
            say(
                f"{path}: assumed, as its tensors do not tell: {'; '.join(assumed)}. "
                f"Compare a picture with what its own program makes of it"
            )
    first, *others = generators.values()
    for other in others:
        _require_opposite(first, other, [path for path, _ in models])
    filters, blocks, *channels = size_of(first)
    norm, upsampling = form_of(first)
    config = TrainConfig(
        dataset=dataset,
        run_dir=str(run_dir),
        filters=filters,
        residual_blocks=blocks,
        norm=norm,
        upsampling=upsampling,
        average=False,
    )
    # Such programs read and write 8 bits.
    domains = Domains(*map(Domain, channels))
    about = {"dataset": dataset, "imported_from": [path.name for path, _ in models]}
    with files.folder_written_aside(run_dir) as aside:
        run_directory.write_config(aside, Recorded(config, None, domains))
        save_generators(aside, generators, about)
    return run_dir


def _require_opposite(first, second, paths):
    """Checks that two generators are the directions of one model."""
    there, back = size_of(first), size_of(second)
    forms = [
        "{} filters, {} residual blocks, {} norms and --upsampling {}".format(
            *size[:2], *form_of(generator)
        )
        for size, generator in ((there, first), (back, second))
    ]
    if forms[0] != forms[1]:
        raise InputError(
            f"{paths[0]} has {forms[0]}, {paths[1]} has {forms[1]}; both must be the "
            f"same."
        )
    if (back.channels, back.out_channels) != (there.out_channels, there.channels):
        raise InputError(
            f"{paths[0]} takes {there.channels} channels and gives "
            f"{there.out_channels}, {paths[1]} takes {back.channels} and gives "
            f"{back.out_channels}; the second must lead back."
        )


def export_models(
    run_dir: pathlib.Path, weights: str = "average"
) -> dict[str, StateDict]:
    """The generators of a run as the authors' program has them.

    Args:
        run_dir: of the run.
        weights: "average" or "raw", see `generators.load_generators`.

    Returns:
        State dicts by the names of files that the authors' program loads:
        `latest_net_G_A.pth` and `latest_net_G_B.pth`, or one of them.

    Raises:
        InputError: there is no such run, or its networks are not the authors'.
    """
    generators = load_generators(run_dir, weights=weights)
    return {
        FILES[direction]: generator_to_reference(generator, str(run_dir))
        for direction, generator in generators.items()
    }

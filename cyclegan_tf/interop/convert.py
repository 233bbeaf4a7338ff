"""Takes over generators of the authors' PyTorch program, and gives generators back.

PyTorch is not needed, and no code from a file is run. What is taken over becomes a run
directory, for `train.py --init-from` and for everything that uses a trained run.
"""

import pathlib

from cyclegan_tf.common import files
from cyclegan_tf.common.errors import InputError
from cyclegan_tf.config import TrainConfig
from cyclegan_tf.data.domain import Domain, Domains
from cyclegan_tf.interop.reference_weights import (
    generator_from_reference,
    generator_to_reference,
    size_of,
)
from cyclegan_tf.interop.torch_files import read_tensors, write_tensors
from cyclegan_tf.runs import directory as run_directory
from cyclegan_tf.runs.directory import Recorded
from cyclegan_tf.runs.generators import load_generators, save_generators

FILES = {"a_to_b": "latest_net_G_A.pth", "b_to_a": "latest_net_G_B.pth"}


def import_models(
    models: list[pathlib.Path], run_dir: pathlib.Path, dataset: str
) -> pathlib.Path:
    """Writes a run directory with the generators of one or two `.pth` files.

    Args:
        models: A to B, or A to B and B to A.
        run_dir: must not exist; it appears whole or not at all.
        dataset: what they were trained on, for `config.json`.

    Returns:
        The run directory.

    Raises:
        InputError: a file is not such a generator, both differ in their architecture
            or the second does not lead back, there are more than two, or the directory
            exists.
    """
    if len(models) not in (1, 2):
        raise InputError(f"one or two .pth files are needed, got {len(models)}.")
    if run_dir.exists():
        raise InputError(f"--run-dir {run_dir} exists; choose a new directory.")
    generators = {
        direction: generator_from_reference(read_tensors(path), str(path))
        for direction, path in zip(FILES, models, strict=False)
    }
    size, *others = map(size_of, generators.values())
    for other in others:
        _require_opposite(size, other, models)
    filters, blocks, *channels = size
    config = TrainConfig(
        dataset=dataset,
        run_dir=str(run_dir),
        filters=filters,
        residual_blocks=blocks,
        norm="plain",
        average=False,
    )
    # The authors' program reads and writes 8 bits.
    domains = Domains(*map(Domain, channels))
    about = {"dataset": dataset, "imported_from": [path.name for path in models]}
    with files.folder_written_aside(run_dir) as aside:
        run_directory.write_config(aside, Recorded(config, None, domains))
        save_generators(aside, generators, about)
    return run_dir


def _require_opposite(there, back, models):
    """Checks that two generators are the directions of one model."""
    if back[:2] != there[:2]:
        raise InputError(
            f"{models[0]} has {there.filters} filters and {there.num_blocks} residual "
            f"blocks, {models[1]} has {back.filters} and {back.num_blocks}; both must "
            f"be the same."
        )
    if (back.channels, back.out_channels) != (there.out_channels, there.channels):
        raise InputError(
            f"{models[0]} takes {there.channels} channels and gives "
            f"{there.out_channels}, {models[1]} takes {back.channels} and gives "
            f"{back.out_channels}; the second must lead back."
        )


def export_models(
    run_dir: pathlib.Path, folder: pathlib.Path, weights: str = "average"
) -> list[pathlib.Path]:
    """Writes the generators of a run as `.pth` files, replacing those there.

    Args:
        run_dir: of the run.
        folder: where they go.
        weights: "average" or "raw", see `generators.load_generators`.

    Returns:
        `latest_net_G_A.pth` and `latest_net_G_B.pth` in the folder, or one of them,
        the names that the authors' program loads.

    Raises:
        InputError: there is no such run, or its networks are not the authors'.
    """
    state_dicts = {}
    for direction, generator in load_generators(run_dir, weights=weights).items():
        path = folder.expanduser() / FILES[direction]
        state_dicts[path] = generator_to_reference(generator, str(run_dir))
    for path, tensors in state_dicts.items():
        write_tensors(path, tensors)
    return list(state_dicts)

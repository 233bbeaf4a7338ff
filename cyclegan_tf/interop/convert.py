"""Takes over generators of the authors' PyTorch program, and gives generators back."""

import pathlib

from cyclegan_tf.common.errors import InputError
from cyclegan_tf.config import TrainConfig

FILES = {"a_to_b": "latest_net_G_A.pth", "b_to_a": "latest_net_G_B.pth"}
# Of the authors' training crops; a fully convolutional network takes any size.
IMAGE_SIZE = 256


def import_models(
    models: list[pathlib.Path], run_dir: pathlib.Path, dataset: str
) -> pathlib.Path:
    """Writes a run directory with the generators of one or two `.pth` files.

    Args:
        models: A to B, or A to B and B to A.
        run_dir: must not exist; it appears whole or not at all.
        dataset: what they were trained on, for `config.json`.

    Raises:
        InputError: a file is not such a generator, both differ in their architecture,
            there are more than two, or the directory exists.
    """
    from cyclegan_tf.common import files
    from cyclegan_tf.interop.reference_weights import generator_from_reference
    from cyclegan_tf.interop.torch_files import read_tensors
    from cyclegan_tf.runs import directory as run_directory
    from cyclegan_tf.runs.generators import architecture, save_generators

    if len(models) not in (1, 2):
        raise InputError(f"one or two .pth files are needed, got {len(models)}.")
    if run_dir.exists():
        raise InputError(f"--run-dir {run_dir} exists; choose a new directory.")
    generators = {
        direction: generator_from_reference(read_tensors(path), str(path))
        for direction, path in zip(FILES, models, strict=False)
    }
    first, *others = (architecture(generator) for generator in generators.values())
    if others and others[0] != first:
        raise InputError(
            f"{models[0]} has {first.filters} filters and {first.residual_blocks} "
            f"residual blocks, {models[1]} has {others[0].filters} and "
            f"{others[0].residual_blocks}; both must be the same."
        )
    config = TrainConfig(
        dataset=dataset,
        run_dir=str(run_dir),
        image_size=IMAGE_SIZE,
        filters=first.filters,
        residual_blocks=first.residual_blocks,
        norm="plain",
    )
    about = {
        "dataset": dataset,
        "image_size": IMAGE_SIZE,
        "imported_from": [path.name for path in models],
    }
    with files.folder_written_aside(run_dir) as aside:
        run_id = run_directory.write_config(aside, config, fingerprint=None)
        save_generators(aside, generators, about, run_id)
    return run_dir


def export_models(run_dir: pathlib.Path, folder: pathlib.Path) -> list[pathlib.Path]:
    """Writes the generators of a run as `.pth` files, replacing those there.

    Args:
        run_dir: a run whose norms have no learned scale and offset.
        folder: gets `latest_net_G_A.pth` and `latest_net_G_B.pth`, or one of them.

    Raises:
        InputError: there is no such run, or its networks are not the authors'.
    """
    from cyclegan_tf.interop.reference_weights import generator_to_reference
    from cyclegan_tf.interop.torch_files import write_tensors
    from cyclegan_tf.runs.generators import load_generators

    state_dicts = {
        folder.expanduser() / FILES[direction]: generator_to_reference(
            generator, str(run_dir)
        )
        for direction, generator in load_generators(run_dir).items()
    }
    for path, tensors in state_dicts.items():
        write_tensors(path, tensors)
    return list(state_dicts)

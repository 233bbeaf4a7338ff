"""Takes over ResNet generators of PyTorch programs, and gives generators back.

What is taken over becomes a run directory, for `train.py --init-from` and for
everything that uses a trained run. A bias before an instance norm shifts a channel that
the norm then centres: it changes nothing, is left out here, and is written as zeros on
the way back.
"""

import pathlib

import keras
import numpy as np

from cyclegan_tf.common import files
from cyclegan_tf.common.console import say
from cyclegan_tf.common.errors import InputError
from cyclegan_tf.config import TrainConfig
from cyclegan_tf.data.domain import Domain, Domains
from cyclegan_tf.interop.state_dicts import Recognised, convolutions, recognise
from cyclegan_tf.model.networks import build_generator
from cyclegan_tf.runs import directory as run_directory
from cyclegan_tf.runs.directory import Recorded
from cyclegan_tf.runs.generators import save_generators
from cyclegan_tf.runs.run_dir import RunDir

FILES = {"a_to_b": "latest_net_G_A.pth", "b_to_a": "latest_net_G_B.pth"}
# (out, in, height, width) of Conv2d to (height, width, in, out), and of ConvTranspose2d
# (in, out, height, width) to (height, width, out, in).
TO_KERAS = (2, 3, 1, 0)
TO_TORCH = (3, 2, 0, 1)
StateDict = dict[str, np.ndarray]


def import_models(
    models: list[tuple[pathlib.Path, StateDict]], run_dir: pathlib.Path, dataset: str
) -> pathlib.Path:
    """Writes a run directory with one or two generators; returns it.

    What their tensors do not tell, and was assumed, is said. Models are A to B, or A to
    B and B to A, each a state dict and the file of it. The directory appears whole or
    not at all; its `config.json` names the dataset. Raises `InputError` if one is no
    such generator, both differ, the second does not lead back, or the directory exists.
    """
    if run_dir.exists():
        raise InputError(f"--run-dir {run_dir} exists; choose a new directory.")
    generators, architectures = {}, {}
    for direction, (path, tensors) in zip(FILES, models, strict=False):
        generators[direction], found = generator_from_reference(tensors, str(path))
        architectures[path] = found.architecture
        if found.assumed:
            say(
                f"{path}: assumed, as its tensors do not tell: "
                f"{'; '.join(found.assumed)}. Compare a picture with what its own "
                f"program makes of it"
            )
    (path, there), *others = architectures.items()
    channels = there.channels, there.out_channels
    for other, back in others:
        if back != there._replace(channels=channels[1], out_channels=channels[0]):
            raise InputError(
                f"{path} has {there}, {other} has {back}; both must be the same, and "
                f"the second lead back."
            )
    config = TrainConfig(
        dataset=dataset,
        run_dir=str(run_dir),
        filters=there.filters,
        residual_blocks=there.residual_blocks,
        norm=there.norm,
        upsampling=there.upsampling,
        average=False,
    )
    # Such programs read and write 8 bits.
    domains = Domains(*map(Domain, channels))
    about = {"dataset": dataset, "imported_from": [path.name for path, _ in models]}
    with files.folder_written_aside(run_dir) as aside:
        run_directory.write_config(aside, Recorded(config, None, domains))
        save_generators(aside, generators, about)
    return run_dir


def generator_from_reference(
    tensors: StateDict, source: str
) -> tuple[keras.Model, Recognised]:
    """A generator of ours that computes what PyTorch's with this state dict does.

    Raises `InputError` for any other's, or what is not finite; it names `source`, what
    was found, and what is missing.
    """
    try:
        found = recognise(tensors)
    except ValueError as error:
        raise InputError(f"{source} is not a ResNet generator: {error}.") from None
    *size, out_channels, norm, upsampling = found.architecture
    how = {"norm": norm, "upsampling": upsampling, "out_channels": out_channels}
    generator = build_generator(*size, **how)
    for layer, convolution in found.convolutions.items():
        biases = convolution.biases if layer == "head" else []
        kernel = convolution.kernel.transpose(TO_KERAS)
        generator.get_layer(layer).set_weights([kernel, *biases])
        if convolution.norm:
            generator.get_layer(f"{layer}_norm").set_weights(convolution.norm)
    return generator, found


def export_models(
    run_dir: pathlib.Path, weights: str = "average"
) -> dict[str, StateDict]:
    """The generators of a run, "average" or "raw", as the authors' program has them.

    State dicts of float32 arrays, in the order of the authors' network, by the names of
    `FILES`, which their program loads; both or one. Raises `InputError` if there is no
    such run, or its networks are not the authors'.
    """
    run = RunDir.open(run_dir)
    options = run.options
    form = options.generator, options.norm, options.upsampling
    if form != ("resnet", "plain", "transpose"):
        raise InputError(
            f"{run_dir} cannot be written for the authors' program, whose networks are "
            f"those of --generator resnet, --norm plain and --upsampling transpose."
        )
    size = options.resolved_generator_filters, options.resolved_residual_blocks
    state_dicts = {}
    for direction, generator in run.generators(weights=weights).generators.items():
        tensors = state_dicts[FILES[direction]] = {}
        for layer, (prefix, shape) in convolutions(*size).items():
            kernel, *bias = generator.get_layer(layer).get_weights()
            zeros = np.zeros(shape[1 if layer.startswith("up") else 0], np.float32)
            tensors[f"{prefix}.weight"] = kernel.transpose(TO_TORCH)
            tensors[f"{prefix}.bias"] = bias[0] if bias else zeros
    return state_dicts

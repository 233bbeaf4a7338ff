"""Starting a new run from the generators of an earlier one, or of an import.

Discriminators, optimizers and image pools are fresh, and the schedule is the new run's.
"""

import pathlib

import keras

from cyclegan_tf.common.console import say
from cyclegan_tf.common.errors import InputError
from cyclegan_tf.config import TrainConfig, flag
from cyclegan_tf.data.domain import Domains
from cyclegan_tf.model.cyclegan import CycleGAN
from cyclegan_tf.model.layers import InstanceNormalization
from cyclegan_tf.runs.directory import read_config
from cyclegan_tf.runs.generators import load_generators


def load_earlier(run_dir: pathlib.Path, config: TrainConfig) -> dict[str, keras.Model]:
    """The generators of an earlier run, if a run with these options can start there.

    Args:
        run_dir: the earlier run.
        config: of the new run.

    Returns:
        Generators by direction, "a_to_b" and "b_to_a" or one of them.

    Raises:
        InputError: there is no such run, or its generators do not fit; all options
            that would have to be other ones are named.
    """
    generators = load_generators(run_dir)
    has, wrong = read_config(run_dir).options, []
    if has.generator != config.generator:
        wrong.append(f"--generator {has.generator} (not {config.generator})")
    filters, wanted = has.resolved_generator_filters, config.resolved_generator_filters
    if filters != wanted:
        name = "filters" if config.generator_filters is None else "generator_filters"
        wrong.append(f"{flag(name)} {filters} (not {wanted})")
    blocks, wanted = has.resolved_residual_blocks, config.resolved_residual_blocks
    if blocks != wanted:
        wrong.append(f"--residual-blocks {blocks} (not {wanted})")
    # The other way round is exact: scales of 1 and offsets of 0.
    if config.norm == "plain" and has.norm != "plain":
        wrong.append("--norm affine (not plain)")
    if has.upsampling != config.upsampling:
        wrong.append(f"--upsampling {has.upsampling} (not {config.upsampling})")
    if wrong:
        raise InputError(f"--init-from {run_dir} needs {', '.join(wrong)}.")
    return generators


def require_same_channels(name: str, config: TrainConfig, domains: Domains) -> None:
    """Checks that the images of an earlier run have as many channels as those now.

    Args:
        name: of the option that names the earlier run.
        config: the options of the new run.
        domains: the form of its images.

    Raises:
        InputError: they have not.
    """
    run_dir = pathlib.Path(getattr(config, name)).expanduser()
    before, now = (
        [domain.channels for domain in each]
        for each in (read_config(run_dir).domains, domains)
    )
    if before != now:
        raise InputError(
            f"{flag(name)} {run_dir} is of images with {before[0]} channels in A and "
            f"{before[1]} in B, and the new ones have {now[0]} and {now[1]}; "
            f"--channels-a and --channels-b make RGB of grey ones, and grey of RGB."
        )


def start_from(generators: dict[str, keras.Model], model: CycleGAN) -> None:
    """Gives the generators of a model the weights of earlier ones.

    A direction that is not there keeps its fresh weights, which is said.
    """
    for direction, fresh in model.generators.items():
        if direction in generators:
            _copy_weights(generators[direction], fresh)
            say(f"{direction} starts from trained weights")
        else:
            say(
                f"{direction} starts from fresh weights: --init-from has only the other"
            )


def _copy_weights(source, target):
    for layer in target.layers:
        weights = source.get_layer(layer.name).get_weights()
        # A plain norm is an affine one with the scale and offset that a fresh one has.
        if weights or not isinstance(layer, InstanceNormalization):
            layer.set_weights(weights)

"""From the command line to a config, and from an error to one line."""

import argparse
import contextlib
import dataclasses
import difflib
import os
import pathlib
import sys
from collections.abc import Iterator, Sequence
from typing import TypeVar

from simple_parsing import ArgumentParser, DashVariant, SimpleHelpFormatter

from cyclegan_tf.common.console import printable
from cyclegan_tf.common.errors import InputError
from cyclegan_tf.common.files import require_local
from cyclegan_tf.config import Nature, TrainConfig, flag, recommended
from cyclegan_tf.runs.directory import CONFIG, read_config

Config = TypeVar("Config")
# What the authors' program calls our options.
THEIR_NAMES = {
    "--dataset": ["dataroot"],
    "--run-dir": ["name", "checkpoints_dir"],
    "--image-size": ["crop_size"],
    "--epochs": ["n_epochs", "n_epochs_decay"],
    "--filters": ["ngf", "ndf"],
    "--residual-blocks": ["netG"],
    "--discriminator": ["netD"],
    "--cycle-weight": ["lambda_A", "lambda_B"],
    "--identity-weight": ["lambda_identity"],
    "--learning-rate": ["lr"],
    "--strategy": ["gpu_ids"],
    "--output": ["results_dir"],
}


class _Parser(ArgumentParser):
    def __init__(self, **how):
        dashes = DashVariant.DASH
        super().__init__(
            allow_abbrev=False, add_option_string_dash_variants=dashes, **how
        )

    def error(self, message):
        raise InputError(f"{message} (see --help)")


class _HelpFormatter(SimpleHelpFormatter, argparse.RawDescriptionHelpFormatter):
    """Keeps the lines of the description."""


def parse(
    config_class: type[Config],
    description: str,
    positionals: Sequence[str] = (),
    arguments: Sequence[str] | None = None,
) -> Config:
    """Parses the command line into `config_class`.

    The defaults of a training are the options of the run in `--run-dir`, or else what
    its dataset recommends.

    Args:
        config_class: a dataclass of options.
        description: what the command does, for `--help`.
        positionals: fields that may be given without their flags, in this order.
        arguments: instead of `sys.argv[1:]`.

    Raises:
        InputError: an unknown flag, a value that does not fit, or a place that is not
            on this machine.
    """
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    parser = _Parser(description=description, formatter_class=_HelpFormatter)
    is_training = config_class is TrainConfig
    defaults = _training_defaults(arguments) if is_training else config_class()
    parser.add_arguments(config_class, dest="config", default=defaults)
    for name in positionals:
        parser.add_argument(
            f"positional_{name}",
            metavar=name.upper(),
            nargs="?",
            help=f"the same as {flag(name)}",
        )
    parsed, unknown = parser.parse_known_args(arguments)
    if unknown:
        known = [flag(field.name) for field in dataclasses.fields(config_class)]
        words = " ".join(unknown)
        parser.error(f"unrecognized arguments: {words}{_hint(unknown, known)}")
    places = {name: getattr(parsed, f"positional_{name}") for name in positionals}
    given_places = {k: v for k, v in places.items() if v is not None}
    config = dataclasses.replace(parsed.config, **given_places)
    for field in dataclasses.fields(config):
        if field.metadata.get("nature") in (Nature.PLACE, Nature.SOURCE):
            value = getattr(config, field.name)
            for place in value if isinstance(value, list) else [value]:
                require_local(flag(field.name), place)
    return config


def _training_defaults(arguments):
    parser = _Parser(add_help=False)
    parser.add_argument("--dataset", default=TrainConfig.dataset)
    parser.add_argument("--run-dir", type=pathlib.Path)
    given, others = parser.parse_known_args(arguments)
    run_dir = given.run_dir and given.run_dir.expanduser()
    if run_dir and (run_dir / CONFIG).is_file():
        try:
            config, fingerprint = read_config(run_dir)
            if fingerprint is not None:  # the models were not imported
                return dataclasses.replace(config, restart=False, dry_run=False)
        except InputError:
            if "--restart" not in others:
                raise
    return TrainConfig(dataset=given.dataset, **recommended(TrainConfig, given.dataset))


def _hint(unknown, known):
    """What was probably meant by flags that the command does not have."""
    meant = []
    for word in (x.split("=")[0] for x in unknown if x.startswith("-")):
        theirs = [x for x in known if word.lstrip("-") in THEIR_NAMES.get(x, [])]
        near = difflib.get_close_matches(word.replace("_", "-"), known, 1)
        meant += theirs or near
    return f"; did you mean {', '.join(meant)}?" if meant else ""


@contextlib.contextmanager
def quiet_start() -> Iterator[None]:
    """Imports TensorFlow without its start-up chatter on the console.

    Import what needs it inside of the block. The chatter is written by C++ and says
    nothing that an exception, or the line on the devices, does not say.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    sys.stderr.flush()
    saved = os.dup(2)
    with open(os.devnull, "wb") as nowhere:
        os.dup2(nowhere.fileno(), 2)
    try:
        import tensorflow as tf

        tf.config.list_physical_devices()  # its search for a GPU chatters, too
        yield
    finally:
        os.dup2(saved, 2)
        os.close(saved)


@contextlib.contextmanager
def errors_in_one_line() -> Iterator[None]:
    """Prints what the user can mend as one line and ends with status 2."""
    try:
        yield
    except InputError as error:
        message = str(error)
    except OSError as error:
        # Full disk, no permission, and the like: a system error that names its file.
        if error.filename is None and error.errno is None:
            raise
        place = f"{error.filename}: " if error.filename is not None else ""
        message = f"{place}{error.strerror}"
    except KeyboardInterrupt:
        print("\ninterrupted", file=sys.stderr)
        sys.exit(130)
    else:
        return
    program = os.path.basename(sys.argv[0])
    print(f"{program}: error: {printable(message)}", file=sys.stderr)
    sys.exit(2)

"""From the command line to a config, and from an error to one line."""

import argparse
import contextlib
import dataclasses
import os
import sys
from collections.abc import Iterator, Sequence
from typing import TypeVar

from simple_parsing import ArgumentParser, DashVariant, SimpleHelpFormatter

from cyclegan_tf.common.console import printable
from cyclegan_tf.common.errors import InputError
from cyclegan_tf.config import DatasetConfig, flag, recommended

Config = TypeVar("Config")


class _Parser(ArgumentParser):
    def error(self, message):
        raise InputError(f"{message} (see --help)")


def parse(
    config_class: type[Config],
    description: str,
    positionals: Sequence[str] = (),
    arguments: Sequence[str] | None = None,
) -> Config:
    """Parses the command line into `config_class`.

    Where it has a dataset, what that dataset recommends are the defaults of all other
    flags.

    Args:
        config_class: a dataclass of options.
        description: what the command does, for `--help`.
        positionals: fields that may be given without their flags, in this order.
        arguments: instead of `sys.argv[1:]`.

    Raises:
        InputError: an unknown flag or a value that does not fit.
    """
    arguments = list(sys.argv[1:] if arguments is None else arguments)

    def parse_with(defaults, given):
        parser = _Parser(
            description=description,
            formatter_class=_HelpFormatter,
            allow_abbrev=False,
            add_option_string_dash_variants=DashVariant.DASH,
        )
        parser.add_arguments(config_class, dest="config", default=defaults)
        for name in positionals:
            parser.add_argument(
                f"positional_{name}",
                metavar=name.upper(),
                nargs="?",
                help=f"the same as {flag(name)}",
            )
        parsed = parser.parse_args(given)
        places = {name: getattr(parsed, f"positional_{name}") for name in positionals}
        given_places = {k: v for k, v in places.items() if v is not None}
        return dataclasses.replace(parsed.config, **given_places)

    if not issubclass(config_class, DatasetConfig):
        return parse_with(config_class(), arguments)
    # Once for the dataset, once more with what that dataset recommends as defaults;
    # `--help` then shows those.
    without_help = [a for a in arguments if a not in ("-h", "--help")]
    dataset = parse_with(config_class(), without_help).dataset
    settings = recommended(config_class, dataset)
    return parse_with(config_class(dataset=dataset, **settings), arguments)


class _HelpFormatter(SimpleHelpFormatter, argparse.RawDescriptionHelpFormatter):
    """Keeps the lines of the description."""


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

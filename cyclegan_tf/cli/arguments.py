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
from cyclegan_tf.config import RECIPES, Nature, TrainConfig, flag, names_of, settings
from cyclegan_tf.config.dataset import DEFAULT_DATASET, SOURCES
from cyclegan_tf.config.options import headings_of
from cyclegan_tf.runs.directory import CONFIG, near_runs, read_config, require_a_run

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
    """Raises its errors, and shows options under their headings."""

    headings: dict[str, str] = {}

    def error(self, message):
        raise InputError(f"{message} (see --help)")

    def format_help(self):
        sections = {}
        for action in self._actions:
            name = action.dest.rpartition(".")[2]
            sections.setdefault(self.headings.get(name, "options"), []).append(action)
        formatter = self._get_formatter()
        formatter.add_usage(self.usage, [], [])
        formatter.add_text(self.description)
        for heading, actions in sections.items():
            formatter.start_section(heading)
            formatter.add_arguments(actions)
            formatter.end_section()
        return formatter.format_help()


class _HelpFormatter(SimpleHelpFormatter, argparse.RawDescriptionHelpFormatter):
    def _get_help_string(self, action):
        # Where the default depends on others, the help says it.
        if action.default is None:
            return action.help
        return super()._get_help_string(action)


def parse(
    config_class: type[Config],
    description: str,
    positionals: Sequence[str] = (),
    arguments: Sequence[str] | None = None,
) -> Config:
    """Parses the command line into `config_class`.

    The defaults of a training are what `--recipe` sets, then the options of the run in
    `--run-dir`, or else what is recommended for its dataset.

    Args:
        config_class: a dataclass of options.
        description: what the command does, for `--help`.
        positionals: fields that may be given without their flags, in this order; a
            list takes all.
        arguments: instead of `sys.argv[1:]`.

    Raises:
        InputError: an unknown flag, or a value that does not fit.
    """
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    parser = _Parser(
        usage=" ".join(["%(prog)s", *map(str.upper, positionals), "[OPTION ...]"]),
        description=description,
        formatter_class=_HelpFormatter,
        allow_abbrev=False,
        add_option_string_dash_variants=DashVariant.DASH,
    )
    parser.headings = headings_of(config_class)
    is_training = config_class is TrainConfig
    defaults = _training_defaults(arguments) if is_training else None
    parser.add_arguments(config_class, dest="config", default=defaults)
    # argparse would want positionals side by side, with no flag between them.
    parsed, words = parser.parse_known_args(arguments)
    places = dict(zip(positionals, words, strict=False))
    is_list = positionals and isinstance(getattr(parsed.config, positionals[0]), list)
    if is_list and words:
        places = {positionals[0]: words}
    is_too_many = len(words) > len(positionals) and not is_list
    if is_too_many or any(word.startswith("-") for word in words):
        hint = _hint(words, [flag(x.name) for x in dataclasses.fields(config_class)])
        parser.error(f"unrecognized arguments: {' '.join(words)}{hint}")
    return dataclasses.replace(parsed.config, **places)


def _training_defaults(arguments):
    # Without a value they are refused later, as flags of the command.
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument("--dataset", nargs="?")
    parser.add_argument("--domain-a", nargs="?")
    parser.add_argument("--run-dir", nargs="?")
    parser.add_argument("--recipe", nargs="?", default=TrainConfig.recipe)
    given, others = parser.parse_known_args(arguments)
    require_local("--run-dir", given.run_dir)
    run_dir = given.run_dir and pathlib.Path(given.run_dir).expanduser()
    if run_dir and (run_dir / CONFIG).is_file():
        try:
            config, fingerprint, *_ = read_config(run_dir)
            if fingerprint is not None:  # the models were not imported
                changes = dict(RECIPES.get(given.recipe, {}))
                if given.dataset or given.domain_a:
                    # Replaces the run's, in whichever way that is named.
                    changes |= dict.fromkeys(SOURCES)
                once = dict.fromkeys(("restart", "dry_run", "json"), False)
                return dataclasses.replace(config, **once, **changes)
        except InputError:
            if "--restart" not in others:
                raise
    elif run_dir and not _is_described(arguments):
        require_a_run(run_dir)
        raise InputError(
            f"--run-dir {run_dir}: no run is there to go on with{near_runs(run_dir)}; "
            f"to begin one, say which images it is of with --dataset or --domain-a."
        )
    named = "" if given.domain_a else given.dataset or DEFAULT_DATASET
    return TrainConfig(**settings(named, given.recipe))


def _is_described(arguments):
    """Whether a flag says what is to be trained, as of a new run at least one does."""
    telling = {flag(x) for x in names_of(TrainConfig, Nature.RESULT, Nature.SOURCE)}
    given = (word.partition("=")[0].replace("--no-", "--") for word in arguments)
    return not telling.isdisjoint(given)


def _hint(unknown, known):
    """What was probably meant by flags that the command does not have."""
    meant = []
    for word in (x.partition("=")[0] for x in unknown if x.startswith("-")):
        theirs = [x for x in known if word.lstrip("-") in THEIR_NAMES.get(x, [])]
        near = difflib.get_close_matches(word.replace("_", "-"), known, 1)
        meant += theirs or near
    return f"; did you mean {', '.join(meant)}?" if meant else ""


@contextlib.contextmanager
def errors_in_one_line() -> Iterator[None]:
    """Prints what the user can mend as one line and ends with status 2."""
    try:
        yield
    except InputError as error:
        _fail(str(error))
    except ModuleNotFoundError as error:
        if error.name not in ("tensorflow", "keras"):
            raise
        _fail(f"this needs {error.name}; install with pip install .")
    except OSError as error:
        if error.errno is None:  # not of the system, as a full disk is
            raise
        place = f"{error.filename}: " if error.filename is not None else ""
        _fail(f"{place}{error.strerror}")
    except KeyboardInterrupt:
        print("\ninterrupted", file=sys.stderr)
        sys.exit(130)


def _fail(message):
    program = os.path.basename(sys.argv[0])
    print(f"{program}: error: {printable(message)}", file=sys.stderr)
    sys.exit(2)

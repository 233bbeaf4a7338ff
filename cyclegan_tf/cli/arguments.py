"""From the command line to a config, and from an error to one line."""

import argparse
import contextlib
import dataclasses
import difflib
import os
import pathlib
import re
import sys
import typing
from collections.abc import Iterator, Sequence
from typing import TypeVar

from cyclegan_tf.common.console import printable
from cyclegan_tf.common.errors import InputError
from cyclegan_tf.common.files import require_local
from cyclegan_tf.config import RECIPES, Nature, TrainConfig, flag, names_of, settings
from cyclegan_tf.config.dataset import DEFAULT_DATASET, SOURCES
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


class _Parser(argparse.ArgumentParser):
    def error(self, message):
        raise InputError(f"{message} (see --help)")


def parse(
    config_class: type[Config],
    description: str,
    positionals: Sequence[str] = (),
    arguments: Sequence[str] | None = None,
) -> Config:
    """Parses `arguments`, or `sys.argv[1:]`, into a dataclass of options.

    What is not given is, of a training, as `--recipe` sets it, then as the run in
    `--run-dir` has it, or else as is recommended for the dataset. `positionals` are
    fields that may be given without their flags, in this order; a list takes all. What
    is given to a list with its flags, once or more often, comes after these.

    Raises:
        InputError: an unknown flag, a value that does not fit, or one that is given
            both with and without its flag.
    """
    parser = _Parser(
        usage=" ".join(["%(prog)s", *map(str.upper, positionals), "[OPTION ...]"]),
        description=description,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
        argument_default=argparse.SUPPRESS,
    )
    types = typing.get_type_hints(config_class)
    group = parser
    for field in dataclasses.fields(config_class):
        if heading := field.metadata["heading"]:
            group = parser.add_argument_group(heading)
        names = [flag(field.name), *field.metadata["aliases"]]
        group.add_argument(*names, dest=field.name, **_argument(field, types))
    # argparse would want positionals side by side, with no flag between them.
    arguments = sys.argv[1:] if arguments is None else arguments
    parsed, words = parser.parse_known_args(_joined(arguments))
    takes_all = any(typing.get_origin(types[name]) is list for name in positionals)
    is_too_many = len(words) > len(positionals) and not takes_all
    if is_too_many or any(word.startswith("-") for word in words):
        hint = _hint(words, [flag(x.name) for x in dataclasses.fields(config_class)])
        parser.error(f"unrecognized arguments: {' '.join(words)}{hint}")
    given = vars(parsed)
    if words and takes_all:
        words = [[*words, *given.pop(positionals[0], [])]]
    for name, word in zip(positionals, words, strict=False):
        if name in given:
            twice = f"{name.upper()} is given twice: {word}, and {flag(name)}"
            parser.error(f"{twice} {given[name]}")
        given[name] = word
    return _training(given) if config_class is TrainConfig else config_class(**given)


def _joined(arguments):
    """Arguments with `--range-a=-9,9` for `--range-a -9,9`: no flag begins so."""
    joined = []
    for word in arguments:
        is_negative = re.match(r"-[\d.]", word) is not None
        if is_negative and joined and re.fullmatch(r"--[\w-]+", joined[-1]):
            joined[-1] += f"={word}"
        else:
            joined.append(word)
    return joined


def _argument(field, types):
    """What `add_argument` takes for an option, by its type and default."""
    form, default, how = types[field.name], field.default, {}
    kinds = [kind for kind in typing.get_args(form) if kind is not type(None)]
    if form is bool:
        how["action"] = argparse.BooleanOptionalAction
    elif typing.get_origin(form) is typing.Literal:
        how["choices"] = kinds
    else:
        how["type"], *_ = kinds or [form]
        how["metavar"] = how["type"].__name__
    if typing.get_origin(form) is list:
        how |= {"nargs": "+", "action": "extend"}
        default = " ".join(map(str, field.default_factory()))
    is_told = default is not None and default is not False and default != ""
    how["help"] = field.metadata["help"] + f" (default: {default})" * is_told
    return how | field.metadata["how"]


def _training(given):
    recipe = given.get("recipe", TrainConfig.recipe)
    named = given.keys() & {"dataset", "domain_a"}
    require_local("--run-dir", given.get("run_dir"))
    run_dir = given.get("run_dir") and pathlib.Path(given["run_dir"]).expanduser()
    if run_dir and (run_dir / CONFIG).is_file():
        begun = _options_of(run_dir, given.get("restart"))
        if begun is not None:
            changes = dict.fromkeys(("restart", "dry_run", "json"), False)
            if named:
                # Replaces the run's, in whichever way that is named.
                changes |= dict.fromkeys(SOURCES)
            if "recipe" in given:
                # What the run's recipe set, goes with it.
                usual = vars(TrainConfig()) | settings(
                    given.get("dataset") or begun.dataset_name, recipe
                )
                names = RECIPES[begun.recipe].keys() | RECIPES[recipe].keys()
                changes |= {name: usual[name] for name in names}
            return dataclasses.replace(begun, **(changes | given))
    elif run_dir and not _describes_a_run(given):
        require_a_run(run_dir)
        raise InputError(
            f"--run-dir {run_dir}: no run is there to go on with{near_runs(run_dir)}; "
            f"to begin one, say which images it is of with --dataset or --domain-a."
        )
    dataset = given.get("dataset", "" if named else DEFAULT_DATASET)
    return TrainConfig(**(settings(dataset, recipe) | given))


def _describes_a_run(given):
    """Whether more than a place is given, or that of the embedded dataset's own run."""
    told = names_of(TrainConfig, Nature.RESULT, Nature.SOURCE)
    is_usual = pathlib.Path(given["run_dir"]) == TrainConfig().resolved_run_dir
    return is_usual or not given.keys().isdisjoint(told)


def _options_of(run_dir, is_begun_anew):
    """The options of a run; None of imported models, or where they do not matter."""
    try:
        recorded = read_config(run_dir)
    except InputError:
        if is_begun_anew:
            return None
        raise
    return None if recorded.fingerprint is None else recorded.options


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

"""What an option is: its default, its help, and its nature.

Everything that treats options differently asks for their nature: whether a run can be
continued, what a report or a model card shows. A new option is so filed right where it
is defined.
"""

import dataclasses
import enum
from typing import Any

from simple_parsing import field

from cyclegan_tf.common.errors import InputError


class Nature(enum.Enum):
    """What giving an option another value does."""

    RESULT = "changes what is computed"
    SCHEDULE = "changes what is computed, and may grow when a run is extended"
    SOURCE = "names what the result begins with; compared by what is there"
    PLACE = "names a place on this machine"
    MEANS = "says how this machine computes, with the same result"
    TELLING = "says how often, or by what, something is told"
    COMMAND = "concerns one start of a command"


def option(default: Any = None, help: str = "", nature=Nature.RESULT, **how) -> Any:
    """A field of a dataclass of options.

    Args:
        default: its value where the flag is not given.
        help: for `--help` and the documents.
        nature: what another value changes.
        how: further arguments of `simple_parsing.field`.
    """
    if "default_factory" not in how:
        how["default"] = default
    return field(help=help, metadata={"nature": nature}, **how)


def names_of(config: Any, *natures: Nature) -> list[str]:
    """The options of a dataclass, or its instance, that have one of these natures."""
    return [
        field.name
        for field in dataclasses.fields(config)
        if field.metadata["nature"] in natures
    ]


def flag(name: str) -> str:
    """The command-line flag of an option."""
    return "--" + name.replace("_", "-")


def require(condition: bool, name: str, problem: str) -> None:
    """Raises `InputError`, unless the condition holds."""
    if not condition:
        raise InputError(f"{name} {problem}.")


def require_at_least(config: Any, least: float, *names: str) -> None:
    """Raises `InputError` for an option that is given and below `least`."""
    for name in names:
        value = getattr(config, name)
        if value is not None:
            problem = f"must be at least {least}, got {value}"
            require(value >= least, flag(name), problem)


def require_checkpoint(name: str) -> None:
    """Raises `InputError` for what `--checkpoint` cannot be."""
    require(
        name in ("last", "best") or (name.isascii() and name.isdecimal()),
        "--checkpoint",
        f"takes last, best, or the number of a step, got {name!r}",
    )

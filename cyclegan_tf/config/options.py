"""What an option is: its default, help, nature, and least value.

Whether a run can be continued, and what a report or a model card shows, follow from the
natures of options.
"""

import dataclasses
import enum
import math
import os
import typing
from collections.abc import Sequence
from typing import Any

from cyclegan_tf.common.errors import InputError
from cyclegan_tf.common.files import require_local
from cyclegan_tf.common.hub import require_model

# What options of these types take, in words.
WORDS = {bool: "true or false", int: "a whole number", float: "a number"}
WORDS |= {str: "text", type(None): "nothing"}


class Nature(enum.Enum):
    """What giving an option another value does."""

    RESULT = "changes what is computed"
    SCHEDULE = "changes what is computed, and may grow when a run is extended"
    SOURCE = "names what the result begins with; compared by what is there"
    PLACE = "names a place on this machine"
    MODEL = "names a model: a place on this machine, or one on the Hugging Face Hub"
    MEANS = "says how this machine computes, with the same result"
    TELLING = "says how often, or by what, something is told"
    COMMAND = "concerns one start of a command"


def option(
    default: Any = dataclasses.MISSING,
    help: str = "",
    nature=Nature.RESULT,
    at_least=None,
    heading=None,
    default_factory: Any = dataclasses.MISSING,
    aliases: Sequence[str] = (),
    **how,
) -> Any:
    """A field of a dataclass of options; its flag follows from its name and type.

    `at_least` is the smallest number it takes, `heading` that of this option and those
    that follow in `--help`, and `aliases` are further flags. `how` is handed on to
    `add_argument`, where it does not follow.
    """
    metadata = {"help": help, "nature": nature, "at_least": at_least}
    metadata |= {"heading": heading, "aliases": aliases, "how": how}
    return dataclasses.field(
        default=default, default_factory=default_factory, metadata=metadata
    )


@dataclasses.dataclass(frozen=True)
class Options:
    """What all have in common: a value that cannot be raises `InputError`."""

    def __post_init__(self):
        types = typing.get_type_hints(type(self))
        for each in dataclasses.fields(self):
            name, value = flag(each.name), getattr(self, each.name)
            if isinstance(value, os.PathLike):
                value = os.fspath(value)
                object.__setattr__(self, each.name, value)
            _require_type(name, value, types[each.name])
            least = each.metadata["at_least"]
            if each.metadata["nature"] in (Nature.PLACE, Nature.SOURCE):
                for place in value if isinstance(value, list) else [value]:
                    require_local(name, place)
            if each.metadata["nature"] is Nature.MODEL:
                require_model(name, value)
            if least is not None and value is not None:
                require(value >= least, name, f"must be at least {least}, got {value}")
            if each.name == "checkpoint" and value not in ("last", "best"):
                problem = f"takes last, best, or the number of a step, got {value!r}"
                require(value.isascii() and value.isdecimal(), name, problem)


def _require_type(name, value, form):
    """Raises `InputError` for what is no choice, no number, or neither on nor off."""
    kinds = typing.get_args(form) or (form,)
    if typing.get_origin(form) is typing.Literal:
        choices = ", ".join(kinds)
        require(value in kinds, name, f"takes one of {choices}, got {value!r}")
    elif {bool, int, float}.intersection(kinds):
        fits = isinstance(value, (*kinds, int) if float in kinds else kinds)
        # To Python, True is a number, and so is infinity.
        fits &= isinstance(value, bool) <= (bool in kinds)
        fits &= not isinstance(value, float) or math.isfinite(value)
        expected = " or ".join(WORDS[kind] for kind in kinds)
        require(fits, name, f"takes {expected}, got {value!r}")


def names_of(config: Any, *natures: Nature) -> list[str]:
    """The options of a dataclass, or its instance, that have one of these natures."""
    return [
        each.name
        for each in dataclasses.fields(config)
        if each.metadata["nature"] in natures
    ]


def flag(name: str) -> str:
    """The command-line flag of an option."""
    return "--" + name.replace("_", "-")


def require(condition: bool, name: str, problem: str) -> None:
    """Raises `InputError`, unless the condition holds."""
    if not condition:
        raise InputError(f"{name} {problem}.")

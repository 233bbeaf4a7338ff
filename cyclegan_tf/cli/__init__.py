"""The command `cyclegan`: its first word names the command that the rest is for."""

import difflib
import sys
from collections.abc import Sequence
from types import ModuleType

from cyclegan_tf import __version__
from cyclegan_tf.cli import build, evaluate, export, import_, train, translate
from cyclegan_tf.cli.arguments import errors_in_one_line
from cyclegan_tf.common.errors import InputError

COMMANDS = {
    "train": train,
    "evaluate": evaluate,
    "export": export,
    "translate": translate,
    "build": build,
    "import": import_,
}


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs the command that the first word names, such as `cyclegan train --seed 1`.

    Args:
        arguments: instead of `sys.argv[1:]`.
    """
    name, *others = (sys.argv[1:] if arguments is None else arguments) or ["--help"]
    # What help and errors call the program.
    sys.argv = [f"cyclegan {name}" if name in COMMANDS else "cyclegan", *others]
    if name in COMMANDS:
        run(COMMANDS[name])
    elif name in ("-h", "--help"):
        print("usage: cyclegan COMMAND ...\n")
        for command, module in COMMANDS.items():
            print(f"  {command:10} {module.__doc__.splitlines()[0]}")
        print("\n`cyclegan COMMAND --help` shows the options of a command.")
    elif name == "--version":
        print(f"cyclegan {__version__}")
    else:
        with errors_in_one_line():
            near = difflib.get_close_matches(name, COMMANDS, 1)
            hint = f"; did you mean {near[0]}?" if near else ""
            raise InputError(f"unknown command {name!r}{hint} (see --help)")


def run(command: ModuleType) -> None:
    """Runs one command on `sys.argv`, as the scripts of the repository do."""
    with errors_in_one_line():
        command.main()

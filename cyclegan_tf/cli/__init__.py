"""The command `cyclegan`: its first word names the command that the rest is for."""

import difflib
import inspect
import sys
from collections.abc import Sequence

from cyclegan_tf import __version__, config
from cyclegan_tf.cli import commands
from cyclegan_tf.cli.arguments import errors_in_one_line, parse
from cyclegan_tf.common.errors import InputError

# What to call, its options, and which of these may be given without their flags.
COMMANDS = {
    "train": (commands.train, config.TrainConfig, []),
    "evaluate": (commands.evaluate, config.EvaluateConfig, ["run_dir"]),
    "export": (commands.export, config.ExportConfig, []),
    "translate": (commands.translate, config.TranslateConfig, ["input", "output"]),
    "distill": (commands.distill, config.DistillConfig, []),
    "demo": (commands.demo, config.DemoConfig, []),
    "build": (commands.build, config.BuildConfig, ["dataset"]),
    "import": (commands.import_models, config.ImportConfig, ["models"]),
}


def run(name: str) -> None:
    """Runs one command on `sys.argv`, as the scripts of the repository do."""
    function, options, positionals = COMMANDS[name]
    with errors_in_one_line():
        function(parse(options, inspect.getdoc(function), positionals))


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs the command that the first word of `arguments`, or `sys.argv[1:]`, names."""
    name, *others = (sys.argv[1:] if arguments is None else arguments) or ["--help"]
    # What help and errors call the program.
    sys.argv = [f"cyclegan {name}" if name in COMMANDS else "cyclegan", *others]
    if name in COMMANDS:
        run(name)
    elif name in ("-h", "--help"):
        print("usage: cyclegan COMMAND ...\n")
        for command, (function, *_) in COMMANDS.items():
            print(f"  {command:10} {function.__doc__.splitlines()[0]}")
        print("\n`cyclegan COMMAND --help` shows the options of a command.")
    elif name == "--version":
        print(f"cyclegan {__version__}")
    else:
        near = difflib.get_close_matches(name, COMMANDS, 1)
        hint = f"; did you mean {near[0]}?" if near else ""
        with errors_in_one_line():
            raise InputError(f"unknown command {name!r}{hint} (see --help)")

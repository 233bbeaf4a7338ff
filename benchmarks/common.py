"""What the benchmarks share. Imported first, it lets them run from a clone."""

import json
import os
import pathlib
import platform
import statistics
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))

from simple_parsing import field

from cyclegan_tf.cli import arguments
from cyclegan_tf.common.console import quiet_start

__all__ = ["ROOT", "field", "quartiles", "quiet_start", "report", "script"]
ROOT = pathlib.Path(__file__).resolve().parent.parent


def script(main, options_class, description):
    """Parses the command line, and calls `main` with the options."""
    with arguments.errors_in_one_line():
        main(arguments.parse(options_class, description))


def report(**figures):
    """Prints a JSON line; the machine is the same for all of them."""
    machine = {"cores": os.cpu_count(), "machine": platform.machine()}
    print(json.dumps(figures | machine), flush=True)


def quartiles(values, digits):
    """The lower quartile, the median and the upper quartile, rounded."""
    if len(values) < 2:
        values = [*values, *values]
    figures = statistics.quantiles(values, n=4, method="inclusive")
    return [round(figure, digits) for figure in figures]

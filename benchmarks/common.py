"""What the benchmarks share. Imported first, it lets them run from a clone."""

import functools
import json
import os
import pathlib
import platform
import re
import resource
import statistics
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))

from cyclegan_tf.cli import arguments

ROOT = pathlib.Path(__file__).resolve().parent.parent


def script(main, options_class, description):
    """Parses the command line, and calls `main` with the options."""
    with arguments.errors_in_one_line():
        main(arguments.parse(options_class, description))


def report(**figures):
    """Prints a JSON line, which ends with the machine and the code."""
    machine = {"cores": os.cpu_count(), "processor": processor(), "commit": commit()}
    print(json.dumps(figures | machine), flush=True)


@functools.cache
def processor():
    """The processor's name, or where the system does not tell it, its kind."""
    cpuinfo = pathlib.Path("/proc/cpuinfo")
    text = cpuinfo.read_text() if cpuinfo.exists() else ""
    found = re.search(r"^model name\s*: (.+)$", text, re.M)
    return found[1] if found else platform.processor() or platform.machine()


@functools.cache
def commit():
    """The commit of the checkout, with + if it was changed; None outside of git."""
    command = ["git", "describe", "--always", "--exclude", "*", "--dirty=+"]
    try:
        told = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    except FileNotFoundError:
        return None
    return told.stdout.strip() or None


def cpu_seconds():
    """Of this process, and of those that it has waited for."""
    used = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    return sum(u.ru_utime + u.ru_stime for u in map(resource.getrusage, used))


def quartiles(values, digits):
    """The lower quartile, the median and the upper quartile, rounded."""
    if len(values) < 2:
        values = [*values, *values]
    figures = statistics.quantiles(values, n=4, method="inclusive")
    return [round(figure, digits) for figure in figures]

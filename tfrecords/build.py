"""The same as `cyclegan build`, without installation: see --help."""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))

from cyclegan_tf.cli import run

if __name__ == "__main__":
    run("build")

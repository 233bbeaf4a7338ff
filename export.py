"""Exports both generators of a run as one SavedModel for serving.

python export.py --run-dir runs/synthetic/horse2zebra
"""

import pathlib
import shlex

from cyclegan_tf import command_line
from cyclegan_tf.config import ExportConfig


def main():
    """Parses, exports, and says how to look at the result."""
    config = command_line.parse(ExportConfig, __doc__)
    with command_line.quiet_start():
        from cyclegan_tf import serving
        from cyclegan_tf.generators import load_generators

    run_dir = pathlib.Path(config.run_dir).expanduser()
    generators = load_generators(run_dir)
    directory = serving.export_saved_model(generators, config.resolved_output)
    quoted = shlex.quote(str(directory))
    print(f"{directory}\nlook at it: saved_model_cli show --dir {quoted} --all")


if __name__ == "__main__":
    with command_line.errors_in_one_line():
        main()

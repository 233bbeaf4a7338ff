"""Takes over generators of the authors' PyTorch program, and gives generators back.

    %(prog)s G_A.pth G_B.pth --run-dir runs/pretrained
    %(prog)s --run-dir runs/mine --to-reference pth/

The first file is the generator from A to B; the second may be left out. PyTorch is not
needed, and no code from a file is run. The first command writes a run directory for
`train --init-from` and for everything that uses a trained run; the second writes
`latest_net_G_A.pth` and `latest_net_G_B.pth`, which the authors' program loads.
"""

import pathlib
from collections.abc import Sequence

from cyclegan_tf.cli.arguments import parse, quiet_start
from cyclegan_tf.common.console import show
from cyclegan_tf.common.errors import InputError
from cyclegan_tf.config import ImportConfig


def main(arguments: Sequence[str] | None = None) -> None:
    """Parses, converts, and says what was written."""
    config = parse(ImportConfig, __doc__, arguments=arguments)
    if config.run_dir is None:
        raise InputError("--run-dir is missing (see --help).")
    run_dir = pathlib.Path(config.run_dir).expanduser()
    if config.to_reference is not None and config.models:
        raise InputError("--to-reference reads a run, and no .pth files (see --help).")
    with quiet_start():
        from cyclegan_tf.interop import convert

    if config.to_reference is None:
        models = [pathlib.Path(name).expanduser() for name in config.models]
        show(str(convert.import_models(models, run_dir, config.dataset)))
    else:
        for path in convert.export_models(run_dir, pathlib.Path(config.to_reference)):
            show(str(path))

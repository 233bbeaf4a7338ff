"""Exports the generators of a run as verified models that can be served.

    %(prog)s                                      the run of the embedded dataset
    %(prog)s --run-dir runs/NAME --format savedmodel,onnx,litert

Every export is run in a process of its own and compared with the Keras model on
held-out images before it is kept.
"""

import shlex
from collections.abc import Sequence

from cyclegan_tf.cli.arguments import parse, quiet_start
from cyclegan_tf.common.console import show
from cyclegan_tf.config import ExportConfig

TRY_IT = """try it:
  saved_model_cli show --dir {directory} --all
  python -c "import numpy as np; from PIL import Image; \
np.save('in.npy', np.array(Image.open('IMAGE').convert('RGB'))[None])"
  saved_model_cli run --dir {directory} --tag_set serve \
--signature_def {direction} --inputs images=in.npy --outdir ."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Parses, exports, and says how to look at the result."""
    config = parse(ExportConfig, __doc__, arguments=arguments)
    with quiet_start():
        from cyclegan_tf.exporting import exporter

    for exported in exporter.export(config):
        show(exporter.report(exported))
        if exported.file_format == "savedmodel":
            directory = shlex.quote(str(exported.directory))
            direction = exported.comparisons[0].signature
            show(TRY_IT.format(directory=directory, direction=direction))

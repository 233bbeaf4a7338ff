"""Exports the generators of a run as verified models that can be served.

    python export.py --run-dir runs/synthetic/horse2zebra
    python export.py --run-dir runs/NAME --format savedmodel,onnx,litert

Every export is run in a process of its own and compared with the Keras model on
held-out images before it is kept.
"""

import shlex

from cyclegan_tf.cli import arguments
from cyclegan_tf.common.console import show
from cyclegan_tf.config import ExportConfig


def main():
    """Parses, exports, and says how to look at the result."""
    config = arguments.parse(ExportConfig, __doc__)
    with arguments.quiet_start():
        from cyclegan_tf.export import exporter

    for exported in exporter.export(config):
        show(exporter.report(exported))
        if exported.file_format == "savedmodel":
            directory = shlex.quote(str(exported.directory))
            direction = exported.comparisons[0].signature
            show(
                f"try it:\n"
                f"  saved_model_cli show --dir {directory} --all\n"
                f'  python -c "import numpy as np; from PIL import Image; '
                f"np.save('in.npy', np.array(Image.open('IMAGE').convert('RGB'))[None])"
                f'"\n'
                f"  saved_model_cli run --dir {directory} --tag_set serve "
                f"--signature_def {direction} --inputs images=in.npy --outdir ."
            )


if __name__ == "__main__":
    with arguments.errors_in_one_line():
        main()

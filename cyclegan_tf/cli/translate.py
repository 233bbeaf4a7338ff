"""Translates pictures with a trained model.

    %(prog)s IN OUT                               with the run of the embedded dataset
    %(prog)s --model exports/horse2zebra --direction b_to_a zebras/ horses/

IN is a picture, a folder or a quoted glob. Pictures keep their size, and a folder its
tree. Pictures in OUT are not replaced: the same command continues one that was stopped.
With --tile, memory does not grow with a picture's height.
"""

import sys
from collections.abc import Sequence

from cyclegan_tf.cli.arguments import parse, quiet_start
from cyclegan_tf.common.console import show
from cyclegan_tf.config import TranslateConfig


def main(arguments: Sequence[str] | None = None) -> None:
    """Parses, translates, and says how many; status 1 if any failed."""
    config = parse(TranslateConfig, __doc__, ["input", "output"], arguments)
    with quiet_start():
        from cyclegan_tf.inference import files, translator

    jobs = files.plan(config.input, config.output, config.format)
    scratch_dir = jobs[0].target.parent if config.tile else None
    translate = translator.load(
        config.model, config.direction, config.checkpoint, scratch_dir
    )
    done = files.translate_files(jobs, translate, config.batch_size, config.overwrite)
    show(
        f"{done.translated} translated, {done.skipped} there before, "
        f"{done.failed} failed"
    )
    sys.exit(1 if done.failed else 0)

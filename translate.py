"""Translates pictures with a trained model.

    python translate.py --model runs/synthetic/horse2zebra IN OUT
    python translate.py --model exports/horse2zebra --direction b_to_a zebras/ horses/

IN is a picture, a folder or a quoted glob. Pictures keep their size, and a folder its
tree. Pictures in OUT are not replaced: the same command continues one that was stopped.
With --tile, memory does not grow with a picture's height.
"""

import sys

from cyclegan_tf.cli import arguments
from cyclegan_tf.config import TranslateConfig


def main():
    """Parses, translates, and says how many; status 1 if any failed."""
    config = arguments.parse(TranslateConfig, __doc__, positionals=["input", "output"])
    with arguments.quiet_start():
        from cyclegan_tf.inference import files as picture_files
        from cyclegan_tf.inference import translator

    jobs = picture_files.plan(config.input, config.output, config.format)
    scratch_dir = jobs[0].target.parent if config.tile else None
    translate = translator.load(
        config.model, config.direction, config.checkpoint, scratch_dir
    )
    outcome = picture_files.translate_files(
        jobs, translate, config.batch_size, config.overwrite
    )
    print(
        f"{outcome.translated} translated, {outcome.skipped} there before, "
        f"{outcome.failed} failed"
    )
    sys.exit(1 if outcome.failed else 0)


if __name__ == "__main__":
    with arguments.errors_in_one_line():
        main()

"""Where images come from, a module for each kind of source.

Such a module has `find(config)`, which makes a `Source`, or None if the options name
none of that kind. Importing these needs no TensorFlow.
"""

import contextlib
import difflib
import pathlib

from cyclegan_tf.common.errors import InputError
from cyclegan_tf.config import DatasetConfig
from cyclegan_tf.data.sources.source import SPLITS, Job, Source, Split

__all__ = ["SPLITS", "Job", "Source", "Split", "find_source"]


def find_source(config: DatasetConfig) -> Source:
    """The source that the options name; `InputError` if that is nothing of use."""
    # Within, as who translates pictures needs none of them.
    from cyclegan_tf.data.sources import folder, synthetic, tfds

    source = synthetic.find(config) or folder.find(config) or tfds.find(config)
    if source is not None:
        return source
    given = config.dataset  # the default, and folders by domain, were found above
    known = [*synthetic.EMBEDDED, *(f"cycle_gan/{name}" for name in tfds.PAPERS)]
    names = " or ".join(_similar_names(given, known))
    meant = f"did you mean {names}? Or " if names else ""
    embedded = "" if names else f", or try {' or '.join(synthetic.EMBEDDED)}"
    raise InputError(
        f"--dataset {given}: no such folder from here, and no name that TFDS knows; "
        f"{meant}give its whole path, or by --data-dir the place where it has been "
        f"converted{embedded}."
    )


def _similar_names(given, known):
    """Names that end like the one given, such as cycle_gan/horse2zebra."""
    with contextlib.suppress(OSError):
        beside = pathlib.Path(given).expanduser().parent.iterdir()
        known = [*known, *(str(path) for path in beside if path.is_dir())]
    ends = {name: _end(name) for name in known}
    similar = difflib.get_close_matches(_end(given), ends.values(), n=1)
    return [name for name, end in ends.items() if end in similar]


def _end(name):
    return name.rstrip("/").rpartition("/")[2]

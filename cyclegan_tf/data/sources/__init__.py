"""Where images come from, a module for each kind of source.

Such a module has `find(config)`, which makes a `Source` or None if the options name
none of that kind, and `names_near(name)`, what else the user may have meant. A new kind
is a module and its entry in `KINDS`. Importing these needs no TensorFlow.
"""

import difflib

from cyclegan_tf.common.errors import InputError
from cyclegan_tf.config import DatasetConfig
from cyclegan_tf.data.sources import folder, synthetic, tfds
from cyclegan_tf.data.sources.source import SPLITS, Loaded, Source, Split

KINDS = (synthetic, folder, tfds)  # asked in this order
__all__ = ["SPLITS", "Loaded", "Source", "Split", "find_source"]


def find_source(config: DatasetConfig) -> Source:
    """The source that the options name.

    Raises:
        InputError: it names nothing that can be used.
    """
    for kind in KINDS:
        source = kind.find(config)
        if source is not None:
            return source
    given = config.dataset  # the default, and folders by domain, were found above
    names = " or ".join(_similar_names(given))
    meant = f"did you mean {names}? Or " if names else ""
    embedded = "" if names else f", or try {' or '.join(synthetic.EMBEDDED)}"
    raise InputError(
        f"--dataset {given}: no such folder from here, and no name that TFDS knows; "
        f"{meant}give its whole path, or by --data-dir the place where it has been "
        f"converted{embedded}."
    )


def _similar_names(given):
    """Names that end like the one given, such as cycle_gan/horse2zebra."""
    by_end = {}
    for kind in KINDS:
        for name in kind.names_near(given):
            by_end.setdefault(_end(name), []).append(name)
    similar = difflib.get_close_matches(_end(given), by_end, n=1)
    return [name for end in similar for name in by_end[end]]


def _end(name):
    return name.rstrip("/").rpartition("/")[2]

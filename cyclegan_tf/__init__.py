"""Unpaired image-to-image translation (CycleGAN) on Keras 3 and TensorFlow.

from cyclegan_tf import TrainConfig, train, evaluate, export, load
"""

import importlib

from cyclegan_tf.common.kernels import choose_kernels

choose_kernels()  # before anything of it imports TensorFlow

__version__ = "0.1.0"

_PLACES = {
    "TrainConfig": "config",
    "EvaluateConfig": "config",
    "ExportConfig": "config",
    "train": "training.run",
    "evaluate": "evaluation.scoring",
    "export": "exporting.exporter",
    "load": "inference.translator",
}
__all__ = ["__version__", *_PLACES]


def __getattr__(name):
    # Imported when first used: the package itself, and so --help, needs no TensorFlow.
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_PLACES[name]}"), name)

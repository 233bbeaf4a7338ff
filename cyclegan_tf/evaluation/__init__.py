"""How good a run is: scores, best and worst images, a report.

from cyclegan_tf.evaluation import Evaluator, evaluate
"""

_PLACES = {"Evaluator": "evaluator", "evaluate": "scores"}
__all__ = list(_PLACES)


def __getattr__(name):
    # Imported when first used: tables and names of scores need no TensorFlow.
    import importlib

    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_PLACES[name]}"), name)

"""From images anywhere to TFRecord shards, and from these to batches in [-1, 1]."""

_PLACES = {
    "ensure_dataset": "convert",
    "read_manifest": "convert",
    "Split": "pipeline",
    "open_split": "pipeline",
    "training_input": "pipeline",
}
__all__ = [*_PLACES]


def __getattr__(name):
    # Imported when first used: the worker processes of a conversion need no TensorFlow.
    import importlib

    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_PLACES[name]}"), name)

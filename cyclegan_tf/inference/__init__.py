"""A trained generator as a function from pictures to pictures: `load`, `translate`."""

_PLACES = {"load": "translator", "translate": "pixels"}


def __getattr__(name):
    # Imported when first used: the package itself needs no TensorFlow.
    import importlib

    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_PLACES[name]}"), name)

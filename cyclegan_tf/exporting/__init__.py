"""From a run to verified model files that can leave the training machine."""

__all__ = ["export"]


def __getattr__(name):
    # Imported when first used: TensorFlow takes seconds.
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from cyclegan_tf.exporting.exporter import export

    return export

"""From a run to verified model files that can leave the training machine: `export`."""


def __getattr__(name):
    # Imported when first used: the package itself needs no TensorFlow.
    if name != "export":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from cyclegan_tf.export.exporter import export

    return export

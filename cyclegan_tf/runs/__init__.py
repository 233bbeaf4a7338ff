"""A run directory: its options, checkpoints, trained generators and history."""

__all__ = ["load_generators", "read_config"]


def __getattr__(name):
    # Imported when first used: reading options needs no TensorFlow.
    if name == "load_generators":
        from cyclegan_tf.runs.generators import load_generators as found
    elif name == "read_config":
        from cyclegan_tf.runs.directory import read_config as found
    else:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return found

"""One run, from its options to a trained model."""

__all__ = ["train"]


def __getattr__(name):
    # Imported when first used: TensorFlow takes seconds.
    if name != "train":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from cyclegan_tf.training.run import train

    return train

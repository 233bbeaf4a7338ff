"""Unpaired image-to-image translation (CycleGAN) on Keras 3 and TensorFlow."""

__version__ = "0.1.0"


def load(model, direction="a_to_b", checkpoint="last", scratch_dir=None):
    """A trained model as a function on pictures; see `cyclegan_tf.translator.load`."""
    # Imported late: the package itself, and so --help, needs no TensorFlow.
    from cyclegan_tf import translator

    return translator.load(model, direction, checkpoint, scratch_dir)

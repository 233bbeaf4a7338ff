"""One run, from its options to a trained model."""

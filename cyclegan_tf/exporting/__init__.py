"""From a run to verified model files that can leave the training machine."""

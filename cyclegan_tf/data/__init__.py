"""From images anywhere to TFRecord shards, and from these to batches in [-1, 1]."""

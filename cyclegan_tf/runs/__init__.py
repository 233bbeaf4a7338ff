"""A run directory: its options, checkpoints, trained generators and history."""

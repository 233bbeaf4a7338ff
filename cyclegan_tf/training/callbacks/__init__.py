"""What happens beside the steps: progress, pictures, TensorBoard, CSV, checkpoints.

All of them count steps from the start of the run, over all its resumptions. They are
called in the order in which `training.fit` lists them, the checkpoint last: what a
checkpoint says has happened is then on disk.
"""
